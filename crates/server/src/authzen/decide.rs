//! One decision, by the same checks as the native API's, and what may be told of it.

use grantbook_api::{
    authzen::{ActionName, Decision, Entity},
    check::Reason,
};
use grantbook_domain::{
    access::{Question, Target},
    id::{Id, OrgId},
    model::{Token, User},
    principal::Principal,
    rights::Ask,
};
use grantbook_views::{Document, Snapshot};
use serde_json::{Value, json};

use crate::{
    http::problem::Failure,
    routes::{
        authz::{Authorizer, Resource},
        check::word,
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

/// The decision. Others are asked about by whoever may read who has access; what is not known is a denial.
pub(super) fn decide(authorizer: &mut Authorizer<'_>, asked: &Asked<'_>) -> Result<Decision, Failure> {
    let reading = authorizer.reading();
    let object = target(asked.resource);
    let home = authorizer.home_meant(object, &asked.action.name)?;
    let object = Target { project: home.as_deref().or(object.project), ..object };
    let principal = principal(reading.rows(), reading.org, asked.subject)?;
    let own = principal == Some(reading.caller.principal);
    let key = if own { authorizer.own_key(Ask::Check, object)? } else { None };
    if !own {
        authorizer.require(Ask::Check, &Resource::Asked(object))?;
    }
    let question = Question { principal, key, permission: &asked.action.name, object };
    let reason = authorizer.ask(&question)?;
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

/// Who a subject is: whoever has this id, else whoever has it as external id; an id of ours cannot be taken over.
pub(super) fn principal(
    snapshot: &Snapshot,
    org: OrgId,
    subject: &Entity,
) -> Result<Option<Principal>, Failure> {
    Ok(match subject.kind.as_str() {
        "user" => find::<User, _>(snapshot, org, &subject.id)?.map(Principal::User),
        "token" => find::<Token, _>(snapshot, org, &subject.id)?.map(Principal::Token),
        _ => None,
    })
}

fn find<D: Document<Id = Id<K>>, K>(
    snapshot: &Snapshot,
    org: OrgId,
    text: &str,
) -> Result<Option<Id<K>>, Failure> {
    if let Ok(id) = text.parse()
        && snapshot.get::<D>(org, &id)?.is_some()
    {
        return Ok(Some(id));
    }
    let at = snapshot.position(org)?;
    Ok(snapshot.by_external_id::<D>(org, text, at)?.map(|found| found.id()))
}

/// What a subject found is called: its external id, if the caller may read it and it leads back, else its id.
pub(super) fn subject_id(
    authorizer: &mut Authorizer<'_>,
    snapshot: &Snapshot,
    who: Principal,
) -> Result<String, Failure> {
    let org = authorizer.reading().org;
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
    let named = Entity { kind: kind.to_owned(), id: external_id, properties: None };
    let told = authorizer.may(Ask::Members, &Resource::Person(who))?
        && principal(snapshot, org, &named)? == Some(who);
    Ok(if told { named.id } else { id })
}
