//! Whom a question is about: what must be known before it can be judged whether the caller may ask it.

use grantbook_domain::{
    access::check::Reason,
    id::{Id, KeyId, OrgId, RoleId},
    model::{Builtin, Key, Token, User},
    principal::Principal,
};
use grantbook_views::{Document, Listing, Snapshot};

use crate::{
    http::problem::Failure,
    read::context::{authz::Authorizer, paging::PinnedPage},
};
use grantbook_command::secret::{KeyKind, ParsedKey};

impl Authorizer<'_> {
    /// The key that a text names: by its secret, which must be right and begin as keys of its holder's kind do, or by
    /// its id.
    pub(crate) fn key_named(&self, text: &str) -> Result<Option<KeyId>, Failure> {
        if !text.starts_with("gb_") {
            return Ok(text.parse().ok());
        }
        let Ok(parsed) = ParsedKey::parse(text) else { return Ok(None) };
        let reading = self.reading();
        let recognized = match reading.image() {
            Some(image) => image.authenticate(parsed.id, &parsed.hash, reading.now),
            None => reading.rows().authenticate(parsed.id, &parsed.hash, reading.at())?,
        };
        if recognized == Err(Reason::UnknownKey) {
            return Ok(None);
        }
        let holder = self.holder(parsed.id)?;
        Ok(holder.filter(|holder| KeyKind::of(*holder) == parsed.kind).map(|_| parsed.id))
    }

    /// Whose key it is, living or ended.
    pub(crate) fn holder(&self, key: KeyId) -> Result<Option<Principal>, Failure> {
        let reading = self.reading();
        match reading.image() {
            Some(image) => Ok(image.key_holder(reading.org, key)),
            None => Ok(reading.rows().get::<Key>(reading.org, &key)?.map(|key| key.principal)),
        }
    }

    /// The principal of a kind and an id.
    pub(crate) fn principal_with_id(&self, kind: &str, id: &str) -> Result<Option<Principal>, Failure> {
        with_id(self.reading().rows(), self.reading().org, kind, id)
    }

    /// A role of the organization's built-in ones. Everybody may know that there is one.
    pub(crate) fn builtin_role(&self, builtin: Builtin, name: &str) -> Result<Option<RoleId>, Failure> {
        let reading = self.reading();
        let listing = Listing { at: reading.position, after: None, name: Some(name), limit: 1 };
        let page = reading.rows().roles(reading.org, &listing)?;
        let role = page.items.first().filter(|listed| listed.thing.builtin == Some(builtin));
        Ok(role.map(|listed| listed.thing.id))
    }
}

impl PinnedPage<'_> {
    /// The principal of a kind and an id, where all pages hold.
    pub(crate) fn principal_with_id(&self, kind: &str, id: &str) -> Result<Option<Principal>, Failure> {
        with_id(self.snapshot(), self.reading().org, kind, id)
    }
}

/// The principal with this id; if there is none, the one with this external id. So an external id never hides an id of ours.
fn with_id(rows: &Snapshot, org: OrgId, kind: &str, id: &str) -> Result<Option<Principal>, Failure> {
    Ok(match kind {
        "user" => find::<User, _>(rows, org, id)?.map(Principal::User),
        "token" => find::<Token, _>(rows, org, id)?.map(Principal::Token),
        _ => None,
    })
}

fn find<D: Document<Id = Id<K>>, K>(
    rows: &Snapshot,
    org: OrgId,
    text: &str,
) -> Result<Option<Id<K>>, Failure> {
    if let Ok(id) = text.parse()
        && rows.get::<D>(org, &id)?.is_some()
    {
        return Ok(Some(id));
    }
    let at = rows.position(org)?;
    Ok(rows.by_external_id::<D>(org, text, at)?.map(|found| found.id()))
}
