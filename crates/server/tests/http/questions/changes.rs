//! Who gained and lost what, and how access changed step by step.

use crate::{
    given::Given,
    questions::as_of::{Past, past, position},
};
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use grantbook_journal::stamp::clock::Clock;
use grantbook_server::{endpoints, state::AppState};
use serde_json::{Value, json};
use tower::ServiceExt;

fn items(body: &Value) -> &[Value] {
    body["items"].as_array().unwrap()
}

/// The permissions of a change that is one line.
fn permissions(lines: &Value) -> Vec<&str> {
    let [line] = lines.as_array().unwrap().as_slice() else { panic!("one line: {lines}") };
    line["permissions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

impl Past {
    /// The diff of two steps of the story.
    async fn diff(&self, from: usize, to: usize, filters: &str) -> Value {
        let [from, to] = [from, to].map(|step| &self.moments[step].position);
        let answer = self.given.get(&format!("/v1/diff?from={from}&to={to}{filters}")).await.expect(200);
        assert_eq!(answer.header("grantbook-position"), to);
        assert_eq!(
            (&answer.body["from"]["position"], &answer.body["to"]["position"]),
            (&json!(from), &json!(to))
        );
        answer.body
    }
}

#[tokio::test]
async fn a_diff_names_who_gained_and_lost_what() {
    let past = past().await;
    let verbs = ["create", "read", "update", "delete"];
    let joined = past.diff(5, 6, "").await;
    assert_eq!((items(&joined).len(), &joined["next"]), (1, &Value::Null));
    let change = &items(&joined)[0];
    assert_eq!(change["principal"], json!({"type": "token", "id": past.token, "name": "ci"}));
    assert_eq!((permissions(&change["gained"]), &change["lost"]), (verbs.to_vec(), &json!([])));
    let all_but = json!({"all_but": [{"id": past.production, "name": "production"}]});
    assert_eq!(change["gained"][0]["projects"], all_but);

    let relabelled = past.diff(6, 7, "").await;
    let change = &items(&relabelled)[0];
    assert_eq!(
        change["gained"][0]["projects"],
        json!({"only": [{"id": past.production, "name": "production"}]})
    );
    let removed = past.diff(9, 10, "").await;
    let change = &items(&removed)[0];
    assert_eq!((&change["gained"], permissions(&change["lost"])), (&json!([]), verbs.to_vec()));
    assert_eq!(change["lost"][0]["projects"], json!({"all_but": []}));
    for (from, to) in [(3, 5), (7, 9), (6, 6), (5, 10), (12, 13)] {
        // A key, a name, a grant to an empty group, what was undone: nobody's access differs.
        let quiet: Vec<Value> = items(&past.diff(from, to, "").await).to_vec();
        let others = quiet.iter().filter(|change| change["principal"]["id"] == json!(past.token));
        assert_eq!(others.count(), 0, "{from} {to}");
    }
    let ended = past.diff(10, 11, "").await;
    let who: Vec<_> = items(&ended).iter().map(|change| change["principal"]["id"].clone()).collect();
    assert_eq!(who, [json!(past.given.owner)], "the owner lost the project that ended");
}

#[tokio::test]
async fn a_diff_is_filtered_by_principal_and_project_and_paged() {
    let past = past().await;
    let Past { token, production, staging, given, .. } = &past;
    let owner = format!("&principal=user:{}", given.owner);
    assert_eq!(items(&past.diff(5, 7, &owner).await), [] as [Value; 0]);
    let token = format!("&principal=token:{token}");
    assert_eq!(items(&past.diff(5, 7, &token).await).len(), 1);
    let within = past.diff(5, 7, &format!("&project={production}")).await;
    let only = json!({"only": [{"id": production, "name": "production"}]});
    assert_eq!(items(&within)[0]["gained"][0]["projects"], only);
    assert_eq!(items(&past.diff(6, 7, &format!("&project={staging}")).await), [] as [Value; 0]);

    // From the beginning on, owner and token have something; a page each.
    let end = &past.moments[7].position;
    let first =
        given.get(&format!("/v1/diff?from=2001-01-01T00:00:00Z&to={end}&limit=1")).await.expect(200).body;
    assert_eq!(first["from"]["at"], Value::Null);
    assert_eq!(items(&first)[0]["principal"]["id"], json!(given.owner));
    let cursor = first["next"].as_str().unwrap();
    let path = format!("/v1/diff?from=2001-01-01T00:00:00Z&to={end}&cursor={cursor}");
    let rest = given.get(&path).await.expect(200).body;
    assert_eq!((items(&rest).len(), &rest["next"]), (1, &Value::Null));
    assert_eq!(items(&rest)[0]["principal"]["id"], json!(past.token));
    for other in ["&principal=token:x", &token, ""] {
        let path = format!("/v1/diff?from=2001-01-01T00:00:00Z&cursor={cursor}{other}");
        assert_eq!(given.get(&path).await.told(), (400, "invalid"), "{other}");
    }
}

#[tokio::test]
async fn a_timeline_names_the_record_behind_each_step() {
    let past = past().await;
    let Past { given, token, .. } = &past;
    let path = format!("/v1/timeline?principal=token:{token}");
    let whole = given.get(&path).await.expect(200).body;
    let told: Vec<_> = items(&whole)
        .iter()
        .map(|step| (step["position"].as_str().unwrap(), step["records"][0]["events"][0].as_str().unwrap()))
        .collect();
    let at = |step: usize| past.moments[step].position.as_str();
    assert_eq!(told, [(at(6), "MemberAdded"), (at(7), "ProjectUpdated"), (at(10), "MemberRemoved")]);
    let step = &items(&whole)[0];
    assert_eq!(
        (&step["cause"], &step["records"][0]["actor"]["name"]),
        (&json!("record"), &json!("ada@example.com"))
    );
    assert_eq!(step["records"][0]["position"], step["position"]);
    assert!(step["records"][0]["credential"].is_string() && step["at"] == step["records"][0]["at"]);
    assert_eq!(permissions(&step["changes"][0]["gained"]), ["create", "read", "update", "delete"]);
    assert_eq!(step["changes"][0]["principal"]["id"], json!(token));

    let mut steps = Vec::new();
    let mut next = Some(String::new());
    while let Some(cursor) = next {
        let page = given.get(&format!("{path}&limit=1{cursor}")).await.expect(200).body;
        steps.extend(items(&page).to_vec());
        next = page["next"].as_str().map(|next| format!("&cursor={next}"));
    }
    assert_eq!(steps, items(&whole));
    let span = format!("{path}&from={}&to={}", at(6), at(9));
    let some = given.get(&span).await.expect(200).body;
    assert_eq!(items(&some), &items(&whole)[1..2]);
}

#[tokio::test]
async fn a_projects_timeline_names_everybody_whose_access_changed() {
    let past = past().await;
    let Past { given, token, production, .. } = &past;
    let whole = given.get(&format!("/v1/timeline?project={production}")).await.expect(200).body;
    let told: Vec<_> = items(&whole)
        .iter()
        .map(|step| {
            let who: Vec<_> = step["changes"].as_array().unwrap().iter().collect();
            let who: Vec<_> = who.iter().map(|change| change["principal"]["id"].as_str().unwrap()).collect();
            (step["position"].as_str().unwrap(), who)
        })
        .collect();
    let at = |step: usize| past.moments[step].position.as_str();
    let (owner, token) = (given.owner.as_str(), token.as_str());
    // Made, relabelled into the group's grant, the member removed, ended.
    let expected = [(at(2), vec![owner]), (at(7), vec![token]), (at(10), vec![token]), (at(11), vec![owner])];
    assert_eq!(told, expected);
    let gained = &items(&whole)[1]["changes"][0]["gained"];
    assert_eq!(permissions(gained), ["create", "read", "update", "delete"]);
    assert_eq!(gained[0]["projects"], json!({"only": [{"id": production, "name": "production"}]}));
    let first = given.get(&format!("/v1/timeline?project={production}&limit=3")).await.expect(200).body;
    let cursor = first["next"].as_str().unwrap();
    let rest =
        given.get(&format!("/v1/timeline?project={production}&cursor={cursor}")).await.expect(200).body;
    assert_eq!((items(&rest), &rest["next"]), (&items(&whole)[3..], &Value::Null));
}

#[tokio::test]
async fn a_time_that_passes_is_a_step_of_the_record_that_set_it() {
    let given = Given::new().await;
    given.project("dev").await;
    let group = given.group().await;
    let on = json!({"projects": {"include": "all"}});
    given.made("/v1/grants", json!({"to": {"type": "group", "id": group}, "role": "Viewer", "on": on})).await;
    let (token, _) = given.token().await;
    let state = given.app.state();
    let soon = state.clock.now().plus_millis(3_600_000);
    let member = json!({"member": {"type": "token", "id": token}, "expires_at": soon.to_string()});
    let added = given.post(&format!("/v1/groups/{group}/members"), member).await.expect(201);
    let (clock, hand) = Clock::settable(state.clock.now());
    let router = endpoints::router(AppState { clock, ..state });
    hand.advance_ms(3_700_000);
    let request = Request::get(format!("/v1/timeline?principal=token:{token}"))
        .header("authorization", format!("Bearer {}", given.owner_key));
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let told: Value =
        serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap();
    let [gained, lost] = items(&told) else { panic!("two steps: {told}") };
    assert_eq!((&gained["cause"], &lost["cause"]), (&json!("record"), &json!("expiry")));
    assert_eq!(lost["at"], json!(soon.to_string()));
    assert_eq!(lost["records"][0]["position"], json!(position(&added)));
    assert_eq!(lost["changes"][0]["lost"], gained["changes"][0]["gained"]);
}

#[tokio::test]
async fn bad_questions_about_changes_are_refused_in_clear_words() {
    let past = past().await;
    let Past { given, token, .. } = &past;
    let elsewhere = position(&Given::new().await.get("/v1/projects").await);
    let [early, late] = [3, 6].map(|step| past.moments[step].position.as_str());
    let timeline = format!("/v1/timeline?principal=token:{token}");
    for (path, words) in [
        ("/v1/diff".to_owned(), "from"),
        ("/v1/diff?from=yesterday".to_owned(), "parameter from is neither"),
        (format!("/v1/diff?from={elsewhere}"), "another journal"),
        (format!("/v1/diff?from={early}&to=2999-01-01T00:00:00Z"), "parameter to is a time in the future"),
        (format!("/v1/diff?from={late}&to={early}"), "after that of to"),
        (format!("/v1/diff?from={early}&project=x"), "project must be an id"),
        (format!("/v1/diff?from={early}&principal=x"), "principal must be"),
        (format!("/v1/diff?from={early}&limit=0"), "limit"),
        (format!("/v1/diff?from={early}&cursor=00"), "cursor"),
        (format!("/v1/diff?from={early}&as_of={late}"), "as_of"),
        ("/v1/timeline".to_owned(), "exactly one of"),
        (format!("{timeline}&project={}", past.staging), "exactly one of"),
        ("/v1/timeline?project=x".to_owned(), "project must be an id"),
        (format!("{timeline}&from={late}&to={early}"), "after that of to"),
        (format!("{timeline}&to=2999-01-01T00:00:00Z"), "in the future"),
        (format!("{timeline}&limit=1001"), "limit"),
        (format!("{timeline}&colour=red"), "colour"),
    ] {
        let answer = given.get(&path).await;
        assert_eq!(answer.told(), (400, "invalid"), "{path}: {}", answer.text);
        assert!(answer.text_of("detail").contains(words), "{path}: {}", answer.text);
    }
    let ghost = "01890000-0000-7000-8000-000000000000";
    for path in [
        format!("/v1/timeline?principal=token:{ghost}"),
        format!("/v1/timeline?project={ghost}"),
        format!("/v1/diff?from={early}&principal=token:{ghost}"),
    ] {
        assert_eq!(given.get(&path).await.told(), (404, "not_found"), "{path}");
    }
    let one = given.get(&format!("{timeline}&limit=1")).await.expect(200).body;
    let cursor = one["next"].as_str().unwrap();
    let other = format!("/v1/timeline?principal=user:{}&cursor={cursor}", given.owner);
    assert_eq!(given.get(&other).await.told(), (400, "invalid"));
}

#[tokio::test]
async fn who_may_ask_about_changes() {
    let past = past().await;
    let Past { given, token, .. } = &past;
    let all = json!({"organization": true});
    let (_, watcher) = given.token_with(json!(["read_acls"]), all.clone()).await;
    let on = json!({"object": {"type": "org_audit_logs", "id": given.org}});
    let (_, auditor) = given.token_with(json!(["read"]), on).await;
    let (_, plain) = given.token().await;
    let on = json!({"object": {"type": "project", "id": past.staging}});
    let (_, reader) = given.token_with(json!(["read"]), on.clone()).await;
    let (_, keeper) = given.token_with(json!(["read", "read_acls"]), on).await;
    let path = format!("/v1/timeline?project={}", past.staging);
    for (key, expected) in [(&reader, 403), (&keeper, 200)] {
        let answer = given.send(key, ("GET", &path), &[], &Value::Null).await;
        assert_eq!(answer.status, expected, "{}", answer.text);
    }
    let from = &past.moments[0].position;
    for (who, key, diff, timeline) in
        [("watcher", &watcher, 403, 200), ("auditor", &auditor, 200, 403), ("plain", &plain, 403, 403)]
    {
        let path = format!("/v1/diff?from={from}");
        assert_eq!(given.send(key, ("GET", &path), &[], &Value::Null).await.status, diff, "{who}");
        let path = format!("/v1/timeline?principal=token:{token}");
        let told = given.send(key, ("GET", &path), &[], &Value::Null).await;
        assert_eq!(told.status, timeline, "{who}: {}", told.text);
        let path = format!("/v1/timeline?project={}", past.staging);
        let answer = given.send(key, ("GET", &path), &[], &Value::Null).await;
        assert_eq!(answer.status, 404, "{who}: without read a project is not there");
        if timeline == 200 {
            assert!(items(&told.body)[0]["changes"][0]["principal"].get("name").is_none(), "not its to read");
        }
    }
}
