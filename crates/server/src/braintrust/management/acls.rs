//! The calls for ACLs.

use std::collections::HashMap;

use axum::{http::Method, response::Response};
use serde_json::{Value, json};

use crate::braintrust::{
    body::{id_of, items, string_of, text},
    call::{Call, answered},
    caller::Organization,
    denial::Denial,
    management::{accounts, acl, project_groups},
    native::{Native, encoded, write},
    page::{page, part},
};

/// An ACL that a body asks for.
struct Wanted {
    /// As the body of a native grant.
    grant: Value,
    /// As it will be shown.
    row: Value,
    /// ACLs that say the same, with their grants.
    found: Vec<(Value, Value)>,
}

/// ACLs with their grants, by the native list that they are in: a batch asks for each list once.
type Known = HashMap<String, Vec<(Value, Value)>>;

impl Wanted {
    async fn read(
        native: &Native,
        item: &Value,
        organization: &str,
        known: &mut Known,
    ) -> Result<Self, Denial> {
        let user = match text(item, "user_id")? {
            Some(id) => Some(accounts::find(native, id).await?.0.word()),
            None => None,
        };
        let grant = acl::grant(item, organization, user)?;
        if string_of(item, "object_type").starts_with("project_group") {
            project_groups::find(native, string_of(item, "object_id")).await?;
        }
        let row = acl::rows(&grant, organization).into_iter().next();
        let row = row.ok_or_else(|| Denial::invalid("the permission or the object type is not known"))?;
        let to = grant.get("to").unwrap_or(&Value::Null);
        let path = format!("/v1/grants?to={}:{}", string_of(to, "type"), encoded(id_of(to)));
        if !known.contains_key(&path) {
            let grants = native.list(&path).await?;
            let each = |grant: &Value| -> Vec<_> {
                acl::rows(grant, organization).into_iter().map(|row| (row, grant.clone())).collect()
            };
            known.insert(path.clone(), grants.iter().flat_map(each).collect());
        }
        let rows = known.get(&path).map_or(&[][..], Vec::as_slice);
        let found = rows.iter().filter(|(one, _)| acl::says_the_same(one, &row)).cloned().collect();
        Ok(Self { grant, row, found })
    }

    /// The ACL that is there already, if it is all that its grant says.
    fn existing(&self) -> Option<&(Value, Value)> {
        self.found.iter().find(|(row, _)| acl::is_whole(row))
    }
}

fn is_part_of(row: &Value) -> Denial {
    let grant = id_of(row).split('.').next().unwrap_or_default();
    let text = "this ACL is a part of a grant that these calls cannot name whole, and all of it would end: use DELETE /v1/grants";
    Denial::conflict(format!("{text}/{grant} of the native API"))
}

fn ends(grant: &Value) -> Denial {
    let (id, at) = (id_of(grant), string_of(grant, "expires_at"));
    let text = "there is such an ACL, which ends at";
    Denial::conflict(format!(
        "{text} {at}; these calls cannot name an end: see GET /v1/grants/{id} of the native API"
    ))
}

/// `POST /v1/acl`: the ACL that says this, made if there is none.
pub(crate) async fn create(call: Call) -> Response {
    answered(&call.native, created(&call, false).await)
}

/// `PUT /v1/acl`: the same, but one that ends is refused.
pub(crate) async fn replace(call: Call) -> Response {
    answered(&call.native, created(&call, true).await)
}

async fn created(call: &Call, replaces: bool) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    let wanted = Wanted::read(&call.native, &call.body, &organization.id, &mut Known::new()).await?;
    match wanted.existing() {
        Some((_, grant)) if replaces && is_ending(grant) => Err(ends(grant)),
        Some((row, _)) => Ok(row.clone()),
        None => {
            let made = call.native.command(Method::POST, "/v1/grants", &wanted.grant).await?;
            Ok(shown(&made, &organization.id, wanted.row))
        }
    }
}

fn is_ending(grant: &Value) -> bool {
    grant.get("expires_at").is_some_and(|at| !at.is_null())
}

/// A grant that was just made.
fn shown(made: &Value, organization: &str, wanted: Value) -> Value {
    acl::rows(made, organization).into_iter().next().unwrap_or(wanted)
}

/// `POST /v1/acl/batch_update`: all or nothing, as one record. What is there already is left, what is not there needs no removal.
pub(crate) async fn batch(call: Call) -> Response {
    answered(&call.native, batched(&call).await)
}

async fn batched(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    let mut revision = call.native.revision();
    let (mut plan, results) = loop {
        let (mut plan, mut known) = (Plan::default(), Known::new());
        for item in items(&call.body, "add_acls")? {
            plan.add(Wanted::read(&call.native, item, &organization.id, &mut known).await?)?;
        }
        for item in items(&call.body, "remove_acls")? {
            plan.remove(Wanted::read(&call.native, item, &organization.id, &mut known).await?)?;
        }
        let commands = std::mem::take(&mut plan.commands);
        if let Some(results) = revision.carried_out(commands).await? {
            break (plan, results);
        }
    };
    let made = results.iter().take(plan.made.len()).zip(plan.made);
    plan.added.extend(made.map(|(made, wanted)| shown(made, &organization.id, wanted)));
    Ok(json!({"added_acls": plan.added, "removed_acls": plan.removed}))
}

