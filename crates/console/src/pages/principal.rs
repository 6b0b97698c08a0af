//! What the pages of one person and of one service token have in common: access, groups, keys, and how they came about.

use axum::response::Response;
use grantbook_api::{
    nouns::{batch::BatchMethod, keys::KeyOfConcern},
    people::{names::Kind, text::clean},
    words::reference::{GranteeRef, PrincipalRef},
};
use serde_json::json;

use crate::{
    review::{Change, command, review},
    shown::{
        access::{self, ShownAccess},
        account::{self, ShownKey, ShownMembership, ShownStep},
        form::Fields,
    },
    visit::{Stop, Visit, new_request, trouble},
};

/// One person or service token, as a page shows it.
pub(crate) struct Account {
    /// `user:ID` or `token:ID`.
    pub(crate) principal: String,
    /// Of its page.
    pub(crate) path: String,
    pub(crate) concerns: Vec<String>,
    /// Nothing if the caller may not ask.
    pub(crate) access: Option<ShownAccess>,
    pub(crate) groups: Vec<ShownMembership>,
    pub(crate) keys: Vec<ShownKey>,
    /// The same.
    pub(crate) steps: Option<Vec<ShownStep>>,
    pub(crate) request: String,
    /// What was typed into a form of the page that was refused.
    pub(crate) form: Fields,
    /// Whether this is the caller.
    pub(crate) is_own: bool,
    pub(crate) can_change: bool,
    pub(crate) can_delete: bool,
}

impl Account {
    pub(crate) async fn of(
        visit: &Visit,
        principal: &PrincipalRef,
        path: String,
        concerns: &[KeyOfConcern],
        form: Fields,
    ) -> Result<Self, Stop> {
        let (client, name) = (&visit.client, format!("{}:{}", principal.kind, principal.id));
        let held = visit.holds(&[("update", "org_member", ""), ("delete", "org_member", "")]).await?;
        Ok(Self {
            path,
            concerns: account::concerns(concerns),
            access: account::if_seen(access::of(client, &name, None).await)?,
            groups: account::memberships(client, &principal.clone().into()).await?,
            keys: account::keys(client, principal).await?,
            steps: account::timeline(client, &name).await?,
            request: form.text("request").map_or_else(new_request, Ok)?,
            form,
            is_own: name == visit.viewer.id,
            can_change: held.first() == Some(&true),
            can_delete: held.get(1) == Some(&true),
            principal: name,
        })
    }
}

/// The plan for putting somebody into the group that a form names.
pub(crate) async fn join(
    visit: &Visit,
    member: GranteeRef,
    form: &Fields,
    (part, back): (&'static str, String),
) -> Result<Result<Response, String>, Stop> {
    let name = form.or_empty("group");
    let group = match visit.client.id_of(Kind::Group, &name).await {
        Ok(group) => group,
        Err(error) => return Ok(Err(trouble(&error)?)),
    };
    let body = json!({"member": {"type": member.kind, "id": member.id}});
    let change = Change {
        title: format!("Add to {}", clean(&name)),
        commands: vec![command(BatchMethod::Post, format!("/v1/groups/{group}/members"), body)],
        back,
        part,
    };
    review(visit, &change).await
}
