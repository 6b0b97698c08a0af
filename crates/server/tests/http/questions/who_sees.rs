//! What each caller gets of each answer: one table, reviewed like code.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::given::{Answer, Given};

/// The callers, from left to right; nobody has no key.
const CALLERS: [&str; 8] =
    ["nobody", "plain", "reader", "watcher", "audit only", "auditor", "owner", "stranger"];

/// One question: its words in the table, and the request.
struct Question {
    words: &'static str,
    method: &'static str,
    path: String,
    accept: &'static str,
    body: Value,
}

fn get(words: &'static str, path: String) -> Question {
    Question { words, method: "GET", path, accept: "application/json", body: Value::Null }
}

fn post(words: &'static str, path: &str, body: Value) -> Question {
    Question { words, method: "POST", path: path.to_owned(), accept: "application/json", body }
}

/// Everything that is asked about: a project with a grant to a token, of today and as of a record in between.
struct Asked {
    org: String,
    project: String,
    token: String,
    owner: String,
    group: String,
    role: String,
    grant: String,
    key: String,
    then: String,
}

/// Every read that answers about access; a new one is a new line here.
fn questions(asked: &Asked) -> Vec<Question> {
    let Asked { org, project, token, owner, then, .. } = asked;
    let other = json!({"type": "token", "id": token});
    let check = |principal: &Value, project: &str| json!({"principal": principal, "permission": "read", "object": {"type": "project", "id": project}});
    let own = json!({"permission": "read", "object": {"type": "project", "id": project}});
    let ghost = "01890000-0000-7000-8000-000000000000";
    vec![
        get("whoami", "/v1/whoami".into()),
        post("check oneself", "/v1/check", own.clone()),
        post("check oneself, as of", &format!("/v1/check?as_of={then}"), own.clone()),
        post("check another", "/v1/check", check(&other, project)),
        post("check another, no such project", "/v1/check", check(&other, ghost)),
        post("check another, as of", &format!("/v1/check?as_of={then}"), check(&other, project)),
        post(
            "check/batch, oneself and another",
            "/v1/check/batch",
            json!({"checks": [own, check(&other, project)]}),
        ),
        post("explain oneself", "/v1/explain", own.clone()),
        post("explain another", "/v1/explain", check(&other, project)),
        post("explain another, no such project", "/v1/explain", check(&other, ghost)),
        post("explain another, as of", &format!("/v1/explain?as_of={then}"), check(&other, project)),
        get("access", format!("/v1/access?principal=token:{token}")),
        get("access, as of", format!("/v1/access?principal=token:{token}&as_of={then}")),
        get("who-can", format!("/v1/who-can?permission=read&object=project:{project}")),
        get("who-can, as of", format!("/v1/who-can?permission=read&object=project:{project}&as_of={then}")),
        get("who-can, the organization", format!("/v1/who-can?permission=read&object=organization:{org}")),
        get("accessible", format!("/v1/accessible?principal=token:{token}&permission=read&type=project")),
        get("permissions", format!("/v1/permissions?principal=token:{token}&object=project:{project}")),
        get("timeline of a principal", format!("/v1/timeline?principal=token:{token}")),
        get("timeline of a project", format!("/v1/timeline?project={project}")),
        get("diff", format!("/v1/diff?from=2020-01-01T00:00:00Z&to={then}")),
        get("report", "/v1/report".into()),
        get("report, as of", format!("/v1/report?as_of={then}")),
        Question { accept: "text/csv", ..get("report, as a table", "/v1/report".into()) },
        post(
            "plan",
            "/v1/plan",
            json!({"commands": [{"method": "DELETE", "path": format!("/v1/tokens/{token}")}]}),
        ),
        get("audit", "/v1/audit".into()),
        get("audit, by days", "/v1/audit/days".into()),
        Question { accept: "application/x-ndjson", ..get("audit, streamed", "/v1/audit".into()) },
        get("watch", "/v1/watch".into()),
        get("watch of records", "/v1/watch?kind=record".into()),
        get("watch of changes, a principal's", format!("/v1/watch?kind=change&principal=token:{token}")),
        get("watch of changes, on a project", format!("/v1/watch?kind=change&project={project}")),
        get("grants/history", format!("/v1/grants/history?by=user:{owner}&project={project}")),
        get("grants/history, as of", format!("/v1/grants/history?as_of={then}")),
    ]
}

