//! Questions the other way round: complete, explained, paged, and only for those who may ask.

use serde_json::{Value, json};

use crate::given::Given;

const GHOST: &str = "01890000-0000-7000-8000-000000000000";

async fn pages(given: &Given, key: &str, path: &str) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut next = path.to_owned();
    loop {
        let page = given.send(key, ("GET", &next), &[], &Value::Null).await.expect(200).body;
        pages.push(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next"].as_str() else { return pages };
        next = format!("{path}&cursor={cursor}");
    }
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["principal"]["name"].as_str().unwrap_or("?")).collect()
}

#[tokio::test]
async fn who_can_lists_everybody_with_a_shortest_way() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (outer, inner) = (given.group().await, given.group().await);
    let nested = json!({"member": {"type": "group", "id": inner}});
    given.post(&format!("/v1/groups/{outer}/members"), nested).await.expect(201);
    let on = json!({"object": {"type": "project", "id": project}});
    let to_outer =
        json!({"to": {"type": "group", "id": outer}, "role": "Engineer", "on": on, "reason": "team"});
    let grant = given.made("/v1/grants", to_outer).await;
    let mut joined = Vec::new();
    for _ in 0..5 {
        let (token, _) = given.token().await;
        given.join(&inner, &token).await;
        joined.push(token);
    }
    let (direct, _) = given.token_with(json!(["update"]), on.clone()).await;
    given.join(&inner, &direct).await;
    let (denied, _) = given.token_with(json!(["update"]), on.clone()).await;
    let deny =
        json!({"to": {"type": "token", "id": denied}, "permissions": ["update"], "on": on, "effect": "deny"});
    given.made("/v1/grants", deny).await;
    given.token().await;

    let path = format!("/v1/who-can?permission=update&object=project:{project}&limit=3");
    let pages = pages(&given, &given.owner_key, &path).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    let all = pages.concat();
    let ids: Vec<_> = all.iter().map(|item| item["principal"]["id"].as_str().unwrap().to_owned()).collect();
    joined.push(direct);
    let expected: Vec<String> = [given.owner.clone()].into_iter().chain(joined).collect();
    assert_eq!(ids, expected);
    assert_eq!(names(&all)[0], "ada@example.com");
    let nested = &all[1]["path"];
    assert_eq!(nested["grant"]["id"], json!(grant));
    assert_eq!((&nested["role"]["name"], nested["via"].as_array().unwrap().len()), (&json!("Engineer"), 2));
    assert_eq!(nested["records"][0]["event"], "GrantCreated");
    assert_eq!(
        all[6]["path"]["via"],
        json!([]),
        "the grant to itself is shorter than that by way of the groups"
    );
    let one = given.get(&path).await.expect(200);
    assert_eq!(one.header("grantbook-position"), one.text_of("position"));
}

