//! Questions about the past: the answer as it was then, for who may read the audit log today.

use serde_json::{Value, json};

use crate::given::{Answer, Given};

/// A moment that something was done at, and what was to be answered from then on.
pub(crate) struct Moment {
    pub(crate) position: String,
    staging: (bool, &'static str),
    production: (bool, &'static str),
    by_key: (bool, &'static str),
    token_name: Option<&'static str>,
    members: usize,
    grants: usize,
}

/// The four-step story and its undoing, a step a moment.
pub(crate) struct Past {
    pub(crate) given: Given,
    pub(crate) staging: String,
    pub(crate) production: String,
    pub(crate) token: String,
    key: String,
    group: String,
    grant: String,
    pub(crate) moments: Vec<Moment>,
}

pub(crate) fn position(answer: &Answer) -> String {
    let position = answer.header("grantbook-position").to_owned();
    assert!(!position.is_empty());
    position
}

const NO_GRANT: (bool, &str) = (false, "no_grant");
const GRANTED: (bool, &str) = (true, "granted");

#[expect(clippy::too_many_lines, reason = "a story, a step a paragraph")]
pub(crate) async fn past() -> Past {
    let given = Given::new().await;
    let unknown = (false, "unknown_principal");
    let before = given.post("/v1/projects", json!({"name": "staging", "labels": {"env": "staging"}})).await;
    let staging = before.id();
    let mut now = Moment {
        position: position(&before),
        staging: unknown,
        production: unknown,
        by_key: (false, "unknown_key"),
        token_name: None,
        members: 0,
        grants: 0,
    };
    let mut moments = Vec::new();
    let mut note = |now: &Moment, answer: &Answer| {
        moments.push(Moment { position: position(answer), ..*now });
    };
    note(&now, &before);

    let made = given.post("/v1/tokens", json!({"name": "ci"})).await.expect(201);
    let token = made.id();
    (now.staging, now.production, now.token_name) = (NO_GRANT, (false, "unknown_object"), Some("ci"));
    note(&now, &made);
    let body = json!({"name": "production", "labels": {"env": "production"}});
    let made = given.post("/v1/projects", body).await.expect(201);
    let production = made.id();
    now.production = NO_GRANT;
    note(&now, &made);
    let issued = given.post(&format!("/v1/tokens/{token}/keys"), json!({})).await.expect(201);
    now.by_key = NO_GRANT;
    note(&now, &issued);
    let (key, secret) = (issued.id(), issued.text_of("secret"));

    let made = given.post("/v1/groups", json!({"name": "apps"})).await.expect(201);
    let group = made.id();
    note(&now, &made);
    let on = json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}});
    let body =
        json!({"to": {"type": "group", "id": group}, "role": "Engineer", "on": on, "reason": "the app"});
    let made = given.post("/v1/grants", body).await.expect(201);
    let grant = made.id();
    now.grants = 1;
    note(&now, &made);
    let member = json!({"member": {"type": "token", "id": token}});
    let added = given.post(&format!("/v1/groups/{group}/members"), member).await.expect(201);
    (now.staging, now.by_key, now.members) = (GRANTED, GRANTED, 1);
    note(&now, &added);

    let relabelled = json!({"labels": {"env": "dev"}});
    let changed = given.patch(&format!("/v1/projects/{production}"), relabelled).await.expect(200);
    now.production = GRANTED;
    note(&now, &changed);
    let changed = given.patch(&format!("/v1/tokens/{token}"), json!({"name": "cd"})).await.expect(200);
    now.token_name = Some("cd");
    note(&now, &changed);
    let revoked = given.delete(&format!("/v1/keys/{key}")).await.expect(200);
    now.by_key = (false, "key_revoked");
    note(&now, &revoked);
    let removed = given.delete(&format!("/v1/groups/{group}/members/token/{token}")).await.expect(200);
    (now.staging, now.production, now.members) = (NO_GRANT, NO_GRANT, 0);
    note(&now, &removed);
    let ended = given.delete(&format!("/v1/projects/{production}")).await.expect(200);
    now.production = (false, "unknown_object");
    note(&now, &ended);
    let ended = given.delete(&format!("/v1/grants/{grant}")).await.expect(200);
    now.grants = 0;
    note(&now, &ended);
    let ended = given.delete(&format!("/v1/tokens/{token}")).await.expect(200);
    let inactive = (false, "inactive_principal");
    (now.staging, now.production, now.token_name) = (inactive, inactive, None);
    note(&now, &ended);
    Past { given, staging, production, token, key: secret, group, grant, moments }
}

