//! `PATCH /v1/organization/members`: who comes and who goes, all of it or nothing, as one record.

use axum::response::Response;
use grantbook_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::braintrust::{
    body::{id_of, items, required, set, text, texts},
    call::{Call, answered},
    caller::Organization,
    denial::Denial,
    management::{
        accounts::{self, Kind},
        lost::{self, Whose},
    },
    native::{Native, encoded, write},
};

/// Longest life of a token that may be asked for, in seconds: a hundred years.
const TOKEN_LIFE_MAX: i64 = 100 * 366 * 24 * 3600;

/// Why a service account is not made.
const TAKEN: &str = "there is a service account of this name: use its id, or another name";

/// What one batch is to do.
#[derive(Default)]
struct Plan {
    commands: Vec<Value>,
    /// Who is invited, and where their id and secret will be.
    added: Vec<Added>,
}

/// Someone who is invited.
struct Added {
    kind: Kind,
    /// The account that is there already.
    known: Option<String>,
    /// The command that makes it, and the one that issues its key.
    made: Option<usize>,
    issued: Option<usize>,
    email: Option<String>,
    token_name: Option<String>,
}

impl Plan {
    /// Adds a command; its number.
    fn push(&mut self, command: Value) -> usize {
        self.commands.push(command);
        self.commands.len().saturating_sub(1)
    }
}

/// The call.
pub(crate) async fn update(call: Call) -> Response {
    answered(&call.native, updated(&call).await)
}

async fn updated(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    organization.require(call.text("org_id")?, call.text("org_name")?)?;
    let part = |member: &str| call.body.get(member).filter(|part| !part.is_null());
    let mut revision = call.native.revision();
    let (plan, results) = loop {
        let mut plan = planned(call, part("invite_users"), part("remove_users")).await?;
        let commands = std::mem::take(&mut plan.commands);
        if let Some(results) = revision.carried_out(commands).await? {
            break (plan, results);
        }
    };
    let added: Vec<Value> = plan.added.iter().map(|one| shown(one, &results)).collect();
    Ok(json!({
        "status": "success", "org_id": organization.id, "send_email_error": no_mail(part("invite_users")),
        "added_users": added,
    }))
}

async fn planned(call: &Call, invited: Option<&Value>, removed: Option<&Value>) -> Result<Plan, Denial> {
    let mut plan = Plan::default();
    if let Some(invited) = invited {
        if text(invited, "project_group_id")?.is_some() {
            return Err(Denial::invalid(
                "project_group_id is not supported: give grants on the project group",
            ));
        }
        invite(call, invited, &mut plan).await?;
        join(&call.native, invited, &mut plan).await?;
    }
    if let Some(removed) = removed {
        remove(&call.native, removed, &mut plan).await?;
    }
    Ok(plan)
}

/// Grantbook sends no mail, and says so to who wants some.
fn no_mail(invited: Option<&Value>) -> Value {
    let wants = invited.is_some_and(|it| it.get("send_invite_emails") == Some(&Value::Bool(true)));
    if wants { "Grantbook sends no e-mail".into() } else { Value::Null }
}

async fn invite(call: &Call, invited: &Value, plan: &mut Plan) -> Result<(), Denial> {
    for id in texts(invited, "ids")? {
        let (kind, account) = accounts::find(&call.native, id).await?;
        plan.added.push(known(kind, &account));
    }
    for email in texts(invited, "emails")? {
        if let Some((kind, account)) = accounts::of_email(&call.native, email).await? {
            plan.added.push(known(kind, &account));
        } else {
            let made = plan.push(write("POST", "/v1/users", json!({"email": email})));
            let email = Some(email.to_owned());
            plan.added.push(Added { email, ..new(Kind::User, made) });
        }
    }
    for account in items(invited, "service_accounts")? {
        invite_service_account(call, account, plan).await?;
    }
    Ok(())
}

