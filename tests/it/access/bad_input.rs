//! Bad input: each kind with its status, its code and, where one value is at fault, its pointer; nothing is written.

use anyhow::{Context, Result};
use grantbook_tests::{org::Story, server::Server, wire::Reply};
use serde_json::{Value, json};

const GHOST: &str = "01890000-0000-7000-8000-000000000000";

struct Row {
    what: &'static str,
    method: &'static str,
    path: String,
    body: Value,
    status: u16,
    code: &'static str,
    pointer: Option<&'static str>,
}

fn row(
    what: &'static str,
    request: (&'static str, impl Into<String>, Value),
    answer: (u16, &'static str),
) -> Row {
    let (method, path, body) = request;
    Row { what, method, path: path.into(), body, status: answer.0, code: answer.1, pointer: None }
}

impl Row {
    fn at(self, pointer: &'static str) -> Self {
        Self { pointer: Some(pointer), ..self }
    }
}

/// The journal's head: the same before and after means that nothing was written.
fn head(server: &Server) -> Result<Value> {
    Ok(server.http()?.send("GET", "/readyz", &Value::Null)?.expect(200)?["head"].clone())
}

fn assert_problem(what: &str, reply: &Reply, status: u16, code: &str) {
    let body = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{what}: {body}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{what}");
    let problem = reply.json();
    assert_eq!(problem["code"], code, "{what}: {body}");
    assert_eq!(problem["type"], format!("urn:grantbook:error:{code}"), "{what}");
    assert_eq!(problem["status"], status, "{what}");
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{what}: {body}");
    assert!(reply.header("x-request-id").is_some(), "{what}: errors carry the request id");
}

#[test]
fn bad_bodies_are_refused_with_a_pointer() -> Result<()> {
    let server = Server::start()?;
    let story = Story::tell(&server)?;
    let before = head(&server)?;
    for case in bodies(&story).into_iter().chain(values(&story)).chain(conflicts(&story)) {
        let reply = server.call(case.method, &case.path, &case.body)?;
        assert_problem(case.what, &reply, case.status, case.code);
        if let Some(pointer) = case.pointer {
            assert_eq!(reply.json()["pointer"], pointer, "{}", case.what);
        }
    }
    assert_eq!(head(&server)?, before, "nothing was written");
    Ok(())
}

#[expect(clippy::too_many_lines, reason = "a table, a row a case")]
fn bodies(story: &Story) -> Vec<Row> {
    let members = format!("/v1/groups/{}/members", story.group);
    vec![
        row("unknown field", ("POST", "/v1/tokens", json!({"name": "x", "colour": "red"})), (400, "invalid")),
        row(
            "server-owned field",
            ("POST", "/v1/tokens", json!({"name": "x", "id": GHOST})),
            (400, "invalid"),
        ),
        row("missing field", ("POST", "/v1/tokens", json!({})), (400, "invalid")),
        row("not an object", ("POST", "/v1/tokens", json!([1])), (400, "invalid")),
        row("wrong type", ("POST", "/v1/tokens", json!({"name": 7})), (400, "invalid")).at("/name"),
        row("null name", ("POST", "/v1/tokens", json!({"name": null})), (400, "invalid")).at("/name"),
        row("bad time", ("POST", "/v1/tokens", json!({"name": "x", "expires_at": "soon"})), (400, "invalid"))
            .at("/expires_at"),
        row(
            "beyond the year 9999",
            ("POST", "/v1/tokens", json!({"name": "x", "expires_at": "9999-12-31T23:59:59-01:00"})),
            (400, "invalid"),
        )
        .at("/expires_at"),
        row(
            "past",
            ("POST", "/v1/tokens", json!({"name": "x", "expires_at": "2001-01-01T00:00:00Z"})),
            (400, "invalid"),
        )
        .at("/expires_at"),
        row(
            "bad member type",
            ("POST", &members, json!({"member": {"type": "robot", "id": GHOST}})),
            (400, "invalid"),
        )
        .at("/member/type"),
        row(
            "malformed id",
            ("POST", &members, json!({"member": {"type": "token", "id": "7"}})),
            (400, "invalid"),
        )
        .at("/member/id"),
        row(
            "scope of two",
            (
                "POST",
                "/v1/grants",
                json!({"to": {"type": "group", "id": story.group},
            "role": "Viewer", "on": {"organization": true, "object": {"type": "project", "id": story.staging}}}),
            ),
            (400, "invalid"),
        ),
        row(
            "scope false",
            (
                "POST",
                "/v1/grants",
                json!({"to": {"type": "group", "id": story.group},
            "role": "Viewer", "on": {"organization": false}}),
            ),
            (400, "invalid"),
        ),
        row(
            "empty selector",
            (
                "POST",
                "/v1/grants",
                json!({"to": {"type": "group", "id": story.group},
            "role": "Viewer", "on": {"projects": {"include": []}}}),
            ),
            (400, "invalid"),
        ),
        row(
            "role and permissions",
            (
                "POST",
                "/v1/grants",
                json!({"to": {"type": "group", "id": story.group},
            "role": "Viewer", "permissions": ["read"], "on": {"organization": true}}),
            ),
            (400, "invalid"),
        ),
        row(
            "neither role nor permissions",
            (
                "POST",
                "/v1/grants",
                json!({"to": {"type": "group", "id": story.group}, "on": {"organization": true}}),
            ),
            (400, "invalid"),
        ),
        row("empty batch", ("POST", "/v1/batch", json!({"commands": []})), (400, "invalid")),
        row("limit 0", ("GET", "/v1/tokens?limit=0", Value::Null), (400, "invalid")),
        row("limit 1001", ("GET", "/v1/tokens?limit=1001", Value::Null), (400, "invalid")),
        row("unknown parameter", ("GET", "/v1/tokens?colour=red", Value::Null), (400, "invalid")),
        row("bad cursor", ("GET", "/v1/tokens?cursor=abc", Value::Null), (400, "invalid")),
        row(
            "as of the future",
            ("GET", "/v1/projects?as_of=2999-01-01T00:00:00Z", Value::Null),
            (400, "invalid"),
        ),
        row("no such route", ("GET", "/v1/nothing", Value::Null), (404, "not_found")),
        row("wrong method", ("PUT", "/v1/tokens", json!({"name": "x"})), (405, "method_not_allowed")),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table, a row a case")]
fn values(story: &Story) -> Vec<Row> {
    let long = "x".repeat(257);
    let members = format!("/v1/groups/{}/members", story.group);
    let token = format!("/v1/tokens/{}", story.token);
    let mut rows: Vec<_> = [
        ("empty name", ""),
        ("uuid name", GHOST),
        ("control character", "a\u{7}b"),
        ("newline", "a\nb"),
        ("untrimmed", " a"),
        ("257 bytes", long.as_str()),
    ]
    .into_iter()
    .map(|(what, name)| {
        row(what, ("POST", "/v1/tokens", json!({"name": name})), (400, "invalid")).at("/name")
    })
    .collect();
    rows.extend([
        row(
            "a key",
            ("POST", "/v1/tokens", json!({"name": "x", "description": story.key})),
            (400, "invalid"),
        )
        .at("/description"),
        row("no e-mail", ("POST", "/v1/users", json!({"email": "ada"})), (400, "invalid")).at("/email"),
        row(
            "long reason",
            (
                "POST",
                "/v1/grants",
                json!({"to": {"type": "group", "id": story.group},
            "role": "Viewer", "on": {"organization": true}, "reason": "x".repeat(1025)}),
            ),
            (400, "invalid"),
        )
        .at("/reason"),
        row("unknown id in a path", ("GET", format!("/v1/tokens/{GHOST}"), Value::Null), (404, "not_found")),
        row("malformed id in a path", ("GET", "/v1/tokens/7", Value::Null), (404, "not_found")),
        row(
            "unknown member",
            ("POST", &members, json!({"member": {"type": "token", "id": GHOST}})),
            (404, "not_found"),
        )
        .at("/member/id"),
        row(
            "unknown group",
            (
                "POST",
                format!("/v1/groups/{GHOST}/members"),
                json!({"member": {"type": "token", "id": story.token}}),
            ),
            (404, "not_found"),
        ),
        row(
            "unknown role",
            (
                "POST",
                "/v1/grants",
                json!({"to": {"type": "group", "id": story.group},
            "role": GHOST, "on": {"organization": true}}),
            ),
            (404, "not_found"),
        )
        .at("/role"),
        row(
            "unknown permission",
            (
                "POST",
                "/v1/grants",
                json!({"to": {"type": "group", "id": story.group},
            "permissions": ["fly"], "on": {"organization": true}}),
            ),
            (404, "not_found"),
        )
        .at("/permissions/0"),
        row(
            "never a member",
            ("DELETE", format!("{members}/token/{GHOST}"), Value::Null),
            (404, "not_found"),
        ),
        row(
            "second command of a batch",
            (
                "POST",
                "/v1/batch",
                json!({"commands": [
            {"method": "POST", "path": "/v1/projects", "body": {"name": "fine"}},
            {"method": "POST", "path": "/v1/tokens", "body": {"name": ""}}]}),
            ),
            (400, "invalid"),
        )
        .at("/commands/1/body/name"),
        row(
            "batch in a batch",
            (
                "POST",
                "/v1/batch",
                json!({"commands": [
            {"method": "POST", "path": "/v1/batch", "body": {"commands": []}}]}),
            ),
            (400, "invalid"),
        ),
        row(
            "grace too long",
            (
                "POST",
                format!("/v1/keys/{}/rotate", story.key_id),
                json!({"grace_seconds": 99_999_999_999_u64}),
            ),
            (400, "invalid"),
        )
        .at("/grace_seconds"),
        row("patch to nothing", ("PATCH", &token, json!({"name": ""})), (400, "invalid")).at("/name"),
    ]);
    rows
}

fn conflicts(story: &Story) -> Vec<Row> {
    let own = format!("/v1/groups/{}/members", story.group);
    vec![
        row("name taken", ("POST", "/v1/tokens", json!({"name": "bot"})), (409, "name_taken")),
        row("e-mail taken", ("POST", "/v1/users", json!({"email": "ADA@example.com"})), (409, "email_taken")),
        row(
            "a group in itself",
            ("POST", &own, json!({"member": {"type": "group", "id": story.group}})),
            (409, "cycle"),
        ),
        row("a built-in role", ("PATCH", "/v1/roles/Owner", json!({"name": "Boss"})), (409, "built_in")),
    ]
}

#[test]
fn the_last_owner_and_cycles_are_kept() -> Result<()> {
    let server = Server::start()?;
    let owner = server.init["user"]["id"].as_str().context("an owner")?.to_owned();
    let groups = server.call("GET", "/v1/groups?name=Owners", &Value::Null)?.expect(200)?;
    let owners = groups["items"][0]["id"].as_str().context("the group Owners")?.to_owned();
    let make = |name: &str| -> Result<String> {
        let made = server.call("POST", "/v1/groups", &json!({"name": name}))?.expect(201)?;
        Ok(made["id"].as_str().context("an id")?.to_owned())
    };
    let (outer, inner) = (make("outer")?, make("inner")?);
    let nest = |into: &str, group: &str| {
        let body = json!({"member": {"type": "group", "id": group}});
        server.call("POST", &format!("/v1/groups/{into}/members"), &body)
    };
    nest(&outer, &inner)?.expect(201)?;
    let before = head(&server)?;
    assert_problem("a cycle of two", &nest(&inner, &outer)?, 409, "cycle");
    let gone = format!("/v1/groups/{owners}/members/user/{owner}");
    assert_problem("removed", &server.call("DELETE", &gone, &Value::Null)?, 409, "last_owner");
    let gone = format!("/v1/users/{owner}");
    assert_problem("deactivated", &server.call("DELETE", &gone, &Value::Null)?, 409, "last_owner");
    let expiring = json!({"member": {"type": "user", "id": owner}, "expires_at": "2099-01-01T00:00:00Z"});
    let reply = server.call("POST", &format!("/v1/groups/{owners}/members"), &expiring)?;
    assert_problem("made to expire", &reply, 409, "last_owner");
    assert_eq!(head(&server)?, before, "nothing was written");
    Ok(())
}

#[test]
fn bad_requests_below_json_are_refused() -> Result<()> {
    let server = Server::start()?;
    let before = head(&server)?;
    let json = [("content-type", "application/json")];
    let send = |headers: &[(&str, &str)], body: &[u8]| {
        server.http()?.as_bearer(&server.owner_key).raw("POST", "/v1/tokens", headers, body)
    };
    assert_problem("malformed", &send(&json, b"{\"name\": ")?, 400, "invalid");
    assert_problem("not UTF-8", &send(&json, b"{\"name\": \"\xff\"}")?, 400, "invalid");
    assert_problem("empty", &send(&json, b"")?, 400, "invalid");
    assert_problem("deep", &send(&json, "[".repeat(100_000).as_bytes())?, 400, "invalid");
    assert_problem("no content type", &send(&[], b"{\"name\":\"x\"}")?, 415, "unsupported_media_type");
    let text = [("content-type", "text/plain")];
    assert_problem("text", &send(&text, b"{\"name\":\"x\"}")?, 415, "unsupported_media_type");
    let big = format!("{{\"name\":\"{}\"}}", "x".repeat(2 << 20));
    assert_problem("2 MB", &send(&json, big.as_bytes())?, 413, "too_large");
    for (name, value) in [("content-encoding", "gzip"), ("content-type", "application/json; charset=utf-16")]
    {
        let coded = [json[0], (name, value)];
        let coded = if name == "content-type" { &coded[1..] } else { &coded };
        let reply = send(coded, b"{\"name\":\"x\"}")?;
        assert_problem(name, &reply, 415, "unsupported_encoding");
        assert_eq!(reply.header("accept-encoding"), Some("identity"));
    }
    let twice = [("content-type", "application/json"), ("idempotency-key", "")];
    assert_problem("empty idempotency key", &send(&twice, b"{\"name\":\"x\"}")?, 400, "invalid");
    let long = "k".repeat(129);
    let long = [("content-type", "application/json"), ("idempotency-key", long.as_str())];
    assert_problem("long idempotency key", &send(&long, b"{\"name\":\"x\"}")?, 400, "invalid");
    let position = [("grantbook-at-least", "nonsense")];
    let reply = server.http()?.as_bearer(&server.owner_key).raw("GET", "/v1/whoami", &position, b"")?;
    assert_problem("malformed position", &reply, 400, "invalid");
    assert_eq!(head(&server)?, before, "nothing was written");
    Ok(())
}

#[test]
fn an_idempotency_key_belongs_to_one_request() -> Result<()> {
    let server = Server::start()?;
    let mut http = server.http()?.as_bearer(&server.owner_key).with("idempotency-key", "once");
    let first = http.send("POST", "/v1/tokens", &json!({"name": "a", "description": "b"}))?;
    assert_eq!(first.status, 201);
    let other = http.send("POST", "/v1/tokens", &json!({"name": "c"}))?;
    assert_problem("another body", &other, 422, "idempotency_mismatch");
    let again = http.raw(
        "POST",
        "/v1/tokens",
        &[("content-type", "application/json")],
        b"{ \"description\": \"b\",\n \"name\": \"a\" }",
    )?;
    assert_eq!((again.status, again.json()), (201, first.json()), "the canonical body counts, not its bytes");
    assert_eq!(again.header("grantbook-position"), first.header("grantbook-position"));
    Ok(())
}

#[test]
fn keys_that_are_none_are_refused() -> Result<()> {
    let server = Server::start()?;
    let story = Story::tell(&server)?;
    let key = &story.key;
    let mut flipped = key.clone();
    let last = flipped.pop().context("a last character")?;
    flipped.push(if last == 'a' { 'b' } else { 'a' });
    let expires = "2099-01-01T00:00:00Z";
    let issue = format!("/v1/tokens/{}/keys", story.token);
    let revoked = server.call("POST", &issue, &json!({"expires_at": expires}))?.expect(201)?;
    let revoked_id = revoked["id"].as_str().context("an id")?;
    server.call("DELETE", &format!("/v1/keys/{revoked_id}"), &Value::Null)?.expect(200)?;
    let wrong_kind = key.replacen("gb_st_", "gb_pk_", 1);
    let cases = [
        ("none", None),
        ("malformed", Some("Bearer nonsense".to_owned())),
        ("another scheme", Some(format!("Basic {key}"))),
        ("wrong checksum", Some(format!("Bearer {flipped}"))),
        ("another prefix", Some(format!("Bearer {wrong_kind}"))),
        ("cut", Some(format!("Bearer {}", key.get(..key.len() - 3).context("long")?))),
        ("revoked", Some(format!("Bearer {}", revoked["secret"].as_str().context("a secret")?))),
    ];
    for (what, header) in cases {
        let headers: Vec<_> = header.iter().map(|value| ("authorization", value.as_str())).collect();
        let reply = server.http()?.raw("GET", "/v1/whoami", &headers, b"")?;
        assert_problem(what, &reply, 401, "unauthenticated");
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Bearer"), "{what}: {challenge}");
    }
    let bearer = format!("Bearer {key}");
    let two = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_problem("two keys", &server.http()?.raw("GET", "/v1/whoami", &two, b"")?, 400, "invalid");
    Ok(())
}

#[test]
fn another_organizations_ids_are_like_no_ids() -> Result<()> {
    let mut server = Server::init()?;
    let data = server.data().to_str().context("a plain path")?.to_owned();
    let args = ["--json", "org", "create", "--org", "other", "--owner", "eve@example.com", "--data", &data];
    let output = grantbook_tests::binary::run(&args, &[])?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let other: Value = serde_json::from_slice(&output.stdout)?;
    let eve = other["key"].as_str().context("a key")?;
    server.spawn()?;
    let story = Story::tell(&server)?;
    let ask = |method: &str, path: &str, body: &Value| server.http()?.as_bearer(eve).send(method, path, body);
    for (noun, id) in [("tokens", &story.token), ("projects", &story.production), ("groups", &story.group)] {
        for id in [id.as_str(), GHOST] {
            let path = format!("/v1/{noun}/{id}");
            assert_problem(noun, &ask("GET", &path, &Value::Null)?, 404, "not_found");
            assert_problem(noun, &ask("DELETE", &path, &Value::Null)?, 404, "not_found");
        }
    }
    let theirs = ask("GET", &format!("/v1/tokens/{}", story.token), &Value::Null)?.json();
    let ghost = ask("GET", &format!("/v1/tokens/{GHOST}"), &Value::Null)?.json();
    assert_eq!(theirs["detail"], ghost["detail"], "the same words");
    for object in [&story.staging, GHOST] {
        let body = json!({"permission": "read", "object": {"type": "project", "id": object}});
        let answer = ask("POST", "/v1/check", &body)?.expect(200)?;
        assert_eq!(answer["allowed"], false);
    }
    let body = json!({"key": story.key, "permission": "read", "object": {"type": "organization",
        "id": other["organization"]["id"]}});
    assert_eq!(ask("POST", "/v1/check", &body)?.expect(200)?["reason"], "unknown_key");
    Ok(())
}

#[test]
fn a_plain_token_may_do_nothing_but_look_at_itself() -> Result<()> {
    let server = Server::start()?;
    let story = Story::tell(&server)?;
    let lonely = server.call("POST", "/v1/tokens", &json!({"name": "lonely"}))?.expect(201)?;
    let id = lonely["id"].as_str().context("an id")?;
    let issued = server.call("POST", &format!("/v1/tokens/{id}/keys"), &json!({}))?.expect(201)?;
    let key = issued["secret"].as_str().context("a secret")?;
    let ask = |method: &str, path: &str, body: &Value| server.http()?.as_bearer(key).send(method, path, body);
    let before = head(&server)?;
    for (method, path, body, status) in forbidden(&story, id) {
        let reply = ask(method, &path, &body)?;
        let code = if status == 403 { "forbidden" } else { "not_found" };
        assert_problem(&format!("{method} {path}"), &reply, status, code);
    }
    for list in ["projects", "tokens", "users", "groups", "roles", "grants"] {
        let page = ask("GET", &format!("/v1/{list}"), &Value::Null)?.expect(200)?;
        let seen = page["items"].as_array().map(Vec::len);
        assert_eq!(
            seen,
            Some(usize::from(list == "tokens")),
            "lists are filtered, itself is seen: {list} {page}"
        );
    }
    assert_eq!(head(&server)?, before, "nothing was written");
    let whoami = ask("GET", "/v1/whoami", &Value::Null)?.expect(200)?;
    assert_eq!(whoami["principal"]["id"], lonely["id"]);
    let keys = ask("GET", &format!("/v1/tokens/{id}/keys"), &Value::Null)?.expect(200)?;
    let key_id = keys["items"][0]["id"].as_str().context("its own key")?;
    let question = json!({"permission": "read", "object": {"type": "project", "id": story.staging}});
    let answer = ask("POST", "/v1/check", &question)?.expect(200)?;
    assert_eq!(answer["reason"], "denied", "no finer reason without read_acls");
    ask("DELETE", &format!("/v1/keys/{key_id}"), &Value::Null)?.expect(200)?;
    assert_eq!(ask("GET", "/v1/whoami", &Value::Null)?.status, 401, "it revoked the key it presented");
    Ok(())
}

fn forbidden(story: &Story, own: &str) -> Vec<(&'static str, String, Value, u16)> {
    let (token, group, project) = (&story.token, &story.group, &story.staging);
    let grant = json!({"to": {"type": "group", "id": group}, "role": "Viewer", "on": {"organization": true}});
    let object = json!({"type": "project", "id": project});
    let about = json!({"principal": {"type": "token", "id": token}, "permission": "read", "object": object});
    let member = json!({"member": {"type": "token", "id": own}});
    vec![
        ("POST", "/v1/projects".into(), json!({"name": "x"}), 403),
        ("PATCH", format!("/v1/projects/{project}"), json!({"name": "x"}), 404),
        ("DELETE", format!("/v1/projects/{project}"), Value::Null, 404),
        ("POST", "/v1/catalog".into(), json!({"permissions": ["fly"]}), 403),
        ("POST", "/v1/objects".into(), json!({"type": "dataset", "id": "d", "project": project}), 404),
        ("POST", "/v1/users".into(), json!({"email": "x@example.com"}), 403),
        ("POST", "/v1/tokens".into(), json!({"name": "x"}), 403),
        ("PATCH", format!("/v1/tokens/{own}"), json!({"name": "x"}), 403),
        ("DELETE", format!("/v1/tokens/{own}"), Value::Null, 403),
        ("PATCH", format!("/v1/tokens/{token}"), json!({"name": "x"}), 404),
        ("POST", format!("/v1/tokens/{own}/keys"), json!({}), 403),
        ("POST", format!("/v1/tokens/{token}/keys"), json!({}), 404),
        ("POST", format!("/v1/keys/{}/rotate", story.key_id), json!({"grace_seconds": 0}), 404),
        ("DELETE", format!("/v1/keys/{}", story.key_id), Value::Null, 404),
        ("POST", "/v1/groups".into(), json!({"name": "x"}), 403),
        ("DELETE", format!("/v1/groups/{group}"), Value::Null, 404),
        ("POST", format!("/v1/groups/{group}/members"), member, 404),
        ("DELETE", format!("/v1/groups/{group}/members/token/{token}"), Value::Null, 404),
        ("POST", "/v1/roles".into(), json!({"name": "x", "permissions": []}), 403),
        ("DELETE", "/v1/roles/Viewer".into(), Value::Null, 404),
        ("POST", "/v1/grants".into(), grant, 403),
        ("DELETE", format!("/v1/grants/{}", story.grant), Value::Null, 404),
        ("POST", "/v1/check".into(), about.clone(), 403),
        ("POST", "/v1/explain".into(), about, 403),
        ("GET", format!("/v1/access?principal=token:{own}"), Value::Null, 403),
        ("GET", "/v1/audit".into(), Value::Null, 403),
        ("GET", "/v1/catalog".into(), Value::Null, 403),
    ]
}