/// Reads of single things, and lists of them.
fn nouns(Asked { project, token, owner, group, role, grant, key, then, .. }: &Asked) -> Vec<Question> {
    let ghost = "01890000-0000-7000-8000-000000000000";
    vec![
        get("projects", "/v1/projects".into()),
        get("projects, as of", format!("/v1/projects?as_of={then}")),
        get("projects/{id}", format!("/v1/projects/{project}")),
        get("grants", "/v1/grants".into()),
        get("grants, as of", format!("/v1/grants?as_of={then}")),
        get("grants/{id}/projects", format!("/v1/grants/{grant}/projects")),
        get("groups", "/v1/groups".into()),
        get("groups/{id}", format!("/v1/groups/{group}")),
        get("groups/{id}/members", format!("/v1/groups/{group}/members")),
        get("groups/{id}/groups", format!("/v1/groups/{group}/groups")),
        get("users/{id}/groups", format!("/v1/users/{owner}/groups")),
        get("tokens/{id}/groups", format!("/v1/tokens/{token}/groups")),
        get("roles", "/v1/roles".into()),
        get("roles/{id}", format!("/v1/roles/{role}")),
        get("users", "/v1/users".into()),
        get("users/{id}", format!("/v1/users/{owner}")),
        get("users/{id}/keys", format!("/v1/users/{owner}/keys")),
        get("keys/{id}, the owner's", format!("/v1/keys/{key}")),
        get("sessions", "/v1/sessions".into()),
        get("tokens", "/v1/tokens".into()),
        get("tokens/{id}", format!("/v1/tokens/{token}")),
        get("tokens/{id}/keys", format!("/v1/tokens/{token}/keys")),
        get("objects", "/v1/objects?type=dataset".into()),
        get("catalog", "/v1/catalog".into()),
        get("webhooks", "/v1/webhooks".into()),
        get("webhooks/{id}", format!("/v1/webhooks/{ghost}")),
        get("webhooks/{id}/dead-letters", format!("/v1/webhooks/{ghost}/dead-letters")),
    ]
}

fn authzen_questions(Asked { project, token, .. }: &Asked) -> Vec<Question> {
    let subject = json!({"type": "token", "id": token});
    let (action, resource) = (json!({"name": "read"}), json!({"type": "project", "id": project}));
    let evaluation = json!({"subject": subject, "action": action, "resource": resource});
    vec![
        post("AuthZEN evaluation", "/access/v1/evaluation", evaluation.clone()),
        post("AuthZEN evaluations", "/access/v1/evaluations", json!({"evaluations": [evaluation]})),
        post(
            "AuthZEN search/subject",
            "/access/v1/search/subject",
            json!({"subject": {"type": "token"}, "action": action, "resource": resource}),
        ),
        post(
            "AuthZEN search/resource",
            "/access/v1/search/resource",
            json!({"subject": subject, "action": action, "resource": {"type": "project"}}),
        ),
        post(
            "AuthZEN search/action",
            "/access/v1/search/action",
            json!({"subject": subject, "resource": resource}),
        ),
    ]
}

/// Methods and paths of everything that is asked.
pub(crate) fn paths() -> Vec<(&'static str, String)> {
    let id = || "x".to_owned();
    let (org, project, token, owner) = (id(), id(), id(), id());
    let asked =
        Asked { org, project, token, owner, group: id(), role: id(), grant: id(), key: id(), then: id() };
    let all = questions(&asked).into_iter().chain(nouns(&asked)).chain(authzen_questions(&asked));
    all.map(|question| (question.method, question.path)).collect()
}