/// Makes a service account and, if it is asked for, a key. An account of this name that was just made is the one of a request whose
/// answer was lost.
async fn invite_service_account(call: &Call, account: &Value, plan: &mut Plan) -> Result<(), Denial> {
    let name = required(account, "name")?;
    let there = call.native.named("/v1/tokens", name).await?.filter(|token| lost::is_recent(call, token));
    let (mut added, path) = if let Some(token) = &there {
        (known(Kind::Token, token), Kind::Token.path(id_of(token)))
    } else {
        let made = plan.push(write("POST", "/v1/tokens", json!({"name": name})));
        (new(Kind::Token, made), format!("/v1/tokens/${made}.id"))
    };
    if let Some(name) = text(account, "token_name")? {
        let end = end(call, account)?;
        if there.is_some() {
            let lost = lost::key(call, (&path, Whose::Anothers), (name, end.is_some()))
                .await?
                .ok_or_else(|| Denial::conflict(TAKEN))?;
            plan.push(write("DELETE", format!("/v1/keys/{}", encoded(&lost)), Value::Null));
        }
        let mut body = json!({"name": name});
        if let Some(end) = end {
            set(&mut body, "expires_at", end);
        }
        added.issued = Some(plan.push(write("POST", format!("{path}/keys"), body)));
        added.token_name = Some(name.to_owned());
    }
    plan.added.push(added);
    Ok(())
}

fn new(kind: Kind, made: usize) -> Added {
    Added { kind, known: None, made: Some(made), issued: None, email: None, token_name: None }
}

fn known(kind: Kind, account: &Value) -> Added {
    let email = Some(accounts::email(account));
    Added { kind, known: Some(id_of(account).to_owned()), made: None, issued: None, email, token_name: None }
}

/// When a token ends that lives for so many seconds.
fn end(call: &Call, account: &Value) -> Result<Option<String>, Denial> {
    let Some(seconds) = account.get("token_expires_in_seconds").filter(|it| !it.is_null()) else {
        return Ok(None);
    };
    let wrong = || Denial::invalid("token_expires_in_seconds must be a number of seconds, 1 or more");
    let seconds = seconds.as_i64().filter(|it| (1..=TOKEN_LIFE_MAX).contains(it)).ok_or_else(wrong)?;
    let now: Timestamp = call.web.app.clock.now();
    Ok(Some(now.plus_millis(seconds.saturating_mul(1000)).to_string()))
}

/// Adds all who are invited to the groups.
async fn join(native: &Native, invited: &Value, plan: &mut Plan) -> Result<(), Denial> {
    let one = |member: &str| text(invited, member);
    let mut groups: Vec<String> =
        texts(invited, "group_ids")?.into_iter().chain(one("group_id")?).map(str::to_owned).collect();
    for name in texts(invited, "group_names")?.into_iter().chain(one("group_name")?) {
        let group = native.named("/v1/groups", name).await?.ok_or_else(Denial::forbidden)?;
        groups.push(id_of(&group).to_owned());
    }
    for group in groups {
        for at in 0..plan.added.len() {
            let Some(added) = plan.added.get(at) else { continue };
            let id = match (&added.known, added.made) {
                (Some(id), _) => id.clone(),
                (None, made) => format!("${}.id", made.unwrap_or_default()),
            };
            let member = json!({"member": {"type": added.kind.word(), "id": id}});
            plan.push(write("POST", format!("/v1/groups/{}/members", encoded(&group)), member));
        }
    }
    Ok(())
}

async fn remove(native: &Native, removed: &Value, plan: &mut Plan) -> Result<(), Denial> {
    let mut accounts = Vec::new();
    for id in texts(removed, "ids")? {
        accounts.push(accounts::find(native, id).await?);
    }
    for email in texts(removed, "emails")? {
        accounts.push(accounts::of_email(native, email).await?.ok_or_else(Denial::forbidden)?);
    }
    for (kind, account) in accounts {
        plan.push(write("DELETE", kind.path(id_of(&account)), Value::Null));
    }
    Ok(())
}

fn shown(added: &Added, results: &[Value]) -> Value {
    let result = |at: Option<usize>| at.and_then(|at| results.get(at)).unwrap_or(&Value::Null);
    let made = result(added.made);
    let id = added.known.as_deref().unwrap_or_else(|| id_of(made));
    let email = added.email.clone().unwrap_or_else(|| accounts::email(made));
    json!({
        "id": id, "email": email, "api_key": result(added.issued).get("secret").cloned().unwrap_or_default(),
        "token_name": added.token_name,
    })
}
