//! Long answers: bounded in bytes, complete, and what many share is said once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::given::{Answer, Given};

/// A page, but for what stands around its items.
const PAGE_BYTES: usize = 1 << 20;
/// What stands around the items of a page.
const AROUND: usize = 2_000;

#[expect(clippy::needless_pass_by_value, reason = "a request reads better with its body in it")]
fn post(path: &str, body: Value) -> Value {
    json!({"method": "POST", "path": path, "body": body})
}

async fn batch(given: &Given, commands: Vec<Value>) -> Vec<String> {
    let mut ids = Vec::new();
    for some in commands.chunks(400) {
        let done = given.post("/v1/batch", json!({"commands": some})).await.expect(200);
        let results = done.body["results"].as_array().unwrap();
        ids.extend(results.iter().map(|one| one["body"]["id"].as_str().unwrap_or_default().to_owned()));
    }
    ids
}

/// All pages of an answer.
async fn pages(given: &Given, path: &str) -> Vec<Answer> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = given.get(&format!("{path}{cursor}")).await.expect(200);
        assert!(page.text.len() <= PAGE_BYTES + AROUND, "{} bytes", page.text.len());
        let next = page.body["next"].as_str().map(str::to_owned);
        pages.push(page);
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

fn list<'a>(pages: &'a [Answer], member: &str) -> Vec<&'a Value> {
    pages.iter().flat_map(|page| page.body[member].as_array().unwrap()).collect()
}

const PROJECTS: usize = 200;
const PERMISSIONS: usize = 40;
const TYPES: usize = 30;

/// Whether a set takes a project.
fn takes(set: usize, project: usize) -> bool {
    // As good as drawn at random.
    (project * 7_919 + set * 104_729).wrapping_mul(2_654_435_761) / 65_536 % 10 < 3
}

/// A group whose access is another for every permission and type: its members have permission `i` on type `j` in the projects
/// that `i` or `j` takes.
struct Wide {
    given: Given,
    group: String,
    projects: Vec<String>,
}

impl Wide {
    async fn new() -> Self {
        let given = Given::new().await;
        let permissions: Vec<String> = (0..PERMISSIONS).map(|number| format!("verb{number}")).collect();
        let types: Vec<Value> =
            (0..TYPES).map(|number| json!({"name": format!("type{number}"), "parent": "project"})).collect();
        batch(&given, vec![post("/v1/catalog", json!({"object_types": types, "permissions": permissions}))])
            .await;
        let project =
            |number| post("/v1/projects", json!({"name": format!("a project with the number {number}")}));
        let projects = batch(&given, (0..PROJECTS).map(project).collect()).await;
        let group = given.group().await;
        let to = json!({"type": "group", "id": group});
        let on = |set: usize| {
            let ids = projects.iter().enumerate().filter(|(number, _)| takes(set, *number));
            let ids: Vec<Value> = ids.map(|(_, id)| json!({"id": id})).collect();
            json!({"projects": {"include": ids}})
        };
        let mut grants = Vec::new();
        for (number, name) in permissions.iter().enumerate() {
            grants.push(post("/v1/grants", json!({"to": to, "permissions": [name], "on": on(number)})));
        }
        for number in 0..TYPES {
            grants.push(post(
                "/v1/grants",
                json!({"to": to, "permissions": permissions,
                "object_type": format!("type{number}"), "on": on(number + PERMISSIONS)}),
            ));
        }
        batch(&given, grants).await;
        Self { given, group, projects }
    }

    /// The projects by permission and type that lines or entries say.
    fn cells(&self, rows: &[&Value]) -> BTreeMap<(usize, usize), BTreeSet<usize>> {
        let places: BTreeMap<&str, usize> = self.projects.iter().map(String::as_str).zip(0..).collect();
        let number = |name: &Value, prefix: &str| -> Option<usize> {
            name.as_str().unwrap().strip_prefix(prefix).and_then(|number| number.parse().ok())
        };
        let mut cells: BTreeMap<(usize, usize), BTreeSet<usize>> = BTreeMap::new();
        for row in rows {
            let one = [row["permission"].clone()];
            let permissions = row["permissions"].as_array().map_or(&one[..], Vec::as_slice);
            for permission in permissions.iter().map(|name| number(name, "verb").unwrap()) {
                for kind in row["object_types"]["only"].as_array().unwrap() {
                    let Some(kind) = number(kind, "type") else { continue };
                    for project in row["projects"]["only"].as_array().unwrap() {
                        let place = places[project["id"].as_str().unwrap()];
                        assert!(cells.entry((permission, kind)).or_default().insert(place), "said once");
                    }
                }
            }
        }
        cells
    }