#[tokio::test]
async fn accessible_and_permissions_agree_with_checks() {
    let given = Given::new().await;
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    for index in 0..7 {
        let env = if index % 2 == 0 { "open" } else { "closed" };
        let project = given.project(env).await;
        if index % 2 == 0 { open.push(project) } else { closed.push(project) }
    }
    let on = json!({"projects": {"include": [{"label": {"env": "open"}}]}});
    let (token, key) = given.token_with(json!(["read", "update"]), on).await;
    for (id, project) in [("a", &open[0]), ("b", &closed[0]), ("c", &open[1])] {
        let object = json!({"type": "dataset", "id": id, "project": project});
        given.post("/v1/objects", object).await.expect(201);
    }
    let ask = |object_type: &str, permission: &str| {
        format!("/v1/accessible?principal=token:{token}&permission={permission}&type={object_type}&limit=2")
    };
    let ids = |pages: Vec<Vec<Value>>| -> Vec<String> {
        pages.concat().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let owner = &given.owner_key;
    assert_eq!(ids(pages(&given, owner, &ask("project", "update")).await), open);
    assert_eq!(ids(pages(&given, owner, &ask("dataset", "read")).await), ["a", "c"]);
    assert!(ids(pages(&given, owner, &ask("project", "delete")).await).is_empty());
    assert!(ids(pages(&given, owner, &ask("group", "read")).await).is_empty());
    for project in open.iter().chain(&closed) {
        let path = format!("/v1/permissions?principal=token:{token}&object=project:{project}");
        let held = given.get(&path).await.expect(200).body;
        let own = given.send(&key, ("GET", &path), &[], &Value::Null).await.expect(200).body;
        let expected = if open.contains(project) { json!(["read", "update"]) } else { json!([]) };
        assert_eq!((&held["permissions"], &own["permissions"]), (&expected, &expected));
        for permission in ["read", "update", "delete"] {
            let allowed = expected.as_array().unwrap().contains(&json!(permission));
            assert_eq!(given.check(&key, permission, project).await.0, allowed);
        }
    }
    let free = format!("object=dataset:free&project={}", open[0]);
    let free = given.get(&format!("/v1/permissions?principal=token:{token}&{free}")).await.expect(200).body;
    assert_eq!(free["permissions"], json!(["read", "update"]), "not registered, in a project that is named");
    given.delete(&format!("/v1/tokens/{token}")).await.expect(200);
    assert!(
        ids(pages(&given, owner, &ask("project", "update")).await).is_empty(),
        "an ended one may nothing"
    );
}

#[tokio::test]
async fn pages_stay_as_the_first_was_while_the_organization_moves_on() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let on = json!({"object": {"type": "project", "id": project}});
    let mut holders = vec![given.owner.clone()];
    for _ in 0..5 {
        holders.push(given.token_with(json!(["read"]), on.clone()).await.0);
    }
    let (watched, _) = given.token_with(json!(["update"]), json!({"organization": true})).await;
    let mut projects = vec![project.clone()];
    for _ in 0..3 {
        projects.push(given.project("dev").await);
    }
    let who = format!("/v1/who-can?permission=read&object=project:{project}&limit=2");
    let what = format!("/v1/accessible?principal=token:{watched}&permission=update&type=project&limit=2");
    let (first_who, first_what) = (given.get(&who).await.expect(200), given.get(&what).await.expect(200));
    // What ends, begins and changes now is not yet on the pages given.
    given.delete(&format!("/v1/tokens/{}", holders[4])).await.expect(200);
    given.token_with(json!(["read"]), on).await;
    given.delete(&format!("/v1/projects/{}", projects[3])).await.expect(200);
    projects.push(given.project("late").await);
    let grants = given.get(&format!("/v1/grants?to=token:{watched}")).await.expect(200).body;
    let grant = grants["items"][0]["id"].as_str().unwrap().to_owned();
    given.delete(&format!("/v1/grants/{grant}")).await.expect(200);
    let rest = async |path: &str, first: &crate::given::Answer| {
        let mut items = first.body["items"].as_array().unwrap().clone();
        let mut next = first.body["next"].clone();
        while let Some(cursor) = next.as_str() {
            let page = given.get(&format!("{path}&cursor={cursor}")).await.expect(200);
            assert_eq!(page.text_of("position"), first.text_of("position"));
            items.extend(page.body["items"].as_array().unwrap().iter().cloned());
            next = page.body["next"].clone();
        }
        items
    };
    let ids = |items: &[Value], pointer: &str| -> Vec<String> {
        items.iter().map(|item| item.pointer(pointer).unwrap().as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&rest(&who, &first_who).await, "/principal/id"), holders);
    assert_eq!(ids(&rest(&what, &first_what).await, "/id"), projects[..4]);
    let now = given.get(&format!("{who}0")).await.expect(200).body;
    assert_eq!(now["items"].as_array().unwrap().len(), 6, "without the one that ended, with the late one");

    let then = first_who.text_of("position");
    let as_of = format!("{who}0&as_of={then}");
    let told = given.get(&as_of).await.expect(200).body;
    assert_eq!(ids(told["items"].as_array().unwrap(), "/principal/id"), holders);
    assert_eq!((&told["position"], &told["as_of"]), (&json!(then), &json!(then)));
    let path =
        format!("/v1/permissions?principal=token:{watched}&object=project:{}&as_of={then}", projects[3]);
    assert_eq!(given.get(&path).await.expect(200).body["permissions"], json!(["update"]), "it lived then");
    let mixed = format!("{who}&cursor={}&as_of={then}", first_who.text_of("next"));
    assert_eq!(given.get(&mixed).await.told(), (400, "invalid"), "a cursor of the present");
}

#[tokio::test]
async fn bad_questions_are_refused_in_clear_words() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let other = given.project("dev").await;
    let (token, _) = given.token_with(json!(["read"]), json!({"organization": true})).await;
    let who = format!("/v1/who-can?permission=read&object=project:{project}&limit=1");
    let cursor = given.get(&who).await.expect(200).text_of("next");
    let own = format!("principal=token:{token}");
    for (path, expected) in [
        ("/v1/who-can?permission=read".into(), (400, "invalid")),
        ("/v1/who-can?permission=read&object=project".into(), (400, "invalid")),
        ("/v1/who-can?permission=read&object=:x".into(), (400, "invalid")),
        (format!("/v1/who-can?permission=fly&object=project:{project}"), (400, "invalid")),
        ("/v1/who-can?permission=read&object=planet:x".into(), (400, "invalid")),
        (format!("/v1/who-can?permission=read&object=project:{GHOST}"), (404, "not_found")),
        ("/v1/who-can?permission=read&object=dataset:free".into(), (404, "not_found")),
        (format!("{who}0000"), (400, "invalid")),
        (format!("{who}&cursor=zz"), (400, "invalid")),
        (format!("{who}&cursor={cursor}00"), (400, "invalid")),
        (format!("/v1/who-can?permission=update&object=project:{project}&cursor={cursor}"), (400, "invalid")),
        (format!("/v1/who-can?permission=read&object=project:{other}&cursor={cursor}"), (400, "invalid")),
        (format!("/v1/accessible?{own}&permission=read&type=project&cursor={cursor}"), (400, "invalid")),
        (format!("/v1/accessible?{own}&permission=read&type=project&limit=0"), (400, "invalid")),
        (format!("/v1/accessible?{own}&permission=read"), (400, "invalid")),
        (format!("/v1/accessible?{own}&permission=read&type=planet"), (400, "invalid")),
        (format!("/v1/accessible?{own}&permission=fly&type=project"), (400, "invalid")),
        ("/v1/accessible?principal=group:x&permission=read&type=project".into(), (400, "invalid")),
        (format!("/v1/accessible?principal=token:{GHOST}&permission=read&type=project"), (404, "not_found")),
        (format!("/v1/permissions?{own}&object=project:{GHOST}"), (404, "not_found")),
        (format!("/v1/permissions?{own}&object=planet:x"), (400, "invalid")),
        (format!("/v1/permissions?{own}&object=project:{project}&project={other}"), (400, "invalid")),
        (format!("/v1/permissions?{own}&object=project:{project}&colour=red"), (400, "invalid")),
    ] {
        assert_eq!(given.get(&path).await.told(), expected, "{path}");
    }
    let (_, watcher) = given.token_with(json!(["read_acls"]), json!({"organization": true})).await;
    let stolen = given.send(&watcher, ("GET", &format!("{who}&cursor={cursor}")), &[], &Value::Null).await;
    assert_eq!(stolen.told(), (400, "invalid"), "a cursor is its reader's own");
}

