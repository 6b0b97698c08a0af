//! The wire itself: what clients rely on beyond the story, and what they are told that ask amiss.

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    scene::Scene,
    server::Server,
    wire::{Http, Reply},
};
use serde_json::{Value, json};

use crate::braintrust::story::{account, id};

pub(super) fn ask(base: &str, key: &str, method: &str, path: &str, body: &Value) -> Result<Reply> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    // No type, as Python's log writer sends none.
    Http::connect(base)?.as_bearer(key).raw(method, &format!("/braintrust{path}"), &[], &body)
}

pub(super) fn objects(reply: &Value) -> Result<Vec<String>> {
    reply["objects"].as_array().context("objects")?.iter().map(id).collect()
}

#[test]
fn the_login_has_all_seven_members_and_lists_end() -> Result<()> {
    let scene = Scene::embedded()?;
    let (base, key) = (scene.writes.base(), scene.writes.owner_key.as_str());
    let login = ask(base, key, "POST", "/api/apikey/login", &Value::Null)?.expect(200)?;
    let told = login["org_info"][0].as_object().context("an organization")?;
    let names: Vec<&str> = told.keys().map(String::as_str).collect();
    let seven = ["api_url", "git_metadata", "id", "is_universal_api", "name", "proxy_url", "realtime_url"];
    assert_eq!(names, seven);
    assert_eq!(told["api_url"], format!("{base}/braintrust"));
    let mut projects = Vec::new();
    for number in 0..5 {
        let body = json!({"name": format!("p{number}"), "org_name": told["name"]});
        projects.insert(0, id(&ask(base, key, "POST", "/v1/project", &body)?.expect(200)?)?);
        // The same name again is the same project, unchanged.
        assert_eq!(id(&ask(base, key, "POST", "/v1/project", &body)?.expect(200)?)?, projects[0]);
    }
    let list = |query: &str| -> Result<Vec<String>> {
        objects(&ask(base, key, "GET", &format!("/v1/project?{query}"), &Value::Null)?.expect(200)?)
    };
    assert_eq!(list("")?, projects, "newest first");
    // A pager walks to an empty page, forwards and backwards.
    let (mut visited, mut after) = (Vec::new(), String::new());
    loop {
        let page = list(&format!("limit=2{after}"))?;
        let Some(oldest) = page.last() else { break };
        after = format!("&starting_after={oldest}");
        visited.extend(page);
        ensure!(visited.len() <= projects.len(), "the walk does not end: {visited:?}");
    }
    assert_eq!(visited, projects);
    assert_eq!(list(&format!("limit=2&ending_before={}", projects[4]))?, projects[2..4]);
    assert_eq!(list(&format!("ending_before={}", projects[0]))?, Vec::<String>::new());
    assert_eq!(list("starting_after=gone")?, Vec::<String>::new());
    for query in
        [format!("ids={}&ids={}", projects[1], projects[3]), format!("ids={},{}", projects[1], projects[3])]
    {
        assert_eq!(list(&query)?, [projects[1].clone(), projects[3].clone()], "{query}");
    }
    for name in ["project_name", "name"] {
        assert_eq!(list(&format!("{name}=p3"))?, [projects[1].clone()]);
    }
    Ok(())
}

#[test]
fn what_may_not_be_seen_is_denied_like_what_is_not_there() -> Result<()> {
    let scene = Scene::embedded()?;
    let base = scene.writes.base();
    let labels = json!({"env": "production"});
    let hidden = id(&scene.post("/v1/projects", &json!({"name": "production", "labels": labels}))?)?;
    scene.post("/v1/projects", &json!({"name": "staging"}))?;
    let account = account(&scene, "application")?;
    let denied = |method: &str, path: &str, body: Value| -> Result<String> {
        let reply = ask(base, &account.secret, method, path, &body)?;
        ensure!(reply.status == 403, "{method} {path}: {} {}", reply.status, reply.text_body());
        Ok(reply.text_body())
    };
    let bodies = [
        denied("POST", "/v1/project", json!({"name": "production"}))?,
        denied("POST", "/v1/project", json!({"name": "not there"}))?,
        denied("GET", &format!("/v1/project/{hidden}"), Value::Null)?,
        denied("GET", "/v1/project/01890000-0000-7000-8000-000000000000", Value::Null)?,
        denied("POST", "/v1/experiment", json!({"project_id": hidden, "name": "e"}))?,
        denied("POST", "/logs3", json!({"rows": [{"project_id": hidden, "log_id": "g"}]}))?,
        denied("POST", "/logs3", json!({"rows": [{"experiment_id": "not there"}]}))?,
        denied("POST", "/v1/project", json!({"name": "staging", "org_name": "another"}))?,
    ];
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    let unknown = ask(base, "gb_st_nobody", "POST", "/api/apikey/login", &Value::Null)?;
    assert_eq!(unknown.status, 401);
    for (path, body) in [
        ("/v1/project", json!({})),
        ("/v1/project", json!({"name": 7})),
        ("/v1/experiment", json!({"name": "e"})),
        ("/logs3", json!({})),
        ("/logs3", json!({"rows": [{"input": 1}]})),
        ("/api/base_experiment/get_id", json!({"id": "e"})),
    ] {
        let reply = ask(base, &account.secret, "POST", path, &body)?;
        assert_eq!(reply.status, 400, "{path} {body}: {}", reply.text_body());
    }
    Ok(())
}

