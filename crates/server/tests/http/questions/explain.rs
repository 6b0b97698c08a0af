//! Explanations: a complete graph, and pages of paths that are short however deep groups are nested.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::given::Given;

/// Bytes of JSON after which a page of paths ends.
const PAGE_BYTES: usize = 256 * 1024;

fn question(token: &str, project: &str) -> Value {
    json!({"principal": {"type": "token", "id": token}, "permission": "update",
        "object": {"type": "project", "id": project}})
}

/// A token in a chain of groups, each with a grant; made by one record, as a file is applied.
async fn chained(given: &Given, length: usize) -> (String, Vec<String>) {
    let (token, _) = given.token().await;
    let (mut groups, mut commands) = (Vec::new(), Vec::new());
    for _ in 0..length {
        groups.push(given.group().await);
    }
    let mut member = json!({"type": "token", "id": token});
    for group in &groups {
        commands.push(json!({"method": "POST", "path": format!("/v1/groups/{group}/members"),
            "body": {"member": member}}));
        member = json!({"type": "group", "id": group});
        commands.push(json!({"method": "POST", "path": "/v1/grants", "body": {"to": member,
            "permissions": ["update"], "on": {"projects": {"include": "all"}}}}));
    }
    given.post("/v1/batch", json!({"commands": commands})).await.expect(200);
    (token, groups)
}

/// Every page of an explanation.
async fn pages(given: &Given, body: &Value, limit: usize) -> Vec<Value> {
    let first = format!("/v1/explain?limit={limit}");
    let mut pages = vec![given.post(&first, body.clone()).await.expect(200).body];
    while let Some(cursor) = pages.last().unwrap()["next"].as_str() {
        let path = format!("{first}&cursor={cursor}");
        pages.push(given.post(&path, body.clone()).await.expect(200).body);
    }
    pages
}

fn paths(pages: &[Value]) -> Vec<Value> {
    pages.iter().flat_map(|page| page["paths"].as_array().unwrap().clone()).collect()
}

fn ids(graph: &Value, kind: &str) -> BTreeSet<String> {
    let nodes = graph["nodes"].as_array().unwrap().iter().filter(|node| node["type"] == kind);
    nodes.map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}

/// The edges of a kind, as member and group or grantee and grant.
fn edges(graph: &Value, kind: &str) -> BTreeSet<(String, String)> {
    let edges = graph["edges"].as_array().unwrap().iter().filter(|edge| edge["type"] == kind);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    edges.map(|edge| (text(&edge["from"]), text(&edge["to"]))).collect()
}

#[tokio::test]
async fn pages_of_any_size_have_the_same_paths_and_the_whole_graph() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (token, groups) = chained(&given, 12).await;
    let asked = question(&token, &project);
    let whole = pages(&given, &asked, 1000).await;
    let all = paths(&whole);
    assert_eq!((whole.len(), all.len(), &whole[0]["paths_total"]), (1, 12, &json!(12)));
    let lengths: Vec<usize> = all.iter().map(|path| path["via"].as_array().unwrap().len()).collect();
    assert_eq!(lengths, (1..=12).collect::<Vec<_>>());
    let last = &all[11];
    assert_eq!(
        last["records"].as_array().unwrap().len(),
        1 + 12 + 1,
        "the grant, each membership, the project"
    );
    assert_eq!(last["records"][12]["about"], "/via/11");

    let graph = &whole[0]["graph"];
    assert_eq!(ids(graph, "token"), BTreeSet::from([token.clone()]));
    assert_eq!(ids(graph, "group"), groups.iter().cloned().collect());
    let from_paths = |pair: fn(&Value) -> (Value, Value)| -> BTreeSet<(String, String)> {
        let text = |value: Value| value.as_str().unwrap().to_owned();
        let via = all.iter().flat_map(|path| path["via"].as_array().unwrap()).map(pair);
        via.map(|(from, to)| (text(from), text(to))).collect()
    };
    let memberships = from_paths(|step| (step["member"]["id"].clone(), step["group"]["id"].clone()));
    assert_eq!(edges(graph, "membership"), memberships);
    assert_eq!(edges(graph, "grant").len(), 12);
    for edge in graph["edges"].as_array().unwrap().iter().filter(|edge| edge["type"] == "membership") {
        assert_eq!(edge["position"], last["records"][1]["position"], "one record made them all");
    }

    for limit in [1, 5, 12] {
        let pages = pages(&given, &asked, limit).await;
        assert_eq!(paths(&pages), all, "{limit}");
        assert!(pages.iter().all(|page| page["graph"] == *graph && page["paths_total"] == 12));
        assert!(pages.iter().rev().skip(1).all(|page| page["paths"].as_array().unwrap().len() == limit));
    }
    let usual = given.post("/v1/explain", asked).await.expect(200).body;
    assert_eq!((usual["paths"].as_array().unwrap().len(), &usual["next"]), (12, &Value::Null));
}

