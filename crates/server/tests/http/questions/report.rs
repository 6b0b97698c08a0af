//! Access reports: who had what, given by whom, in three forms, now and then.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::given::{Answer, Given};

/// A nested group, a grant with a rule, a direct grant, a deny; and somebody with nothing.
struct Setting {
    given: Given,
    staging: String,
    production: String,
    token: String,
    inner: String,
    outer: String,
    by_rule: String,
    direct: String,
    deny: String,
}

async fn setting() -> Setting {
    let given = Given::new().await;
    let staging = given.made("/v1/projects", json!({"name": "staging", "labels": {"env": "staging"}})).await;
    let production =
        given.made("/v1/projects", json!({"name": "=production", "labels": {"env": "production"}})).await;
    let token = given.made("/v1/tokens", json!({"name": "ci, \"the\" bot"})).await;
    given.made("/v1/tokens", json!({"name": "with nothing"})).await;
    let inner = given.made("/v1/groups", json!({"name": "inner"})).await;
    let outer = given.made("/v1/groups", json!({"name": "outer"})).await;
    given.join(&inner, &token).await;
    let member = json!({"member": {"type": "group", "id": inner}, "expires_at": "2999-01-01T00:00:00Z"});
    given.post(&format!("/v1/groups/{outer}/members"), member).await.expect(201);
    let on = json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}});
    let body =
        json!({"to": {"type": "group", "id": outer}, "role": "Engineer", "on": on, "reason": "@the app"});
    let by_rule = given.made("/v1/grants", body).await;
    let on = |project: &str| json!({"object": {"type": "project", "id": project}});
    let body = json!({"to": {"type": "token", "id": token}, "permissions": ["read"], "on": on(&production)});
    let direct = given.made("/v1/grants", body).await;
    let body = json!({"to": {"type": "token", "id": token}, "permissions": ["delete"], "effect": "deny",
        "on": {"projects": {"include": "all"}}});
    let deny = given.made("/v1/grants", body).await;
    Setting { given, staging, production, token, inner, outer, by_rule, direct, deny }
}

impl Setting {
    async fn report(&self, query: &str) -> Value {
        self.given.get(&format!("/v1/report{query}")).await.expect(200).body
    }

    async fn rows(&self, query: &str) -> Vec<Value> {
        self.report(query).await["rows"].as_array().unwrap().clone()
    }

    /// The rows of the token, by grant.
    async fn of_token(&self, query: &str) -> Vec<(String, Vec<String>)> {
        let rows = self.rows(query).await;
        let own = rows.iter().filter(|row| row["principal"]["id"] == json!(self.token));
        own.map(|row| (row["grant"].as_str().unwrap().to_owned(), permissions(row))).collect()
    }
}

fn permissions(row: &Value) -> Vec<String> {
    let gives = row["gives"].as_array().unwrap();
    let all = gives.iter().flat_map(|gift| gift["permissions"].as_array().unwrap());
    all.map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_row_says_who_has_what_by_which_grant_given_by_whom_on_which_way() {
    let set = setting().await;
    let report = set.report("").await;
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["grant"] == json!(set.by_rule)).unwrap();
    assert_eq!(
        row["principal"],
        json!({"type": "token", "id": set.token, "name": "ci, \"the\" bot", "state": "active"})
    );
    assert_eq!(permissions(row), ["create", "read", "update"], "delete is denied");
    assert_eq!(row["denied_by"], json!([set.deny]));
    assert_eq!(
        row["gives"][0]["projects"],
        json!({"all_but": [{"id": set.production, "name": "=production"}]})
    );
    assert_eq!(row["scope"], json!("all projects except those labelled env=production"));
    assert_eq!(row["to"], json!({"type": "group", "id": set.outer, "name": "outer"}));
    assert_eq!(row["role"]["name"], json!("Engineer"));
    assert_eq!(row["ends_at"], json!("2999-01-01T00:00:00.000Z"));
    let owner = json!({"type": "user", "id": set.given.owner, "name": "ada@example.com"});
    let given = &row["given"];
    assert_eq!((&given["actor"], &given["reason"]), (&owner, &json!("@the app")));
    assert_eq!(given["event"], json!("GrantCreated"));
    assert!(given["credential"].is_string() && given["position"].is_string() && given["at"].is_string());
    let via = row["via"].as_array().unwrap();
    let groups: Vec<_> = via.iter().map(|step| step["group"]["id"].as_str().unwrap()).collect();
    assert_eq!(groups, [&set.inner, &set.outer]);
    assert!(
        via.iter().all(|step| step["added"]["event"] == "MemberAdded" && step["added"]["actor"] == owner)
    );
    let direct = rows.iter().find(|row| row["grant"] == json!(set.direct)).unwrap();
    assert_eq!((&direct["via"], &direct["ends_at"]), (&json!([]), &Value::Null));
    assert!(rows.iter().all(|row| row["principal"]["name"] != "with nothing"));
}