/// Rows go where they say, or not at all; what they say besides may be long.
#[test]
fn rows_are_authorized_one_by_one_and_may_be_long() -> Result<()> {
    let scene = Scene::embedded()?;
    let (base, account) = (scene.writes.base(), account(&scene, "application")?);
    let staging = id(&scene.post("/v1/projects", &json!({"name": "staging"}))?)?;
    let production = json!({"name": "production", "labels": {"env": "production"}});
    let production = id(&scene.post("/v1/projects", &production)?)?;
    let row = |project: &str| json!({"project_id": project, "log_id": "g", "input": "x".repeat(1 << 20)});
    let long = json!({"rows": vec![row(&staging); 6], "api_version": 2});
    ensure!(long.to_string().len() > 6 << 20, "as much as the clients send");
    ask(base, &account.secret, "POST", "/logs3", &long)?.expect(200)?;
    let described = json!({"project_id": staging, "name": "e", "description": "x".repeat(300_000)});
    assert_eq!(ask(base, &account.secret, "POST", "/v1/experiment", &described)?.status, 413);
    let mixed = json!({"rows": [row(&staging), row(&production)]});
    assert_eq!(ask(base, &account.secret, "POST", "/logs3", &mixed)?.status, 403);
    // Who is refused reads why, also behind a long body.
    assert_eq!(ask(base, "gb_st_nobody", "POST", "/logs3", &long)?.status, 401);
    let longer = json!({"rows": vec![row(&staging); 17]});
    assert_eq!(ask(base, &account.secret, "POST", "/logs3", &longer)?.status, 413);
    Ok(())
}

/// Round-robin over two nodes never breaks reading one's own writes.
#[test]
fn what_was_made_at_one_node_is_there_at_the_other_at_once() -> Result<()> {
    let scene = Scene::over_nats()?;
    let bases: Vec<String> = scene.bases().into_iter().map(str::to_owned).collect();
    let key = scene.writes.owner_key.clone();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (bases, key) = (bases.clone(), key.clone());
            std::thread::spawn(move || -> Result<()> {
                for number in 0..250 {
                    let [one, other] = [number % 2, (number + 1) % 2].map(|node| bases[node].as_str());
                    let name = json!({"name": format!("p{thread}.{number}")});
                    let project = id(&ask(one, &key, "POST", "/v1/project", &name)?.expect(200)?)?;
                    let body = json!({"project_id": project, "ensure_new": true, "name": "e"});
                    let experiment = id(&ask(other, &key, "POST", "/v1/experiment", &body)?.expect(200)?)?;
                    let rows =
                        json!({"rows": [{"experiment_id": experiment}, {"project_id": project, "log_id": "g"}]});
                    ask(one, &key, "POST", "/logs3", &rows)?.expect(200)?;
                }
                Ok(())
            })
        })
        .collect();
    threads.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a panic"))?)
}

#[test]
fn the_operator_may_turn_it_off() -> Result<()> {
    let mut server = Server::init()?;
    server.set_env("GRANTBOOK_NO_BRAINTRUST", "true");
    server.spawn()?;
    let reply = ask(server.base(), &server.owner_key, "POST", "/api/apikey/login", &Value::Null)?;
    assert_eq!(reply.status, 404);
    Ok(())
}
