//! What management calls mean: an ACL is a grant, and what these words cannot say stays in force.

use anyhow::{Context, Result, ensure};
use grantbook_tests::{scene::Scene, server::Server, wire::Reply};
use serde_json::{Value, json};

use crate::braintrust::{
    story::{account, id},
    wire::ask,
};

/// An organization in one process, and a caller.
struct Asking {
    scene: Scene,
    key: String,
    org: String,
}

impl Asking {
    fn owner() -> Result<Self> {
        Self::owner_of(Scene::embedded()?)
    }

    fn owner_of(scene: Scene) -> Result<Self> {
        let key = scene.writes.owner_key.clone();
        let org = id(&scene.writes.init["organization"])?;
        Ok(Self { scene, key, org })
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Reply> {
        ask(self.scene.writes.base(), &self.key, method, path, body)
    }

    fn done(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        self.send(method, path, body)?.expect(200)
    }

    fn listed(&self, path: &str) -> Result<Vec<Value>> {
        let answer = self.done("GET", path, &Value::Null)?;
        Ok(answer["objects"].as_array().context("objects")?.clone())
    }

    fn refused(&self, (method, path): (&str, &str), body: &Value, status: u16) -> Result<String> {
        let reply = self.send(method, path, body)?;
        ensure!(reply.status == status, "{method} {path}: {} {}", reply.status, reply.text_body());
        Ok(reply.text_body())
    }

    fn conflict(&self, method: &str, path: &str, body: &Value) -> Result<String> {
        let reply = self.send(method, path, body)?;
        ensure!(reply.status == 409, "{method} {path}: {} {}", reply.status, reply.text_body());
        ensure!(reply.header("x-should-retry") == Some("false"), "a client would try again");
        let text = reply.text_body();
        ensure!(text.contains("of the native API"), "{text}");
        Ok(text)
    }
}

#[test]
fn what_the_words_cannot_say_stays_in_force() -> Result<()> {
    let it = Asking::owner()?;
    let project = id(&it.done("POST", "/v1/project", &json!({"name": "staging"}))?)?;
    let group = id(&it.done("POST", "/v1/group", &json!({"name": "g"}))?)?;
    let to = json!({"type": "group", "id": group});
    let on = json!({"object": {"type": "project", "id": project}});
    let give = |more: Value| -> Result<String> {
        let mut body = json!({"to": to, "on": on});
        body.as_object_mut().context("a body")?.extend(more.as_object().context("more")?.clone());
        id(&it.scene.post("/v1/grants", &body)?)
    };
    let ending = give(json!({"permissions": ["read"], "expires_at": "2199-01-01T00:00:00Z"}))?;
    let both = give(json!({"permissions": ["update", "delegate"]}))?;
    give(json!({"permissions": ["read"], "effect": "deny"}))?;
    let all_but = json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}});
    give(json!({"role": "Engineer", "on": all_but}))?;
    let shown = it.listed(&format!("/v1/acl?object_type=project&object_id={project}"))?;
    let shown: Vec<(&str, &str)> = shown
        .iter()
        .map(|row| (row["id"].as_str().unwrap_or_default(), row["permission"].as_str().unwrap_or_default()))
        .collect();
    // Newest first: the part that can be said of the second, and the first without its end.
    assert_eq!(shown, [(format!("{both}.0").as_str(), "update"), (ending.as_str(), "read")]);
    let acl = |permission: &str| json!({"object_type": "project", "object_id": project, "group_id": group, "permission": permission});
    assert_eq!(id(&it.done("POST", "/v1/acl", &acl("read"))?)?, ending, "what is there is left as it is");
    it.conflict("PUT", "/v1/acl", &acl("read"))?;
    it.conflict("POST", "/v1/acl/batch_update", &json!({"add_acls": [acl("delete"), acl("read")]}))?;
    it.conflict("POST", "/v1/acl/batch-update", &json!({"remove_acls": [acl("update")]}))?;
    it.conflict("DELETE", "/v1/acl", &acl("update"))?;
    it.conflict("DELETE", &format!("/v1/acl/{both}.0"), &Value::Null)?;
    let after = it.listed(&format!("/v1/acl?object_type=project&object_id={project}"))?;
    assert_eq!(after.len(), 2, "a batch that is refused changes nothing: {after:?}");
    // Taking away what ends is taking it away.
    assert_eq!(it.done("DELETE", "/v1/acl", &acl("read"))?["id"], ending);
    it.refused(("DELETE", "/v1/acl"), &acl("read"), 403)?;

    let role =
        it.done("POST", "/v1/role", &json!({"name": "r", "member_permissions": [{"permission": "read"}]}))?;
    let path = format!("/v1/roles/{}", id(&role)?);
    let native = json!({"permissions": [{"permission": "read"}, {"permission": "delegate"}]});
    it.scene.writes.call("PATCH", &path, &native)?.expect(200)?;
    it.conflict("PUT", "/v1/role", &json!({"name": "r", "member_permissions": [{"permission": "update"}]}))?;
    let added = json!({"add_member_permissions": [{"permission": "update"}]});
    let patched = it.done("PATCH", &format!("/v1/role/{}", id(&role)?), &added)?;
    let permissions = json!([
        {"permission": "read", "restrict_object_type": null}, {"permission": "update", "restrict_object_type": null}
    ]);
    assert_eq!(patched["member_permissions"], permissions);
    let native = it.scene.writes.call("GET", &path, &Value::Null)?.expect(200)?;
    assert!(native["permissions"].to_string().contains("delegate"), "{native}");

    let token = id(&it.scene.post("/v1/tokens", &json!({"name": "t"}))?)?;
    let narrow = json!({"name": "narrow", "narrow": {"permissions": ["read"]}});
    it.scene.post(&format!("/v1/tokens/{token}/keys"), &narrow)?;
    it.conflict("PUT", "/v1/service_token", &json!({"name": "narrow", "service_account_id": token}))?;
    let until = json!({"member": {"type": "token", "id": token}, "expires_at": "2199-01-01T00:00:00Z"});
    it.scene.post(&format!("/v1/groups/{group}/members"), &until)?;
    let replaced = it.done("PUT", "/v1/group", &json!({"name": "g", "member_users": [token]}))?;
    assert_eq!(replaced["member_users"], json!([token]));
    let members =
        it.scene.writes.call("GET", &format!("/v1/groups/{group}/members"), &Value::Null)?.expect(200)?;
    assert_eq!(members["items"][0]["expires_at"], "2199-01-01T00:00:00.000Z");
    Ok(())
}