/// What a batch is to do: first it makes grants, then it ends some.
#[derive(Default)]
struct Plan {
    commands: Vec<Value>,
    /// ACLs that are there already,
    added: Vec<Value>,
    /// that will be made,
    made: Vec<Value>,
    /// and that will end.
    removed: Vec<Value>,
}

impl Plan {
    fn add(&mut self, wanted: Wanted) -> Result<(), Denial> {
        match wanted.existing() {
            Some((_, grant)) if is_ending(grant) => return Err(ends(grant)),
            Some((row, _)) if !self.added.contains(row) => self.added.push(row.clone()),
            None if !self.made.contains(&wanted.row) => {
                self.commands.push(write("POST", "/v1/grants", wanted.grant));
                self.made.push(wanted.row);
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    fn remove(&mut self, wanted: Wanted) -> Result<(), Denial> {
        for (row, _) in wanted.found {
            if !acl::is_whole(&row) {
                return Err(is_part_of(&row));
            }
            if !self.removed.contains(&row) {
                self.commands.push(ending(&row));
                self.removed.push(row);
            }
        }
        Ok(())
    }
}

/// The command that ends an ACL's grant.
fn ending(row: &Value) -> Value {
    write("DELETE", format!("/v1/grants/{}", encoded(id_of(row))), Value::Null)
}

/// `DELETE /v1/acl`, by what it says.
pub(crate) async fn delete_like(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        let wanted = Wanted::read(&call.native, &call.body, &organization.id, &mut Known::new()).await?;
        let Some((first, _)) = wanted.found.first() else { return Err(Denial::forbidden()) };
        if let Some((row, _)) = wanted.found.iter().find(|(row, _)| !acl::is_whole(row)) {
            return Err(is_part_of(row));
        }
        call.native.batch(wanted.found.iter().map(|(row, _)| ending(row)).collect()).await?;
        Ok(first.clone())
    };
    answered(&call.native, outcome.await)
}

/// `GET /v1/acl/{id}`
pub(crate) async fn get(call: Call) -> Response {
    answered(&call.native, got(&call).await)
}

async fn got(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    let id = call.at(0);
    let grant = id.split('.').next().unwrap_or_default();
    let grant = call.native.get(&format!("/v1/grants/{}", encoded(grant))).await?;
    let mut rows = acl::rows(&grant, &organization.id).into_iter();
    rows.find(|row| id_of(row) == id).ok_or_else(Denial::forbidden)
}

/// `DELETE /v1/acl/{id}`
pub(crate) async fn delete(call: Call) -> Response {
    let outcome = async {
        let row = got(&call).await?;
        if !acl::is_whole(&row) {
            return Err(is_part_of(&row));
        }
        let path = format!("/v1/grants/{}", encoded(id_of(&row)));
        call.native.command(Method::DELETE, &path, &Value::Null).await?;
        Ok(row)
    };
    answered(&call.native, outcome.await)
}

/// `GET /v1/acl`: those on an object itself, not on what it lies in.
pub(crate) async fn list(call: Call) -> Response {
    let outcome = async {
        let missing = || Denial::invalid("the parameters object_type and object_id are required");
        let object_type = call.parameter("object_type").ok_or_else(missing)?;
        let id = call.parameter("object_id").ok_or_else(missing)?;
        let organization = Organization::of(&call.native).await?;
        // The words under which it is shown.
        let (object_type, restrict) = match object_type {
            "project_log" => ("project", Some("project_log")),
            "project_group_projects" => ("project_group", None),
            other => (other, None),
        };
        let path = match object_type {
            "project" => format!("/v1/grants?project={}", encoded(id)),
            _ => "/v1/grants".to_owned(),
        };
        let mut rows = filtered(&call, &path, &organization.id).await?;
        rows.retain(|row| string_of(row, "object_type") == object_type && string_of(row, "object_id") == id);
        rows.retain(|row| restrict.is_none_or(|one| string_of(row, "restrict_object_type") == one));
        page(&call, rows)
    };
    answered(&call.native, outcome.await)
}

/// `GET /v1/acl/list_org`: all of them, without an envelope.
pub(crate) async fn list_all(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        let object = json!({"type": "organization", "id": organization.id});
        let check = json!({"permission": "read_acls", "object": object});
        if call.native.ask("/v1/check", &check).await?.get("allowed") != Some(&Value::Bool(true)) {
            return Err(Denial::forbidden());
        }
        let rows = filtered(&call, "/v1/grants", &organization.id).await?;
        Ok(Value::Array(part(&call, rows)?))
    };
    answered(&call.native, outcome.await)
}

/// The ACLs of native grants that the query wants, newest first.
async fn filtered(call: &Call, path: &str, organization: &str) -> Result<Vec<Value>, Denial> {
    let grants = call.native.list(path).await?;
    let mut rows: Vec<Value> = grants.iter().rev().flat_map(|grant| acl::rows(grant, organization)).collect();
    for word in ["user_id", "group_id", "permission", "role_id", "restrict_object_type"] {
        if let Some(wanted) = call.parameter(word) {
            rows.retain(|row| string_of(row, word) == wanted);
        }
    }
    Ok(rows)
}
