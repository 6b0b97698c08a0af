//! Grants: as rows of a table, and as a form says them.

use grantbook_api::{
    client::Client,
    nouns::grants::{CreateGrant, Effect, Grant},
    people::{
        names::{Kind, NameBook, NameError},
        reference::ObjectArg,
        scope::{self, AtomArg, selector},
        text::clean,
        when::{Expiry, instant},
    },
    words::{reference::GranteeRef, scope::Scope},
};

use crate::shown::{form::Fields, time::minute_or_dash};

/// A grant.
#[derive(Debug)]
pub(crate) struct ShownGrant {
    pub(crate) id: String,
    pub(crate) to: String,
    pub(crate) gives: String,
    /// The only type that it is on.
    pub(crate) only: String,
    pub(crate) on: String,
    /// Whether it selects projects: which ones is a question.
    pub(crate) selects: bool,
    pub(crate) ends: String,
    pub(crate) reason: String,
    pub(crate) is_deny: bool,
    pub(crate) builtin: bool,
    /// The page that revokes it.
    pub(crate) back: String,
}

pub(crate) async fn row(grant: &Grant, names: &NameBook<'_>, back: &str) -> ShownGrant {
    ShownGrant {
        id: grant.id.clone(),
        to: clean(&names.grantee(&grant.to).await),
        gives: clean(&scope::gives(grant, names).await),
        only: grant.object_type.as_ref().map(|name| format!(" ({name} only)")).unwrap_or_default(),
        on: clean(&scope::words(&grant.on, names).await),
        selects: matches!(grant.on, Scope::Projects(_)),
        ends: minute_or_dash(grant.expires_at.as_deref()),
        reason: clean(grant.reason.as_deref().unwrap_or("-")),
        is_deny: grant.effect == Effect::Deny,
        builtin: grant.builtin,
        back: back.to_owned(),
    }
}

/// The grant that a form asks for.
pub(crate) async fn of_form(
    client: &Client,
    to: GranteeRef,
    form: &Fields,
) -> Result<CreateGrant, NameError> {
    let role = match form.text("role") {
        Some(name) => Some(client.id_of(Kind::Role, &name).await?),
        None => None,
    };
    let permissions: Vec<String> = form.all("permission").map(str::to_owned).collect();
    let on = match form.text("where").as_deref() {
        Some("organization") => Scope::ORGANIZATION,
        Some("object") => {
            let object: ObjectArg = form.or_empty("object").parse().map_err(NameError::Malformed)?;
            Scope::Object(client.object_of(&object, form.text("object_project").as_deref()).await?)
        }
        _ => Scope::Projects(
            selector(client, &conditions(form, "include")?, &conditions(form, "exclude")?).await?,
        ),
    };
    Ok(CreateGrant {
        to,
        permissions: (role.is_none() || !permissions.is_empty()).then_some(permissions),
        role,
        on,
        effect: if form.is_ticked("effect", "deny") { Effect::Deny } else { Effect::Allow },
        object_type: None,
        expires_at: expiry(form)?,
        reason: form.text("reason"),
    })
}

/// The field `expires`: an age, an instant or nothing.
pub(crate) fn expiry(form: &Fields) -> Result<Option<String>, NameError> {
    let given = form.text("expires").map(|text| text.parse::<Expiry>()).transpose();
    let given = given.map_err(NameError::Malformed)?;
    instant(given.as_ref()).map_err(|error| NameError::Malformed(error.to_string()))
}

fn conditions(form: &Fields, field: &str) -> Result<Vec<AtomArg>, NameError> {
    let lines = form.lines(field);
    if lines.is_empty() && field == "include" {
        let detail = "Projects: write at least one condition, such as `all`";
        return Err(NameError::Malformed(detail.to_owned()));
    }
    lines.iter().map(|line| line.parse().map_err(NameError::Malformed)).collect()
}