/// Joining a project group is being relabelled: it needs the right to give what the members of the group's ACLs would gain.
#[test]
fn nobody_labels_himself_in() -> Result<()> {
    let owner = Asking::owner()?;
    let staging = id(&owner.done("POST", "/v1/project", &json!({"name": "staging"}))?)?;
    let hidden = id(&owner.done("POST", "/v1/project", &json!({"name": "payroll"}))?)?;
    let project_group = id(&owner.done("POST", "/v1/project_group", &json!({"name": "open"}))?)?;
    let path = format!("/v1/project_group/{project_group}");
    let labelled = owner.done("PATCH", &path, &json!({"add_member_projects": [staging]}))?;
    assert_eq!(labelled["member_projects"], json!([staging]));
    // An account that may update every project, see project groups, and delete nothing.
    let invited = json!({"invite_users": {"service_accounts": [{"name": "bot", "token_name": "k"}]}});
    let invited = owner.done("PATCH", "/v1/organization/members", &invited)?;
    let (bot, key) = (invited["added_users"][0]["id"].clone(), invited["added_users"][0]["api_key"].clone());
    let organization = |permission: &str| {
        json!({
            "object_type": "organization", "object_id": owner.org, "user_id": bot, "permission": permission
        })
    };
    let on_group = json!({
        "object_type": "project_group", "object_id": project_group, "user_id": bot, "permission": "delete"
    });
    owner.done(
        "POST",
        "/v1/acl/batch_update",
        &json!({"add_acls": [organization("read"), organization("update"), on_group]}),
    )?;
    let Asking { scene, org, .. } = owner;
    let bot = Asking { scene, org, key: key.as_str().context("a key")?.to_owned() };
    let may_delete = |project: &str| -> Result<bool> {
        let check = json!({"permission": "delete", "object": {"type": "project", "id": project}});
        let base = bot.scene.writes.base();
        let answer = grantbook_tests::wire::Http::connect(base)?.as_bearer(&bot.key).send(
            "POST",
            "/v1/check",
            &check,
        )?;
        Ok(answer.expect(200)?["allowed"] == true)
    };
    assert!(may_delete(&staging)? && !may_delete(&hidden)?);
    bot.refused(("PATCH", &path), &json!({"add_member_projects": [hidden]}), 403)?;
    assert_eq!(bot.done("GET", &path, &Value::Null)?["member_projects"], json!([staging]));
    assert!(!may_delete(&hidden)?);
    // Nor by the native label.
    let labels = json!({"labels": {format!("braintrust.project_group/{project_group}"): "member"}});
    let base = bot.scene.writes.base();
    let mut native = grantbook_tests::wire::Http::connect(base)?.as_bearer(&bot.key);
    assert_eq!(native.send("PATCH", &format!("/v1/projects/{hidden}"), &labels)?.status, 403);
    Ok(())
}

