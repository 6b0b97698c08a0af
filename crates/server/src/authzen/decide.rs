//! One decision, by the same checks as the native API's, and what may be told of it.

use grantbook_api::{
    authzen::{ActionName, Decision, Entity},
    questions::check::Reason,
};
use grantbook_domain::{
    access::{
        check::{Question, Target},
        rights::Ask,
    },
    model::{Token, User},
    principal::Principal,
};
use grantbook_views::Document;
use serde_json::{Value, json};

use crate::{
    http::problem::Failure,
    read::{
        context::{
            Permit,
            authz::{Authorizer, Resource},
            paging::PinnedPage,
        },
        questions::check::word,
    },
};

/// A whole question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) subject: &'a Entity,
    pub(super) action: &'a ActionName,
    pub(super) resource: &'a Entity,
    pub(super) context: Option<&'a Value>,
}

/// The decision. A question about another subject needs `read_acls` on the object. An unknown subject, action or resource is denied.
pub(super) fn decide(authorizer: &mut Authorizer<'_>, asked: &Asked<'_>) -> Result<Decision, Failure> {
    let reading = authorizer.reading();
    let object = target(asked.resource);
    let home = authorizer.home_meant(object, &asked.action.name)?;
    let object = Target { project: home.as_deref().or(object.project), ..object };
    let principal = authorizer.principal_with_id(&asked.subject.kind, &asked.subject.id)?;
    let own = principal == Some(reading.caller.principal);
    let key = if own { authorizer.own_key(Ask::Check, object)? } else { None };
    let permit = authorizer.require_unless_own(own, Ask::Check, &Resource::Asked(object))?;
    let question = Question { principal, key, permission: &asked.action.name, object };
    let reason = authorizer.check(permit, &question)?;
    reading.web.metrics.check(reason.allows());
    let context = if explains(asked.context) {
        // As in a check: without the right to ask about others a denial gives no finer reason.
        let fine = reason.allows() || !own || authorizer.may(Ask::Explain, &Resource::Asked(object))?;
        let told = if fine { word(reason) } else { Reason::Denied };
        Some(json!({"grantbook": {"reason": told, "position": reading.position_text}}))
    } else {
        None
    };
    Ok(Decision { decision: reason.allows(), context })
}

/// Whether a request's context asks for more than the bare answer.
pub(super) fn explains(context: Option<&Value>) -> bool {
    context.and_then(|context| context.pointer("/grantbook/explain")) == Some(&Value::Bool(true))
}

/// The object that a resource is.
pub(super) fn target(resource: &Entity) -> Target<'_> {
    let properties = resource.properties.as_ref();
    let project = properties.and_then(|properties| properties.get("project")).and_then(Value::as_str);
    Target { object_type: &resource.kind, id: &resource.id, project }
}

/// What a subject found is called: its external id, if the caller may read it and it leads back, else its id.
pub(super) fn subject_id<'r>(
    authorizer: &mut Authorizer<'r>,
    (page, permit): (&PinnedPage<'r>, Permit<'r>),
    who: Principal,
) -> Result<String, Failure> {
    let (snapshot, org) = (page.rows(permit), permit.reading().org);
    let (kind, id, external_id) = match who {
        Principal::User(id) => {
            let user = snapshot.get::<User>(org, &id)?;
            ("user", id.to_string(), user.and_then(|user| user.external_id().map(str::to_owned)))
        }
        Principal::Token(id) => {
            let token = snapshot.get::<Token>(org, &id)?;
            ("token", id.to_string(), token.and_then(|token| token.external_id().map(str::to_owned)))
        }
    };
    let Some(external_id) = external_id else { return Ok(id) };
    let told = authorizer.may(Ask::Members, &Resource::Person(who))?
        && page.principal_with_id(kind, &external_id)? == Some(who);
    Ok(if told { external_id } else { id })
}