#[tokio::test]
async fn the_head_tells_of_how_many_and_the_end_that_nothing_is_missing() {
    let set = setting().await;
    let report = set.report("").await;
    let (head, end) = (&report["report"], &report["end"]);
    let position = set.given.get("/v1/projects").await.header("grantbook-position").to_owned();
    assert_eq!((&head["position"], &end["position"]), (&json!(position), &json!(position)));
    assert_eq!(head["organization"], json!({"id": set.given.org, "name": "acme"}));
    assert_eq!(head["generated_by"]["name"], json!("ada@example.com"));
    assert!(head["credential"].is_string() && head["generated_at"].is_string() && head["at"].is_string());
    assert_eq!(
        head["population"],
        json!({"users": 1, "users_ended": 0, "tokens": 2, "tokens_ended": 0, "groups": 5, "projects": 2,
            "grants": 6, "grants_ended": 0, "records": 12})
    );
    let rows = report["rows"].as_array().unwrap();
    let principals: BTreeSet<_> = rows.iter().map(|row| row["principal"]["id"].to_string()).collect();
    assert_eq!((&end["rows"], &end["principals"]), (&json!(rows.len()), &json!(principals.len())));
    assert_eq!(rows.len(), 3, "the owner by the group of owners, the token by two grants");
}

#[tokio::test]
async fn three_forms_say_the_same() {
    let set = setting().await;
    let json_rows = set.rows("").await;
    let owner = set.given.owner_key.as_str();
    let ask = async |path: &str, accept: &str| {
        set.given.send(owner, ("GET", path), &[("accept", accept)], &Value::Null).await.expect(200)
    };
    for (path, accept) in [
        ("/v1/report", "application/x-ndjson"),
        ("/v1/report?format=ndjson", "*/*"),
        ("/v1/report?format=ndjson", "text/csv"),
    ] {
        let answer = ask(path, accept).await;
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let lines: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[1..lines.len() - 1], json_rows);
        assert!(lines[0]["report"]["population"].is_object());
        assert_eq!(lines[lines.len() - 1]["end"]["rows"], json!(json_rows.len()));
    }
    for (path, accept) in [("/v1/report", "text/csv"), ("/v1/report?format=csv", "application/json")] {
        let answer = ask(path, accept).await;
        assert!(answer.header("content-type").starts_with("text/csv"));
        assert_eq!(answer.header("grantbook-principals"), "3");
        table(&answer, &json_rows);
    }
    let plain = ask("/v1/report", "text/html, application/json;q=0.5").await;
    assert_eq!(plain.header("content-type"), "application/json");
}

/// The table has a line for the columns, one a row, and one that says that it is whole.
fn table(answer: &Answer, json_rows: &[Value]) {
    let records = records(&answer.text);
    let columns = &records[0];
    assert!(records.iter().all(|record| record.len() == columns.len()), "{records:?}");
    let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let (rows, end) = (&records[1..records.len() - 1], &records[records.len() - 1]);
    assert_eq!(rows.len(), json_rows.len());
    for ((record, row), number) in rows.iter().zip(json_rows).zip(1..) {
        assert_eq!(record[at("row")], number.to_string());
        assert_eq!(record[at("principal_id")], row["principal"]["id"].as_str().unwrap());
        assert_eq!(record[at("grant_id")], row["grant"].as_str().unwrap());
        let position = row["given"]["position"].as_str().unwrap();
        // Those of one installation in 64 begin with a minus, as a formula may.
        let apostrophe = if position.starts_with('-') { "'" } else { "" };
        assert_eq!(record[at("grant_position")], format!("{apostrophe}{position}"));
    }
    let by_rule = rows.iter().find(|record| record[at("via_groups")] == "inner > outer").unwrap();
    assert_eq!(by_rule[at("principal_name")], "ci, \"the\" bot");
    assert_eq!(by_rule[at("permissions")], "create read update");
    assert_eq!(by_rule[at("projects")], "all but: =production", "no formula: the cell begins otherwise");
    assert_eq!(by_rule[at("reason")], "'@the app", "no formula");
    assert_eq!(by_rule[at("granted_by")], "user:ada@example.com");
    assert_eq!(by_rule[at("via_added_by")], "user:ada@example.com > user:ada@example.com");
    assert_eq!(end[0], "end");
    let figures: Value = serde_json::from_str(&end[at("figures")]).unwrap();
    assert_eq!(figures["end"]["rows"], json!(json_rows.len()));
    assert_eq!(figures["report"]["population"]["tokens"], json!(2));
}

