//! What forms of the console do where no browser is needed to see it.

use anyhow::{Context, Result, ensure};
use grantbook_tests::{server::Server, wire::Reply};
use serde_json::{Value, json};

const PERMISSIONS: usize = 40;
const TYPES: usize = 30;
const PROJECTS: usize = 200;

fn ids(server: &Server, commands: &[Value]) -> Result<Vec<String>> {
    let made = server.call("POST", "/v1/batch", &json!({"commands": commands}))?.expect(200)?;
    let results = made["results"].as_array().context("results")?;
    Ok(results.iter().filter_map(|result| Some(result["body"]["id"].as_str()?.to_owned())).collect())
}

/// Somebody new, with no rights; id and key.
fn person(server: &Server, name: &str) -> Result<(String, String)> {
    let email = json!({"email": format!("{name}@example.com")});
    let user = ids(server, &[post("/v1/users", &email)])?.remove(0);
    let key = server.call("POST", &format!("/v1/users/{user}/keys"), &json!({}))?.expect(201)?;
    Ok((user, key["secret"].as_str().context("a secret")?.to_owned()))
}

fn post(path: &str, body: &Value) -> Value {
    json!({"method": "POST", "path": path, "body": body})
}

/// A group whose members have other projects for every permission and type; the plan of one more member has more than 8 MiB.
fn wide_group(server: &Server) -> Result<String> {
    let permissions: Vec<String> = (0..PERMISSIONS).map(|number| format!("verb{number}")).collect();
    let types: Vec<Value> =
        (0..TYPES).map(|number| json!({"name": format!("type{number}"), "parent": "project"})).collect();
    let catalog = json!({"object_types": types, "permissions": permissions});
    server.call("POST", "/v1/catalog", &catalog)?.expect(201)?;
    let project =
        |number| post("/v1/projects", &json!({"name": format!("a project with the number {number}")}));
    let projects = ids(server, &(0..PROJECTS).map(project).collect::<Vec<_>>())?;
    let group = ids(server, &[post("/v1/groups", &json!({"name": "wide"}))])?.remove(0);
    let to = json!({"type": "group", "id": group});
    let on = |set: usize| {
        // As good as drawn at random.
        let takes =
            |number: usize| (number * 7_919 + set * 104_729).wrapping_mul(2_654_435_761) / 65_536 % 10 < 3;
        let chosen = projects.iter().enumerate().filter(|(number, _)| takes(*number));
        let include: Vec<Value> = chosen.map(|(_, id)| json!({"id": id})).collect();
        json!({"projects": {"include": include}})
    };
    let each = permissions.iter().enumerate().map(|(number, name)| {
        post("/v1/grants", &json!({"to": to, "permissions": [name], "on": on(number)}))
    });
    let of_types = (0..TYPES).map(|number| {
        let object_type = format!("type{number}");
        let on = on(number + PERMISSIONS);
        post(
            "/v1/grants",
            &json!({"to": to, "permissions": permissions, "object_type": object_type, "on": on}),
        )
    });
    ids(server, &each.chain(of_types).collect::<Vec<_>>())?;
    Ok(group)
}

/// The fields of the form that a page sends to this path.
fn fields(page: &Reply, action: &str) -> Result<Vec<(String, String)>> {
    let text = String::from_utf8(page.body.clone())?;
    let (_, form) =
        text.split_once(&format!("action=\"{action}\"")).with_context(|| format!("no {action}: {text}"))?;
    let form = form.split("</form>").next().unwrap_or_default();
    let between = |text: &str, before: &str| -> Option<String> {
        Some(text.split_once(before)?.1.split_once('"')?.0.to_owned())
    };
    let inputs = form.split("<input type=\"hidden\" ").skip(1);
    let fields = inputs.map(|input| Some((between(input, "name=\"")?, between(input, "value=\"")?)));
    let plain = |text: String| text.replace("&#34;", "\"").replace("&#38;", "&").replace("&#39;", "'");
    fields.map(|field| field.map(|(name, value)| (name, plain(value))).context("a hidden field")).collect()
}