#[test]
fn the_native_rules_hold_here_too() -> Result<()> {
    let owner = Asking::owner()?;
    let user = id(&owner.scene.writes.init["user"])?;
    let remove = json!({"remove_users": {"ids": [user]}});
    let text = owner.refused(("PATCH", "/v1/organization/members"), &remove, 409)?;
    assert!(text.contains("member of Owners"), "{text}");
    owner.done("POST", "/v1/group", &json!({"name": "payroll", "description": "not for everybody"}))?;
    let staging = id(&owner.done("POST", "/v1/project", &json!({"name": "staging"}))?)?;
    let role = json!({"name": "r", "member_permissions": [{"permission": "fly"}]});
    owner.refused(("POST", "/v1/role"), &role, 403)?;
    let application = account(&owner.scene, "application")?;
    let Asking { scene, org, .. } = owner;
    let it = Asking { scene, org, key: application.secret };
    let acl =
        json!({"object_type": "project", "object_id": staging, "user_id": user, "permission": "delete_acls"});
    let hidden = [
        it.refused(("POST", "/v1/group"), &json!({"name": "payroll"}), 403)?,
        it.refused(("POST", "/v1/group"), &json!({"name": "another"}), 403)?,
        it.refused(("PUT", "/v1/group"), &json!({"name": "payroll"}), 403)?,
        it.refused(("GET", "/v1/user/01890000-0000-7000-8000-000000000000"), &Value::Null, 403)?,
        it.refused(("GET", &format!("/v1/user/{user}")), &Value::Null, 403)?,
        it.refused(("POST", "/v1/acl"), &acl, 403)?,
        it.refused(("GET", "/v1/acl/list_org"), &Value::Null, 403)?,
        it.refused(("POST", "/v1/api_key"), &json!({"name": "k"}), 403)?,
        it.refused(("GET", "/v1/organization/01890000-0000-7000-8000-000000000000"), &Value::Null, 403)?,
    ];
    assert!(hidden.iter().all(|body| *body == hidden[0]), "{hidden:?}");
    assert_eq!(it.listed("/v1/group")?.len(), 0);
    assert_eq!(it.listed("/v1/user")?.len(), 1, "itself");
    for (call, body) in [
        (("POST", "/v1/group"), json!({"name": "$0.id"})),
        (("POST", "/v1/group"), json!({"name": "g", "member_users": "u"})),
        (("POST", "/v1/service_token"), json!({"name": "k"})),
        (("GET", "/v1/acl"), Value::Null),
        (("GET", "/v1/group?limit=many"), Value::Null),
    ] {
        it.refused(call, &body, 400)?;
    }
    Ok(())
}

#[test]
fn the_limits_of_an_organization_hold_here_too() -> Result<()> {
    let mut server = Server::init()?;
    server.set_env("GRANTBOOK_LIMITS", "memberships=2");
    server.spawn()?;
    let it = Asking::owner_of(Scene::alone(server))?;
    let user = id(&it.scene.writes.init["user"])?;
    // The owner is in Owners already.
    it.done("POST", "/v1/group", &json!({"name": "one", "member_users": [user]}))?;
    let text = it.refused(("POST", "/v1/group"), &json!({"name": "two", "member_users": [user]}), 400)?;
    ensure!(text.contains("at most 2 groups"), "{text}");
    let two = it.done("POST", "/v1/group", &json!({"name": "two"}))?;
    assert_eq!(two["member_users"], json!([]), "a refused group is not there");
    Ok(())
}

/// Each adds one of its own to one role and one project's labels at the same time as others: all are there in the end.
#[test]
fn what_others_change_at_the_same_time_is_not_lost() -> Result<()> {
    let it = Asking::owner()?;
    let role = id(&it.done("POST", "/v1/role", &json!({"name": "r"}))?)?;
    let project = id(&it.done("POST", "/v1/project", &json!({"name": "p"}))?)?;
    let types = ["project", "experiment", "dataset", "prompt"];
    std::thread::scope(|scope| -> Result<()> {
        let each: Vec<_> = types
            .iter()
            .map(|word| {
                let (it, role, project) = (&it, &role, &project);
                scope.spawn(move || -> Result<()> {
                    let group = id(&it.done("POST", "/v1/project_group", &json!({"name": word}))?)?;
                    let add = json!({"add_member_projects": [project]});
                    it.done("PATCH", &format!("/v1/project_group/{group}"), &add)?;
                    let permission = json!({"permission": "read", "restrict_object_type": word});
                    let add = json!({"add_member_permissions": [permission]});
                    it.done("PATCH", &format!("/v1/role/{role}"), &add).map(drop)
                })
            })
            .collect();
        each.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a panic"))?)
    })?;
    let role = it.done("GET", &format!("/v1/role/{role}"), &Value::Null)?;
    assert_eq!(role["member_permissions"].as_array().map(Vec::len), Some(types.len()), "{role}");
    for group in it.listed("/v1/project_group")? {
        assert_eq!(group["member_projects"], json!([project]), "{group}");
    }
    Ok(())
}
