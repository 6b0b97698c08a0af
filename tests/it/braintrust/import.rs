//! `grantbook import braintrust`: the same access here, as another Grantbook tells it in Braintrust's words.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, ensure};
use grantbook_tests::server::Server;
use serde_json::{Value, json};

use crate::braintrust::{story::id, wire::ask};

const PROJECTS: [&str; 4] = ["staging", "dev", "production", "tomorrow"];
const PERMISSIONS: [&str; 4] = ["read", "create", "update", "delete"];
const PRINCIPALS: [(&str, &str); 4] =
    [("token", "bot"), ("token", "reader"), ("user", "eve@example.com"), ("user", "ada@example.com")];

/// An organization that Braintrust's words can say, but for a deny and a secret.
fn original() -> Result<Server> {
    let server = Server::start()?;
    let done = |method: &str, path: &str, body: &Value| -> Result<Value> {
        ask(server.base(), &server.owner_key, method, path, body)?.expect(200)
    };
    let mut projects = BTreeMap::new();
    for name in PROJECTS {
        projects.insert(name, id(&done("POST", "/v1/project", &json!({"name": name}))?)?);
    }
    let invited = json!({"invite_users": {
        "emails": ["eve@example.com"],
        "service_accounts": [{"name": "bot", "token_name": "k"}, {"name": "reader"}],
    }});
    let invited = done("PATCH", "/v1/organization/members", &invited)?;
    let account = |at: usize| invited["added_users"][at]["id"].clone();
    let (eve, bot, reader) = (account(0), account(1), account(2));
    let inner = id(&done("POST", "/v1/group", &json!({"name": "inner", "member_users": [bot]}))?)?;
    let outer = json!({"name": "outer", "description": "all who build", "member_groups": [inner]});
    let outer = id(&done("POST", "/v1/group", &outer)?)?;
    let permissions =
        json!([{"permission": "create"}, {"permission": "update", "restrict_object_type": "project"}]);
    let writer = json!({"name": "writer", "member_permissions": permissions});
    let writer = id(&done("POST", "/v1/role", &writer)?)?;
    let open = id(&done("POST", "/v1/project_group", &json!({"name": "open"}))?)?;
    let members = json!({"add_member_projects": [projects["staging"], projects["dev"]]});
    done("PATCH", &format!("/v1/project_group/{open}"), &members)?;
    let organization = id(&server.init["organization"])?;
    let acls = json!({"add_acls": [
        {"object_type": "project_group", "object_id": open, "group_id": outer, "role_id": writer},
        {"object_type": "org_project", "object_id": organization, "user_id": reader, "permission": "read"},
        {"object_type": "project", "object_id": projects["production"], "user_id": eve, "permission": "delete"},
        {"object_type": "organization", "object_id": organization, "user_id": eve, "permission": "read",
            "restrict_object_type": "project"},
    ]});
    done("POST", "/v1/acl/batch_update", &acls)?;
    Ok(server)
}

/// Who may do what on which project, by names.
fn access(server: &Server) -> Result<BTreeMap<String, bool>> {
    let mut found = BTreeMap::new();
    for (kind, name) in PRINCIPALS {
        for permission in PERMISSIONS {
            for project in PROJECTS {
                let args = ["check", &format!("{kind}:{name}"), permission, &format!("project:{project}")];
                let (_, said, code) = server.cli(&args)?;
                ensure!(matches!(code, 0 | 3), "{args:?}: {said}");
                found.insert(format!("{kind}:{name} {permission} {project}"), code == 0);
            }
        }
    }
    Ok(found)
}

#[test]
fn the_same_access_is_planned_made_and_then_left_alone() -> Result<()> {
    let (from, here, place) = (original()?, Server::start()?, tempfile::tempdir()?);
    // What is here already stays.
    let kept = json!({"name": "production", "labels": {"env": "production"}});
    here.call("POST", "/v1/projects", &kept)?.expect(201)?;
    let own = id(&here.call("POST", "/v1/tokens", &json!({"name": "own"}))?.expect(201)?)?;
    let group = id(&here.call("POST", "/v1/groups", &json!({"name": "inner"}))?.expect(201)?)?;
    let member = json!({"member": {"type": "token", "id": own}});
    here.call("POST", &format!("/v1/groups/{group}/members"), &member)?.expect(201)?;
    let key = place.path().join("key");
    fs::write(&key, format!("{}\n", from.owner_key))?;
    let url = format!("{}/braintrust", from.base());
    let key = key.to_str().context("a plain name")?;
    let import = ["import", "braintrust", "--from", &url, "--key-file", key];
    let (planned, noted, code) = here.cli(&[&import[..], &["--plan"]].concat())?;
    ensure!(code == 0, "{noted}");
    for text in ["create token bot", "create group outer", "grant group:outer writer on projects: labelled"] {
        ensure!(planned.contains(text), "{text}: {planned}");
    }
    ensure!(noted.contains("not carried: the secret of service token k of bot"), "{noted}");
    ensure!(noted.contains("nothing is written"), "{noted}");
    let (_, noted, code) = here.cli(&import)?;
    ensure!(code == 0 && noted.contains("applied as one record"), "{noted}");
    let (expected, found) = (access(&from)?, access(&here)?);
    assert_eq!(found, expected);
    ensure!(expected.values().any(|allowed| *allowed) && expected.values().any(|allowed| !*allowed));
    let (again, noted, code) = here.cli(&import)?;
    ensure!(code == 0 && noted.contains("nothing to do"), "{again} {noted}");
    let projects = here.call("GET", "/v1/projects?name=production", &Value::Null)?.expect(200)?;
    assert_eq!(projects["items"][0]["labels"], json!({"env": "production"}));
    let members = here.call("GET", &format!("/v1/groups/{group}/members"), &Value::Null)?.expect(200)?;
    assert_eq!(members["items"].as_array().map(Vec::len), Some(2), "its own member, and the one that came");
    Ok(())
}

#[test]
fn who_cannot_read_or_does_not_speak_this_is_told_so() -> Result<()> {
    let (server, place) = (Server::start()?, tempfile::tempdir()?);
    let key = place.path().join("key");
    fs::write(&key, "sk-nobody")?;
    let key = key.to_str().context("a plain name")?;
    let url = format!("{}/braintrust", server.base());
    for (from, key, told) in [
        (url.as_str(), key, "the list user"),
        (server.base(), key, "the list user"),
        ("ftp://h", key, "--from ftp://h"),
        (url.as_str(), "/nowhere", "the key file /nowhere"),
    ] {
        let (_, said, code) = server.cli(&["import", "braintrust", "--from", from, "--key-file", key])?;
        ensure!(code != 0 && said.contains(told), "{from}: {code} {said}");
    }
    Ok(())
}
