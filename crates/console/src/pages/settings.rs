//! Settings: the caller's own sessions and keys, the limits of the organization, and the catalog.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use grantbook_api::{
    limits::LimitItem,
    nouns::catalog::{ExtendCatalog, NewObjectType, ObjectType},
    people::text::clean,
    words::reference::{PrincipalRef, PrincipalType},
};

use crate::{
    frame::Frame,
    pages::keys,
    shown::{
        account::{self, ShownKey, ShownSession},
        form::Fields,
    },
    visit::{Stop, Visit, after, new_request, page_of, refusal},
};

const PART: &str = "/console/settings";

struct Limit {
    counts: String,
    used: String,
    value: u64,
    /// In hundredths.
    share: Option<u64>,
    advice: String,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    path: &'static str,
    sessions: Vec<ShownSession>,
    keys: Vec<ShownKey>,
    request: String,
    /// What was typed.
    form: Fields,
    limits: Vec<Limit>,
    permissions: String,
    object_types: String,
    can_extend: bool,
    can_issue: bool,
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Stop> {
    shown(&visit, Fields::default(), None).await
}

async fn shown(visit: &Visit, form: Fields, wrong: Option<String>) -> Result<Response, Stop> {
    let client = &visit.client;
    let catalog = account::seen(client.catalog().await.map(|answer| Some(answer.value)))?;
    let limits = account::seen(client.limits().await.map(|answer| answer.value.items))?;
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let mut frame = visit.frame("Settings", PART, "grantbook limits; grantbook catalog show");
    let form = form.after(wrong.as_deref());
    frame.trouble = wrong;
    let page = SettingsPage {
        frame,
        path: PART,
        sessions: account::sessions(client, None, &visit.session).await?,
        keys: account::keys(client, &own(visit)).await?,
        request: form.text("request").map_or_else(new_request, Ok)?,
        form,
        limits: limits.iter().map(limit).collect(),
        can_issue: visit.may("update", "org_member", "").await?,
        can_extend: visit.may("delegate", "organization", "").await?,
        permissions: catalog.as_ref().map(|catalog| catalog.permissions.join(", ")).unwrap_or_default(),
        object_types: catalog
            .iter()
            .flat_map(|catalog| &catalog.object_types)
            .map(type_words)
            .collect::<Vec<_>>()
            .join(", "),
    };
    Ok((status, page_of(&page)).into_response())
}

fn type_words(one: &ObjectType) -> String {
    match &one.parent {
        Some(parent) => format!("{} (below {parent})", one.name),
        None => one.name.clone(),
    }
}

fn limit(item: &LimitItem) -> Limit {
    Limit {
        counts: clean(&item.counts),
        used: item.used.map_or_else(|| "-".to_owned(), |used| used.to_string()),
        value: item.value,
        share: item.used.map(|used| used.saturating_mul(100) / item.value.max(1)),
        advice: clean(&item.advice),
    }
}

/// The caller.
fn own(visit: &Visit) -> PrincipalRef {
    let id = visit.viewer.id.split_once(':').map(|(_, id)| id).unwrap_or_default();
    PrincipalRef { kind: PrincipalType::User, id: id.to_owned() }
}

pub(crate) async fn issue_key(visit: Visit, form: Fields) -> Result<Response, Stop> {
    match keys::issue(&visit, &own(&visit), &form, (PART, PART)).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(&visit, form, Some(text)).await,
    }
}

pub(crate) async fn extend_catalog(visit: Visit, form: Fields) -> Result<Response, Stop> {
    let listed = |name: &str| -> Vec<String> {
        let text = form.or_empty(name);
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let object_type = |text: String| {
        let (name, parent) = text.split_once(':').unwrap_or((&text, "project"));
        NewObjectType { name: name.trim().to_owned(), parent: parent.trim().to_owned() }
    };
    let body = ExtendCatalog {
        permissions: listed("permissions"),
        object_types: listed("types").into_iter().map(object_type).collect(),
    };
    if body.permissions.is_empty() && body.object_types.is_empty() {
        return shown(&visit, form, Some("Name a permission or an object type.".to_owned())).await;
    }
    match visit.client.extend_catalog(&body).await {
        Ok(answer) => Ok(after(PART, answer.position.as_deref())),
        Err(error) => shown(&visit, form, Some(refusal(&error)?)).await,
    }
}