    fn expected() -> BTreeMap<(usize, usize), BTreeSet<usize>> {
        let mut cells = BTreeMap::new();
        for permission in 0..PERMISSIONS {
            for kind in 0..TYPES {
                let held = |one: &usize| takes(permission, *one) || takes(kind + PERMISSIONS, *one);
                cells.insert((permission, kind), (0..PROJECTS).filter(held).collect());
            }
        }
        cells
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_and_its_changes_are_paged_in_bytes_and_complete() {
    let wide = Wide::new().await;
    let given = &wide.given;
    let before = given.get("/v1/whoami").await.header("grantbook-position").to_owned();
    let (token, _) = given.token().await;
    given.join(&wide.group, &token).await;
    let expected = Wide::expected();

    let path = format!("/v1/access?principal=token:{token}&limit=1000");
    let whole = pages(given, &path).await;
    assert!(whole.len() > 2 && whole[0].text.len() > PAGE_BYTES / 2, "{} pages", whole.len());
    assert_eq!(wide.cells(&list(&whole, "permissions")), expected);
    let few = pages(given, &format!("/v1/access?principal=token:{token}&limit=100")).await;
    assert_eq!(list(&few, "permissions"), list(&whole, "permissions"));
    assert!(few.iter().all(|page| page.body["permissions"].as_array().unwrap().len() <= 100));
    assert!(few.iter().all(|page| page.body["position"] == whole[0].body["position"]));

    let path = format!("/v1/diff?from={before}&principal=token:{token}");
    let diff = pages(given, &path).await;
    assert!(diff.len() > 2);
    let items = list(&diff, "items");
    assert!(items.iter().all(|item| item["principal"]["id"] == json!(token) && item["lost"] == json!([])));
    let gained: Vec<&Value> = items.iter().flat_map(|item| item["gained"].as_array().unwrap()).collect();
    assert_eq!(wide.cells(&gained), expected);

    let path = format!("/v1/timeline?principal=token:{token}");
    let steps = pages(given, &path).await;
    let items = list(&steps, "items");
    assert!(
        items
            .iter()
            .all(|step| (&step["position"], &step["cause"]) == (&items[0]["position"], &json!("record")))
    );
    let changes = items.iter().flat_map(|step| step["changes"].as_array().unwrap());
    let gained: Vec<&Value> = changes.flat_map(|change| change["gained"].as_array().unwrap()).collect();
    assert_eq!(wide.cells(&gained), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_holds_at_the_position_of_the_first() {
    let wide = Wide::new().await;
    let given = &wide.given;
    let (token, _) = given.token().await;
    given.join(&wide.group, &token).await;
    let path = format!("/v1/access?principal=token:{token}&limit=30");
    let first = given.get(&path).await.expect(200).body;
    given.delete(&format!("/v1/groups/{}/members/token/{token}", wide.group)).await.expect(200);
    let cursor = first["next"].as_str().unwrap();
    let second = given.get(&format!("{path}&cursor={cursor}")).await.expect(200).body;
    assert_eq!(second["position"], first["position"]);
    assert_eq!(second["permissions"].as_array().unwrap().len(), 30, "it was a member then");
    assert_eq!(given.get(&path).await.expect(200).body["permissions"], json!([]));
    for bad in
        [format!("{path}0&cursor=00"), format!("/v1/access?principal=user:{}&cursor={cursor}", given.owner)]
    {
        assert_eq!(given.get(&bad).await.told(), (400, "invalid"), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_each_change_once_and_is_refused_beyond_its_bytes() {
    let wide = Wide::new().await;
    let given = &wide.given;
    let group = given.group().await;
    let on = json!({"organization": true});
    given.made("/v1/grants", json!({"to": {"type": "group", "id": group}, "role": "Owner", "on": on})).await;
    let join = |group: &str| -> Value {
        let each = (0..30).flat_map(|number| {
            let member = json!({"member": {"type": "token", "id": format!("${}.id", 2 * number)}});
            let token = post("/v1/tokens", json!({"name": format!("t{number}")}));
            [token, post(&format!("/v1/groups/{group}/members"), member)]
        });
        json!({"commands": each.collect::<Vec<_>>()})
    };
    let plan = given.post("/v1/plan", join(&group)).await.expect(200).body;
    let [change] = plan["gained"].as_array().unwrap().as_slice() else { panic!("{}", plan["gained"]) };
    assert_eq!(change["principals"].as_array().unwrap().len(), 30);
    let [line] = change["access"].as_array().unwrap().as_slice() else { panic!("one line: {change}") };
    assert_eq!(line["permissions"].as_array().unwrap().len(), 9 + PERMISSIONS);
    let everywhere = (&json!({"all_but": []}), &json!(true), &json!({"all_but": []}));
    assert_eq!((&line["object_types"], &line["organization"], &line["projects"]), everywhere);

    let refused = given.post("/v1/plan", join(&wide.group)).await;
    assert_eq!(refused.told(), (413, "plan_too_large"));
    assert!(refused.text.contains("8388608 bytes"), "{}", refused.text);
}

/// Groups in a chain, the last of which may read a project; tokens in the first.
struct Chain {
    given: Given,
    project: String,
    tokens: Vec<String>,
}

impl Chain {
    async fn new(groups: usize, tokens: usize) -> Self {
        let given = Given::new().await;
        let project = given.project("dev").await;
        let named = |path: &str, many: usize| -> Vec<Value> {
            (0..many).map(|number| post(path, json!({"name": format!("{path}-{number}")}))).collect()
        };
        let groups = batch(&given, named("/v1/groups", groups)).await;
        let tokens = batch(&given, named("/v1/tokens", tokens)).await;
        let join = |group: &str, kind: &str, id: &str| {
            post(&format!("/v1/groups/{group}/members"), json!({"member": {"type": kind, "id": id}}))
        };
        batch(&given, groups.windows(2).map(|two| join(&two[1], "group", &two[0])).collect()).await;
        batch(&given, tokens.iter().map(|token| join(&groups[0], "token", token)).collect()).await;
        let to = json!({"type": "group", "id": groups.last().unwrap()});
        let on = json!({"projects": {"include": "all"}});
        given.made("/v1/grants", json!({"to": to, "permissions": ["read"], "on": on})).await;
        Self { given, project, tokens }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_holders_share_is_said_once() {
    let Chain { given, project, tokens } = Chain::new(30, 120).await;
    let path = format!("/v1/who-can?permission=read&object=project:{project}&limit=1000");
    let whole = pages(&given, &path).await;
    assert!(whole.len() > 1, "the ways of 120 holders are long");
    let whole = list(&whole, "items");
    let mut expected: BTreeSet<&str> = tokens.iter().map(String::as_str).collect();
    expected.insert(&given.owner);
    let found: Vec<&str> = whole.iter().map(|item| item["principal"]["id"].as_str().unwrap()).collect();
    assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>()), (expected.len(), expected));

    let shared = pages(&given, &format!("{path}&ways=shared")).await;
    let [page] = shared.as_slice() else { panic!("{} pages", shared.len()) };
    let ways = page.body["ways"].as_array().unwrap();
    assert_eq!(ways.len(), 2, "the owner's and the tokens'");
    assert!(page.text.len() < 200_000, "{} bytes", page.text.len());
    for (item, whole) in page.body["items"].as_array().unwrap().iter().zip(whole) {
        let way = &ways[usize::try_from(item["way"].as_u64().unwrap()).unwrap()];
        let via: Vec<&Value> = [&item["via"]].into_iter().chain(way["via"].as_array().unwrap()).collect();
        assert_eq!(json!(via), whole["path"]["via"]);
        assert_eq!((&way["grant"], &way["matched"]), (&whole["path"]["grant"], &whole["path"]["matched"]));
        let record = |of: &Value, about: &str| -> Value {
            let of = of["records"].as_array().unwrap().iter().find(|one| one["about"] == about);
            json!([of.unwrap()["position"], of.unwrap()["event"]])
        };
        let own = json!([item["record"]["position"], item["record"]["event"]]);
        assert_eq!(own, record(&whole["path"], "/via/0"));
        if via.len() > 2 {
            assert_eq!(record(way, "/via/3"), record(&whole["path"], "/via/4"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_changes_the_access_of_many_goes_on_on_the_next_page() {
    let Chain { given, project, tokens } = Chain::new(2, 400).await;
    let long: Vec<String> =
        (0..55).map(|number| format!("a_permission_with_a_name_of_some_length_{number}")).collect();
    batch(&given, vec![post("/v1/catalog", json!({"permissions": long}))]).await;
    let group = given.get("/v1/groups?name=/v1/groups-1").await.body["items"][0]["id"].clone();
    let from = given.get("/v1/whoami").await.header("grantbook-position").to_owned();
    let on = json!({"projects": {"include": "all"}});
    let to = json!({"type": "group", "id": group});
    given.made("/v1/grants", json!({"to": to, "permissions": long, "on": on})).await;
    for path in
        [format!("/v1/timeline?project={project}&from={from}"), format!("/v1/diff?from={from}&limit=1000")]
    {
        let pages = pages(&given, &path).await;
        assert!(pages.len() > 1);
        let items = list(&pages, "items");
        let changes: Vec<&Value> = match items[0].get("changes") {
            Some(_) => {
                assert!(items.iter().all(|step| step["position"] == items[0]["position"]), "one step");
                items.iter().flat_map(|step| step["changes"].as_array().unwrap()).collect()
            }
            None => items,
        };
        let who: Vec<&str> = changes.iter().map(|one| one["principal"]["id"].as_str().unwrap()).collect();
        let mut expected: Vec<&str> = tokens.iter().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(who, expected, "each once, in order");
        assert!(changes.iter().all(|one| one["gained"].as_array().unwrap().len() == 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_long_things_are_paged_in_bytes() {
    let given = Given::new().await;
    let token =
        |number| post("/v1/tokens", json!({"name": format!("t{number}"), "description": "x".repeat(1_000)}));
    let ids = batch(&given, (0..1_500).map(token).collect()).await;
    let pages = pages(&given, "/v1/tokens?limit=1000").await;
    assert!(pages.len() == 2 && pages[0].text.len() > PAGE_BYTES - AROUND, "{} pages", pages.len());
    let found: BTreeSet<&str> = list(&pages, "items").iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(found, ids.iter().map(String::as_str).collect());
}