#[tokio::test]
async fn what_who_sees_of_each_answer() {
    let given = Given::new().await;
    let (project, hidden) = (given.project("dev").await, given.project("prod").await);
    let on = json!({"object": {"type": "project", "id": project}});
    let (plain, plain_key) = given.token().await;
    let (_, reader) = given.token_with(json!(["read"]), json!({"organization": true})).await;
    let (_, local) = given.token_with(json!(["read_acls"]), on).await;
    let (_, watcher) = given.token_with(json!(["read_acls"]), json!({"organization": true})).await;
    let who = |object: &str| format!("/v1/who-can?permission=read&object={object}");
    let accessible = format!("/v1/accessible?principal=token:{plain}&permission=read&type=project");
    let permissions = |object: &str| format!("/v1/permissions?principal=token:{plain}&object={object}");
    let (seen, unseen) = (format!("project:{project}"), format!("project:{hidden}"));
    let ghost = format!("project:{GHOST}");
    // path, then what the plain token itself, a reader, a watcher of the one project and one of everything get
    for (path, expected) in [
        (who(&seen), [403, 403, 200, 200]),
        (who(&unseen), [403, 403, 403, 200]),
        (who(&ghost), [403, 403, 403, 404]),
        (who("planet:x"), [403, 403, 403, 400]),
        (accessible.clone(), [403, 403, 403, 200]),
        (permissions(&seen), [200, 403, 200, 200]),
        (permissions(&unseen), [200, 403, 403, 200]),
        (permissions(&ghost), [200, 403, 403, 404]),
        (permissions("planet:x"), [200, 403, 403, 400]),
    ] {
        for (key, status) in [&plain_key, &reader, &local, &watcher].into_iter().zip(expected) {
            let answer = given.send(key, ("GET", &path), &[], &Value::Null).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text);
        }
    }
    let told = async |object: &str| {
        given.send(&plain_key, ("GET", &permissions(object)), &[], &Value::Null).await.expect(200).body
    };
    assert_eq!(told(&unseen).await["permissions"], told(&ghost).await["permissions"], "unseen is like none");
    let path = who(&seen);
    let listed = given.send(&local, ("GET", &path), &[], &Value::Null).await.expect(200).body;
    assert!(
        names(listed["items"].as_array().unwrap()).contains(&"?"),
        "whose name may not be read is not named"
    );
}

#[tokio::test]
async fn an_object_is_told_with_its_project_and_name_however_it_is_asked_about() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (token, _) = given.token().await;
    let object = json!({"type": "dataset", "id": "d1", "project": project, "name": "sales"});
    given.post("/v1/objects", object).await.expect(201);
    let on = json!({"object": {"type": "dataset", "id": "d1", "project": project}});
    let grant = json!({"to": {"type": "token", "id": token}, "permissions": ["read"], "on": on});
    given.made("/v1/grants", grant).await;
    for named in ["object=dataset:d1".to_owned(), format!("object=dataset:d1&project={project}")] {
        let who = given.get(&format!("/v1/who-can?permission=read&{named}")).await.expect(200).body;
        let holders = who["items"].as_array().unwrap();
        let holder = holders.iter().find(|holder| holder["principal"]["id"] == json!(token)).unwrap();
        assert_eq!(holder["path"]["matched"]["why"], "the scope is dataset sales", "{named}");
        let held = given.get(&format!("/v1/permissions?principal=token:{token}&{named}")).await;
        let told = &held.expect(200).body["object"];
        assert_eq!((&told["project"], &told["name"]), (&json!(project), &json!("sales")), "{named}");
    }
}