impl Past {
    fn question(&self, project: &str) -> Value {
        json!({"principal": {"type": "token", "id": self.token}, "permission": "update",
            "object": {"type": "project", "id": project}})
    }

    async fn asked(&self, path: &str, body: &Value) -> Value {
        self.given.post(path, body.clone()).await.expect(200).body
    }
}

fn told(body: &Value) -> (bool, &str) {
    (body["allowed"].as_bool().unwrap(), body["reason"].as_str().unwrap())
}

#[tokio::test]
async fn every_step_of_a_story_is_answered_as_it_was() {
    let past = past().await;
    for (step, moment) in past.moments.iter().enumerate() {
        let at = &moment.position;
        for (project, expected) in [(&past.staging, moment.staging), (&past.production, moment.production)] {
            let question = past.question(project);
            let found = past.asked(&format!("/v1/check?as_of={at}"), &question).await;
            assert_eq!(told(&found), expected, "step {step}");
            assert_eq!((&found["as_of"], &found["position"]), (&json!(at), &json!(at)));
            let why = past.asked(&format!("/v1/explain?as_of={at}"), &question).await;
            assert_eq!(told(&why), expected, "step {step}");
            assert_eq!(why["paths"].as_array().unwrap().len(), usize::from(expected.0), "step {step}");
            assert_eq!(why["as_of"], json!(at));
        }
        let key = json!({"key": past.key, "permission": "update", "object": {"type": "project", "id": past.staging}});
        let both = json!({"checks": [key, past.question(&past.staging)]});
        let found = past.asked(&format!("/v1/check/batch?as_of={at}"), &both).await;
        assert_eq!(told_of(&found["results"][0]), moment.by_key, "step {step}");
        assert_eq!(told_of(&found["results"][1]), moment.staging, "step {step}");
        assert_eq!(found["as_of"], json!(at));
        documents(&past, moment, step).await;
    }
}

fn told_of(result: &Value) -> (bool, &str) {
    told(result)
}