/// The records of a table by RFC 4180.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {
                assert_eq!(chars.next(), Some('\n'));
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            other => cell.push(other),
        }
    }
    assert!(cell.is_empty() && record.is_empty() && !quoted, "the last line is ended");
    records
}

#[tokio::test]
async fn a_report_about_an_earlier_day_tells_what_was_then() {
    let set = setting().await;
    let then = set.report("").await;
    let position = then["report"]["position"].as_str().unwrap().to_owned();
    set.given.delete(&format!("/v1/grants/{}", set.direct)).await.expect(200);
    set.given.delete(&format!("/v1/groups/{}", set.inner)).await.expect(200);
    set.given.delete(&format!("/v1/projects/{}", set.production)).await.expect(200);
    assert_eq!(set.of_token("").await, []);
    let again = set.report(&format!("?as_of={position}")).await;
    assert_eq!(again["rows"], then["rows"], "what has ended since was there");
    assert_eq!(again["report"]["population"], then["report"]["population"]);
    assert_eq!(again["report"]["filters"], json!({"as_of": position}));
    // The same by time, as an auditor who holds the report asks for it again.
    let at = again["report"]["at"].as_str().unwrap();
    let by_time = set.report(&format!("?as_of={at}")).await;
    assert_eq!((&by_time["rows"], &by_time["report"]["position"]), (&then["rows"], &json!(position)));
    set.given.delete(&format!("/v1/tokens/{}", set.token)).await.expect(200);
    let now = set.report("").await;
    let population = &now["report"]["population"];
    assert_eq!((&population["tokens"], &population["tokens_ended"]), (&json!(1), &json!(1)));
    let before = set.report("?as_of=2020-01-01T00:00:00Z").await;
    assert_eq!((&before["rows"], &before["end"]["rows"]), (&json!([]), &json!(0)));
    assert_eq!(before["report"]["population"]["records"], json!(0));
}

#[tokio::test]
async fn filters_leave_what_they_say() {
    let set = setting().await;
    let (rule, direct) = (set.by_rule.clone(), set.direct.clone());
    let all = ["create", "read", "update"].map(str::to_owned).to_vec();
    let read = vec!["read".to_owned()];
    let cases = [
        (
            format!("?principal=token:{}", set.token),
            vec![(direct.clone(), read.clone()), (rule.clone(), all.clone())],
        ),
        (format!("?group={}", set.inner), vec![(rule.clone(), all.clone())]),
        (format!("?group={}", set.outer), vec![(rule.clone(), all.clone())]),
        (format!("?project={}", set.staging), vec![(rule.clone(), all)]),
        (format!("?project={}", set.production), vec![(direct.clone(), read.clone())]),
        ("?permission=read".to_owned(), vec![(direct, read.clone()), (rule, read)]),
        (format!("?permission=delete&principal=token:{}", set.token), vec![]),
    ];
    for (query, expected) in cases {
        assert_eq!(set.of_token(&query).await, expected, "{query}");
    }
    let owner = set.rows(&format!("?principal=user:{}", set.given.owner)).await;
    assert_eq!(owner.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let set = setting().await;
    let here = set.given.get("/v1/projects").await.header("grantbook-position").to_owned();
    let elsewhere = setting().await.given.get("/v1/projects").await.header("grantbook-position").to_owned();
    assert_ne!(here, elsewhere);
    let ghost = "01890000-0000-7000-8000-000000000000";
    let made = set.given.project("dev").await;
    for query in [
        "?format=xml",
        "?format=",
        "?format=CSV",
        "?as_of=2999-01-01T00:00:00Z",
        "?as_of=yesterday",
        &format!("?as_of={elsewhere}"),
        "?limit=10",
        "?cursor=x",
        "?principal=group:1",
        "?principal=token",
        "?group=apps",
        "?project=staging",
        "?permission=fly",
        "?permission=",
        "?principal=token:1&principal=token:2",
    ] {
        let answer = set.given.get(&format!("/v1/report{query}")).await;
        assert_eq!(answer.told(), (400, "invalid"), "{query}: {}", answer.text);
    }
    for query in [
        format!("?principal=token:{ghost}"),
        format!("?group={ghost}"),
        format!("?project={ghost}"),
        format!("?project={made}&as_of={here}"),
    ] {
        let answer = set.given.get(&format!("/v1/report{query}")).await;
        assert_eq!(answer.told(), (404, "not_found"), "{query}: {}", answer.text);
    }
}