#[tokio::test]
async fn a_page_is_short_however_long_its_paths_are() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let mut graphs = Vec::new();
    for length in [30, 60] {
        let (token, _) = chained(&given, length).await;
        let pages = pages(&given, &question(&token, &project), 1000).await;
        assert_eq!(paths(&pages).len(), length);
        for page in &pages {
            let paths = page["paths"].as_array().unwrap();
            let sizes: Vec<usize> = paths.iter().map(|path| path.to_string().len()).collect();
            let before_last: usize = sizes.iter().rev().skip(1).sum();
            assert!(!paths.is_empty() && before_last <= PAGE_BYTES, "{length}: {sizes:?}");
        }
        if length == 60 {
            assert!(pages.len() > 1, "all paths together are longer than a page");
        }
        graphs.push(pages[0]["graph"].to_string().len());
    }
    let [short, long] = graphs[..] else { panic!("two lengths") };
    assert!(long < 60 * 1500 && long * 10 < short * 21, "the graph is linear: {short}, {long}");
}

#[tokio::test]
async fn all_pages_hold_at_the_position_of_the_first() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (token, groups) = chained(&given, 3).await;
    let asked = question(&token, &project);
    let before = pages(&given, &asked, 1000).await.remove(0);
    let first = given.post("/v1/explain?limit=1", asked.clone()).await.expect(200).body;
    given.delete(&format!("/v1/groups/{}/members/token/{token}", groups[0])).await.expect(200);
    let path = format!("/v1/explain?limit=5&cursor={}", first["next"].as_str().unwrap());
    let second = given.post(&path, asked.clone()).await.expect(200).body;
    assert_eq!(paths(&[first, second.clone()]), paths(std::slice::from_ref(&before)));
    assert_eq!((&second["allowed"], &second["position"]), (&json!(true), &before["position"]));
    assert_eq!(second["graph"], before["graph"]);
    let now = given.post("/v1/explain", asked).await.expect(200).body;
    assert_eq!(
        (&now["allowed"], &now["paths_total"], &now["next"]),
        (&json!(false), &json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_question_only() {
    let given = Given::new().await;
    let (project, other) = (given.project("dev").await, given.project("dev").await);
    let (token, _) = chained(&given, 3).await;
    let asked = question(&token, &project);
    let first = given.post("/v1/explain?limit=1", asked.clone()).await.expect(200).body;
    let path = format!("/v1/explain?limit=1&cursor={}", first["next"].as_str().unwrap());
    given.post(&path, asked.clone()).await.expect(200);
    let key = given.post(&format!("/v1/tokens/{token}/keys"), json!({})).await.expect(201);
    let mut others = vec![question(&token, &other), question(&given.token().await.0, &project)];
    others.push(asked.clone());
    others[2]["permission"] = json!("read");
    others.push(json!({"key": key.id(), "permission": "update", "object": asked["object"]}));
    others.push(json!({"permission": "update", "object": asked["object"]}));
    for other in others {
        assert_eq!(given.post(&path, other.clone()).await.told(), (400, "invalid"), "{other}");
    }
    let (_, watcher) = given.token_with(json!(["read_acls"]), json!({"organization": true})).await;
    let told = given.send(&watcher, ("POST", &path), &[], &asked).await;
    assert_eq!(told.told(), (400, "invalid"), "of another caller");
    for query in ["limit=0", "limit=1001", "limit=x", "cursor=00", "cursor=", "limits=1", "limit=1&limit=2"] {
        let refused = given.post(&format!("/v1/explain?{query}"), asked.clone()).await;
        assert_eq!(refused.told(), (400, "invalid"), "{query}");
    }
}

#[tokio::test]
async fn denies_are_counted_and_what_does_not_count_is_in_the_graph() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (token, groups) = chained(&given, 2).await;
    let to = json!({"type": "group", "id": groups[1]});
    let on = json!({"organization": true});
    let inner = json!({"name": given.name("writer"), "permissions": [{"permission": "update"}]});
    let inner = given.made("/v1/roles", inner).await;
    let outer =
        json!({"name": given.name("lead"), "permissions": [{"permission": "read"}], "includes": [inner]});
    let outer = given.made("/v1/roles", outer).await;
    let mut denies = BTreeSet::new();
    for _ in 0..3 {
        let deny = json!({"to": to, "role": outer, "on": on, "effect": "deny"});
        denies.insert(given.made("/v1/grants", deny).await);
    }
    let elsewhere = given.project("dev").await;
    let on = json!({"object": {"type": "project", "id": elsewhere}});
    let other = given.made("/v1/grants", json!({"to": to, "permissions": ["update"], "on": on})).await;
    let told = given.post("/v1/explain?limit=2", question(&token, &project)).await.expect(200).body;
    assert_eq!((&told["reason"], &told["denied_by_total"]), (&json!("denied_by_grant"), &json!(3)));
    assert_eq!(told["denied_by"].as_array().unwrap().len(), 2, "as many as a page has");
    let graph = &told["graph"];
    let grants: Vec<&Value> =
        graph["nodes"].as_array().unwrap().iter().filter(|node| node["type"] == "grant").collect();
    let denying: BTreeSet<String> = grants
        .iter()
        .filter(|node| node["grant"]["effect"] == "deny" && node["grant"]["applies"] == true)
        .map(|node| node["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(denying, denies, "the graph has them all");
    let near = grants.iter().find(|node| node["id"] == json!(other)).unwrap();
    assert_eq!(
        (&near["grant"]["applies"], &near["grant"]["obstacles"]),
        (&json!(false), &json!(["not_covered"]))
    );
    assert_eq!(
        edges(graph, "include"),
        BTreeSet::from([(outer.clone(), inner)]),
        "each step from role to role once"
    );
    assert_eq!(edges(graph, "role"), denies.iter().map(|deny| (deny.clone(), outer.clone())).collect());
    assert_eq!(ids(graph, "role").len(), 2);
}

/// What leads only to a grant that a caller may not read is not in that caller's graph.
#[tokio::test]
async fn the_graph_has_no_more_of_hidden_things_than_paths_have() {
    let given = Given::new().await;
    let (project, elsewhere) = (given.project("dev").await, given.project("dev").await);
    let (bot, _) = given.token().await;
    let on = |project: &str| json!({"object": {"type": "project", "id": project}});
    let (open, hidden) = (given.group().await, given.group().await);
    for (group, on) in [(&open, json!({"organization": true})), (&hidden, on(&elsewhere))] {
        given.join(group, &bot).await;
        let to = json!({"type": "group", "id": group});
        given.made("/v1/grants", json!({"to": to, "permissions": ["update"], "on": on})).await;
    }
    let (_, watcher) = given.token_with(json!(["read_acls"]), on(&project)).await;
    let asked = question(&bot, &project);
    let told = given.send(&watcher, ("POST", "/v1/explain"), &[], &asked).await.expect(200);
    let graph = &told.body["graph"];
    assert_eq!(ids(graph, "group"), BTreeSet::from([open.clone()]));
    assert!(graph["nodes"].as_array().unwrap().iter().all(|node| node.get("name").is_none()), "{graph}");
    assert!(!told.text.contains(&hidden) && !told.text.contains(&elsewhere), "{}", told.text);
    let full = given.post("/v1/explain", asked).await.expect(200).body;
    assert_eq!(ids(&full["graph"], "group"), BTreeSet::from([open, hidden]));
    assert!(full["graph"]["nodes"][1]["name"].is_string());
}