fn apply(server: &Server, page: &Reply) -> Result<Reply> {
    let fields = fields(page, "/console/apply")?;
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    server.signed_in(&server.owner_key)?.form("/console/apply", &fields)
}

#[test]
fn a_change_whose_plan_is_too_large_is_applied_without_one() -> Result<()> {
    let server = Server::start()?;
    let group = wide_group(&server)?;
    let token = ids(&server, &[post("/v1/tokens", &json!({"name": "one"}))])?.remove(0);
    let members = |of: &str| -> Result<usize> {
        let members = server.call("GET", &format!("/v1/groups/{of}/members"), &Value::Null)?.expect(200)?;
        Ok(members["items"].as_array().context("items")?.len())
    };
    let path = format!("/console/groups/{group}/members/review");
    for (field, member, after) in
        [("member", format!("token:{token}"), 1), ("remove", format!("token:{token}"), 0)]
    {
        let before = members(&group)?;
        let page = server.signed_in(&server.owner_key)?.form(&path, &[(field, &member)])?;
        let text = String::from_utf8_lossy(&page.body);
        ensure!(page.status == 200, "{text}");
        assert!(text.contains("There is no plan of this change: "), "{text}");
        assert!(text.contains("8388608 bytes"), "{text}");
        assert_eq!(members(&group)?, before, "nothing is written yet");
        let applied = apply(&server, &page)?;
        assert_eq!(applied.status, 303, "{}", String::from_utf8_lossy(&applied.body));
        assert_eq!(members(&group)?, after);
        let page_of_group = format!("/console/groups/{group}");
        server.signed_in(&server.owner_key)?.send("GET", &page_of_group, &Value::Null)?.expect(200)?;
        // The same form once more: its request is known.
        assert_eq!(apply(&server, &page)?.status, 303);
        assert_eq!(members(&group)?, after);
    }
    Ok(())
}

#[test]
fn refusals_within_pages_are_in_the_security_log() -> Result<()> {
    let mut server = Server::init()?;
    server.set_env("GRANTBOOK_LOG", "off,grantbook::security=info");
    server.spawn()?;
    let (user, key) = person(&server, "stranger")?;
    let mut page = server.signed_in(&key)?;
    let form = [("request", "r"), ("name", "mine")];
    assert_eq!(page.form("/console/projects", &form)?.status, 422);
    let log = server.log();
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("kind=\"refused_command\"")).collect();
    let [line] = refused.as_slice() else { anyhow::bail!("{log}") };
    let who = format!("principal=user:{user} ");
    for part in ["WARN", &who, "target=\"/v1/projects\"", "status=403 code=\"forbidden\"", "client=127.0.0.1"]
    {
        assert!(line.contains(part), "{part} in {line}");
    }
    Ok(())
}

#[test]
fn add_grant_is_offered_to_everybody_who_may_give_one_on_some_project() -> Result<()> {
    let server = Server::start()?;
    let project = |number| post("/v1/projects", &json!({"name": format!("project {number}")}));
    let projects = ids(&server, &(0..120).map(project).collect::<Vec<_>>())?;
    let offers = |key: &str| -> Result<bool> {
        let page = server.signed_in(key)?.send("GET", "/console/grants", &Value::Null)?;
        ensure!(page.status == 200, "{}", String::from_utf8_lossy(&page.body));
        Ok(String::from_utf8_lossy(&page.body).contains("Add grant"))
    };
    // With and without the right to ask about access as a whole.
    for (name, permissions, on) in [
        ("all", &["read", "read_acls"][..], json!({"organization": true})),
        ("some", &["read"][..], json!({"projects": {"include": "all"}})),
    ] {
        let (user, key) = person(&server, name)?;
        let give = |permissions: &[&str], on: Value| {
            let to = json!({"type": "user", "id": user});
            server
                .call("POST", "/v1/grants", &json!({"to": to, "permissions": permissions, "on": on}))?
                .expect(201)
        };
        give(permissions, on)?;
        assert!(!offers(&key)?, "{name}");
        let last = projects.last().context("a project")?;
        give(&["create_acls"], json!({"object": {"type": "project", "id": last}}))?;
        assert!(offers(&key)?, "{name}");
    }
    Ok(())
}