/// Status, and the error's code or what there is to see.
fn cell(answer: &Answer) -> String {
    let body = &answer.body;
    let count = |name: &str| body[name].as_array().map(|all| format!("{} {name}", all.len()));
    let reasons = |all: &Vec<Value>| {
        let words = all.iter().map(|one| one["reason"].as_str().map(str::to_owned));
        words.collect::<Option<Vec<_>>>().map(|words| words.join(","))
    };
    let streamed = || {
        let kind = answer.header("content-type");
        let by_line = kind.contains("ndjson") || kind.contains("csv");
        let lines = by_line.then(|| answer.text.lines().count());
        lines.map(|lines| format!("{lines} lines"))
    };
    let told = body["code"]
        .as_str()
        .or(body["reason"].as_str())
        .map(str::to_owned)
        .or_else(|| body["decision"].as_bool().map(|decision| decision.to_string()))
        .or_else(|| body["results"].as_array().filter(|all| !all.is_empty()).and_then(reasons))
        .or_else(|| {
            let all = body["evaluations"].as_array()?;
            Some(all.iter().map(|one| one["decision"].to_string()).collect::<Vec<_>>().join(","))
        })
        .or_else(|| ["items", "results", "permissions", "rows"].iter().find_map(|name| count(name)))
        .or_else(streamed);
    format!("{} {}", answer.status, told.unwrap_or_default()).trim_end().to_owned()
}

async fn table() -> String {
    let (given, stranger) = Given::with_stranger().await;
    let project = given.project("dev").await;
    given.project("production").await;
    let on = json!({"object": {"type": "project", "id": project}});
    let (token, _) = given.token_with(json!(["read"]), on.clone()).await;
    let then = given.get("/v1/projects").await.header("grantbook-position").to_owned();
    let all = json!({"organization": true});
    let (_, plain) = given.token().await;
    let (_, reader) = given.token_with(json!(["read"]), json!({"projects": {"include": "all"}})).await;
    let (_, watcher) = given.token_with(json!(["read_acls"]), on).await;
    let log = json!({"object": {"type": "org_audit_logs", "id": given.org}});
    let (_, audit_only) = given.token_with(json!(["read"]), log).await;
    let (_, auditor) = given.token_with(json!(["read", "read_acls"]), all).await;
    let keys = [
        None,
        Some(plain),
        Some(reader),
        Some(watcher),
        Some(audit_only),
        Some(auditor),
        Some(given.owner_key.clone()),
        Some(stranger),
    ];
    let first = async |path: &str| given.get(path).await.body["items"][0]["id"].as_str().unwrap().to_owned();
    let (group, role) = (first("/v1/groups?name=Owners").await, first("/v1/roles?name=Owner").await);
    let grant = first("/v1/grants").await;
    let key = given.get("/v1/whoami").await.body["key"]["id"].as_str().unwrap().to_owned();
    let (org, owner) = (given.org.clone(), given.owner.clone());
    let asked = Asked { org, project, token, owner, group, role, grant, key, then };
    let mut rows = vec![CALLERS.map(str::to_owned).to_vec()];
    rows[0].insert(0, "question".to_owned());
    for question in questions(&asked).into_iter().chain(nouns(&asked)).chain(authzen_questions(&asked)) {
        let mut row = vec![question.words.to_owned()];
        for key in &keys {
            let key = key.as_deref().unwrap_or("none");
            let accept = [("accept", question.accept)];
            let answer = given.send(key, (question.method, &question.path), &accept, &question.body).await;
            row.push(cell(&answer));
        }
        rows.push(row);
    }
    let widths: Vec<usize> =
        (0..=CALLERS.len()).map(|at| rows.iter().map(|row| row[at].len()).max().unwrap()).collect();
    let mut text = "What each caller gets of each answer: the status, and the error's code or what there is to see.\n\n\
        nobody: no good key. plain: a token without grants. reader: read on all projects. watcher: read_acls on the\n\
        project asked about. audit only: read on org_audit_logs. auditor: read and read_acls on the organization.\n\
        stranger: an owner of another organization. All ask about a token that may read one project.\n\n"
        .to_owned();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end()).unwrap();
    }
    text
}

#[tokio::test]
async fn golden_what_each_caller_sees_of_each_answer_is_as_agreed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/who-sees-what.txt");
    let table = table().await;
    if std::env::var("GOLDEN").is_ok_and(|wish| wish == "accept") {
        std::fs::write(path, &table).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    assert_eq!(table, golden, "review, then run with GOLDEN=accept");
}