async fn documents(past: &Past, moment: &Moment, step: usize) {
    let Past { given, token, group, .. } = past;
    let at = &moment.position;
    let one = given.get(&format!("/v1/tokens/{token}?as_of={at}")).await;
    match moment.token_name {
        Some(name) => {
            assert_eq!((&one.body["name"], &one.body["as_of"]), (&json!(name), &json!(at)), "step {step}");
            assert_eq!(one.header("grantbook-position"), at);
        }
        None => assert_eq!(one.told(), (404, "not_found"), "step {step}"),
    }
    let names = |listed: Value| -> Vec<String> {
        let items = listed["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let listed = given.get(&format!("/v1/tokens?as_of={at}")).await.expect(200).body;
    assert_eq!(listed["as_of"], json!(at));
    assert_eq!(names(listed), moment.token_name.into_iter().collect::<Vec<_>>(), "step {step}");
    let access = given.get(&format!("/v1/access?principal=token:{token}&as_of={at}")).await;
    let permissions = access.body["permissions"].as_array().map_or(0, Vec::len);
    let expected = if moment.members == 1 { 4 } else { 0 };
    assert_eq!(permissions, expected, "step {step}: {}", access.text);
    let members = given.get(&format!("/v1/groups/{group}/members?as_of={at}")).await;
    let count = members.body["items"].as_array().map_or(0, Vec::len);
    assert_eq!(count, moment.members, "step {step}: {}", members.text);
    let grants = given.get(&format!("/v1/grants?to=group:{group}&as_of={at}")).await.expect(200).body;
    assert_eq!(grants["items"].as_array().unwrap().len(), moment.grants, "step {step}");
    let grant = given.get(&format!("/v1/grants/{}?as_of={at}", past.grant)).await;
    assert_eq!(grant.status, if moment.grants == 1 { 200 } else { 404 }, "step {step}");
}

#[tokio::test]
async fn a_record_of_the_past_names_who_did_it_and_no_later_one() {
    let past = past().await;
    let joined = &past.moments[6].position;
    let why = past.asked(&format!("/v1/explain?as_of={joined}"), &past.question(&past.staging)).await;
    let records = why["paths"][0]["records"].as_array().unwrap();
    let events: Vec<_> = records.iter().map(|record| record["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["GrantCreated", "MemberAdded", "RoleCreated", "ProjectCreated"]);
    assert_eq!(why["paths"][0]["records"][0]["reason"], "the app");
    assert_eq!(why["principal"]["name"], "ci", "as it was called then");
    let revoked = &past.moments[9].position;
    let key =
        json!({"key": past.key, "permission": "update", "object": {"type": "project", "id": past.staging}});
    let why = past.asked(&format!("/v1/explain?as_of={revoked}"), &key).await;
    assert_eq!(why["missing"]["records"][0]["event"], "KeyRevoked");
    let now = past.asked("/v1/explain", &key).await;
    assert_eq!(now["missing"]["records"][0]["event"], "KeyRevoked");
    assert!(now.get("as_of").is_none());
}

#[tokio::test]
async fn a_time_is_after_the_last_record_by_then_and_judges_expiry_itself() {
    let past = past().await;
    let given = &past.given;
    let audit = given.get("/v1/audit?order=asc&limit=1000").await.expect(200).body;
    let records = audit["items"].as_array().unwrap();
    let at = |record: &Value| record["at"].as_str().unwrap().to_owned();
    for record in records {
        // Several records may share a millisecond: the last of them counts.
        let last = records.iter().rfind(|other| at(other) == at(record)).unwrap();
        let found = given.get(&format!("/v1/tokens?as_of={}", at(record))).await.expect(200);
        assert_eq!(found.header("grantbook-position"), last["position"].as_str().unwrap());
        assert_eq!(found.body["as_of"], json!(at(record)));
    }
    let long_ago = past.asked("/v1/check?as_of=2001-01-01T00:00:00Z", &past.question(&past.staging)).await;
    assert_eq!(told(&long_ago), (false, "unknown_principal"));
    let empty = given.get("/v1/projects?as_of=2001-01-01T00:00:00%2B02:00").await.expect(200).body;
    assert_eq!(empty["items"], json!([]));
}

#[tokio::test]
async fn a_list_of_the_past_is_paged_as_of_its_moment_and_its_cursor_is_of_that_only() {
    let given = Given::new().await;
    for _ in 0..5 {
        given.project("dev").await;
    }
    let then = position(&given.get("/v1/projects").await);
    let doomed = given.project("dev").await;
    given.delete(&format!("/v1/projects/{doomed}")).await.expect(200);
    let first = given.get(&format!("/v1/projects?limit=2&as_of={then}")).await.expect(200).body;
    let cursor = first["next"].as_str().unwrap().to_owned();
    given.project("dev").await;
    let rest =
        given.get(&format!("/v1/projects?limit=1000&as_of={then}&cursor={cursor}")).await.expect(200).body;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (3, &Value::Null));
    let now = position(&given.get("/v1/projects").await);
    for other in [String::new(), format!("&as_of={now}"), "&as_of=2026-01-01T00:00:00Z".to_owned()] {
        let refused = given.get(&format!("/v1/projects?limit=1000{other}&cursor={cursor}")).await;
        assert_eq!(refused.told(), (400, "invalid"), "{other}");
    }
    let present = given.get("/v1/projects?limit=2").await.expect(200).body;
    let cursor = present["next"].as_str().unwrap();
    let refused = given.get(&format!("/v1/projects?as_of={then}&cursor={cursor}")).await;
    assert_eq!(refused.told(), (400, "invalid"));
}

#[tokio::test]
async fn a_moment_that_is_none_is_refused_in_clear_words() {
    let given = Given::new().await;
    let here = position(&given.get("/v1/projects").await);
    let elsewhere = position(&Given::new().await.get("/v1/projects").await);
    // The last record's number is at the end: one more is beyond it.
    let beyond = format!("{}{}", &here[..20], if here.ends_with("AA") { "Ag" } else { "AA" });
    let cases = [
        ("yesterday", "neither a position nor a time"),
        ("", "neither a position nor a time"),
        ("30d", "neither a position nor a time"),
        ("1024", "neither a position nor a time"),
        ("2026-01-31", "neither a position nor a time"),
        (&elsewhere, "another journal"),
        ("2999-01-01T00:00:00Z", "in the future"),
        (&beyond, "beyond the last record"),
    ];
    let check = json!({"permission": "read", "object": {"type": "organization", "id": given.org}});
    for (text, words) in cases {
        for answer in [
            given.get(&format!("/v1/projects?as_of={text}")).await,
            given.get(&format!("/v1/access?principal=user:{}&as_of={text}", given.owner)).await,
            given.post(&format!("/v1/check?as_of={text}"), check.clone()).await,
            given.post(&format!("/v1/explain?as_of={text}"), check.clone()).await,
            given.post(&format!("/v1/check/batch?as_of={text}"), json!({"checks": [check]})).await,
        ] {
            assert_eq!(answer.told(), (400, "invalid"), "{text}: {}", answer.text);
            assert!(answer.text_of("detail").contains(words), "{text}: {}", answer.text);
        }
    }
    let twice = given.get(&format!("/v1/projects?as_of={here}&as_of={here}")).await;
    assert_eq!(twice.told(), (400, "invalid"));
    for path in ["/v1/whoami", "/v1/audit"] {
        let answer = given.get(&format!("{path}?as_of={here}")).await;
        assert_eq!(answer.told(), (400, "invalid"), "{path}");
    }
    let write = given.post(&format!("/v1/projects?as_of={here}"), json!({"name": "x"})).await;
    assert_eq!(write.told(), (400, "invalid"));
}

/// Only today's rights count: the audit right, and the question's own.
#[tokio::test]
async fn who_may_ask_about_the_past_is_judged_today() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let all = json!({"organization": true});
    let (_, never) = given.token_with(json!(["read_acls"]), all.clone()).await;
    let (_, audit_only) = {
        let on = json!({"object": {"type": "org_audit_logs", "id": given.org}});
        given.token_with(json!(["read"]), on).await
    };
    let (revoked_id, revoked) = given.token_with(json!(["read_acls", "read"]), all.clone()).await;
    let (later_id, later) = given.token_with(json!(["read_acls"]), all.clone()).await;
    let then = position(&given.get("/v1/projects").await);

    let grants = given.get(&format!("/v1/grants?to=token:{revoked_id}")).await.expect(200).body;
    given.delete(&format!("/v1/grants/{}", grants["items"][0]["id"].as_str().unwrap())).await.expect(200);
    let body = json!({"to": {"type": "token", "id": revoked_id}, "permissions": ["read_acls"], "on": all});
    given.made("/v1/grants", body).await;
    let body = json!({"to": {"type": "token", "id": later_id}, "permissions": ["read"], "on": all});
    given.made("/v1/grants", body).await;

    let about = json!({"principal": {"type": "user", "id": given.owner}, "permission": "update",
        "object": {"type": "project", "id": project}});
    let oneself = json!({"permission": "update", "object": {"type": "project", "id": project}});
    for (who, key, expected) in [
        ("never", &never, 403),
        ("audit only", &audit_only, 403),
        ("revoked since", &revoked, 403),
        ("only now", &later, 200),
    ] {
        for path in ["/v1/check", "/v1/explain"] {
            let answer = given.send(key, ("POST", &format!("{path}?as_of={then}")), &[], &about).await;
            assert_eq!(answer.status, expected, "{who} {path}: {}", answer.text);
        }
        let path = format!("/v1/access?principal=user:{}&as_of={then}", given.owner);
        assert_eq!(given.send(key, ("GET", &path), &[], &Value::Null).await.status, expected, "{who}");
        // About oneself no right of its own is needed, and lists are filtered: the audit right alone decides.
        let expected = if who == "audit only" { 200 } else { expected };
        let path = format!("/v1/check?as_of={then}");
        assert_eq!(given.send(key, ("POST", &path), &[], &oneself).await.status, expected, "{who}");
        let path = format!("/v1/projects?as_of={then}");
        let listed = given.send(key, ("GET", &path), &[], &Value::Null).await;
        assert_eq!(listed.status, expected, "{who}");
        let path = format!("/v1/projects/{project}?as_of={then}");
        let one = given.send(key, ("GET", &path), &[], &Value::Null).await.status;
        assert_eq!(one, if who == "audit only" { 404 } else { expected }, "{who}");
        if who == "audit only" {
            assert_eq!(listed.body["items"], json!([]), "what it may not read is not there");
        }
    }
}