#[test]
fn an_untouched_matrix_changes_nothing_for_a_manager_who_may_not_read_the_catalog() -> Result<()> {
    let server = Server::start()?;
    let group = ids(&server, &[post("/v1/groups", &json!({"name": "crew"}))])?.remove(0);
    let rights = ["read", "update", "create_acls", "delete_acls", "read_acls"];
    let (user, key) = person(&server, "manager")?;
    let on = json!({"object": {"type": "group", "id": group}});
    let to = json!({"type": "user", "id": user});
    ids(&server, &[post("/v1/grants", &json!({"to": to, "permissions": rights, "on": on}))])?;
    let to = json!({"type": "group", "id": group});
    ids(&server, &[post("/v1/grants", &json!({"to": to, "permissions": ["read", "update"], "on": on}))])?;
    let path = format!("/console/groups/{group}");
    let page = server.signed_in(&key)?.send("GET", &format!("{path}?add=edit"), &Value::Null)?;
    let text = String::from_utf8_lossy(&page.body).into_owned();
    assert!(text.contains("aria-label=\"update on"), "the permissions of its grants are columns: {text}");
    assert!(text.contains("Add grant"), "offered to who may grant on this group alone");
    let row = text.split("name=\"row\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let row = row.context("an open row")?;
    let edit = format!("{path}/edit");
    let send = |fields: &[(&str, &str)]| server.signed_in(&key)?.form(&edit, fields);
    // Nothing was changed, whether or not the form says which columns it had.
    let (read, update) = (format!("{row} read"), format!("{row} update"));
    let untouched =
        [("row", row), ("column", "read"), ("column", "update"), ("cell", &*read), ("cell", &*update)];
    assert_eq!(send(&untouched)?.status, 303);
    assert_eq!(send(&[("row", row)])?.status, 303);
    let one_less = send(&[("row", row), ("column", "update")])?;
    let commands = fields(&one_less, "/console/apply")?.remove(0).1;
    assert!(commands.contains("\"permissions\":[\"read\"]"), "{commands}");
    Ok(())
}

#[test]
fn a_form_that_was_sent_before_says_so_and_can_be_sent_again() -> Result<()> {
    let server = Server::start()?;
    let token = ids(&server, &[post("/v1/tokens", &json!({"name": "one"}))])?.remove(0);
    let path = format!("/console/tokens/{token}/keys");
    let mut page = server.signed_in(&server.owner_key)?;
    let mut send = |request: &str, end: &str| -> Result<Reply> {
        page.form(&path, &[("request", request), ("name", "first"), ("expires", end)])
    };
    assert_eq!(send("console-1", "90d")?.status, 200);
    let again = send("console-1", "91d")?;
    let text = String::from_utf8_lossy(&again.body).into_owned();
    assert_eq!(again.status, 422);
    assert!(text.contains("This form was sent before"), "{text}");
    assert!(text.contains("value=\"first\""), "what was typed is kept");
    let new = fields(&again, &path)?.remove(0).1;
    assert!(new.starts_with("console-") && new != "console-1", "{new}");
    assert_eq!(send(&new, "91d")?.status, 200);
    let keys = server.call("GET", &format!("/v1/tokens/{token}/keys"), &Value::Null)?.expect(200)?;
    assert_eq!(keys["items"].as_array().context("keys")?.len(), 2);
    Ok(())
}

#[test]
fn forms_that_no_page_sends_are_refused_as_such() -> Result<()> {
    let server = Server::start()?;
    let mut page = server.signed_in(&server.owner_key)?;
    for (path, status) in [
        ("/console/apply", 400),
        ("/console/projects", 400),
        ("/console/webhooks/foo/retry", 404),
        ("/console/keys/foo/rotate", 400),
    ] {
        let reply = page.form(path, &[("name", "x")])?;
        assert_eq!(reply.status, status, "{path}: {}", String::from_utf8_lossy(&reply.body));
    }
    Ok(())
}
