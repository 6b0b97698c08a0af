//! Questions the other way round: who may do it, on which objects one may do it, and what one may do on an object.
//!
//! Each answer is that of a check for every candidate; the candidates are found by lists and are never too few. No key
//! is considered.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound::{Excluded, Unbounded},
    rc::Rc,
    sync::Arc,
};

use grantbook_domain::{
    access::check::{Reason, Target},
    catalog::{Lineage, ObjectType, Permission},
    id::GroupId,
    model::{Effect, Gives, Grant},
    position::Position,
    principal::{Grantee, Principal},
    scope::ObjectRef,
    state::Block,
};

use crate::{
    access::{
        candidate::{Candidate, Candidates},
        check::Resolved,
        checker::{Checker, Stop},
        explain::{Path, Step},
        graph::MembershipGraph,
        locate::Place,
    },
    store::{
        document::listed_object,
        encode::{Put, Take},
        entities::membership,
        error::ViewError,
        leads::{Leads, LeadsOf},
        list::{Entry, ListCursor, Listed, Listing, Page},
        row_key::{Kind, List},
        table::Table,
    },
};

/// Most principals looked at for a part of an answer: it may be short, even empty, and still go on.
const LOOKS_MAX: usize = 5_000;

/// Which part of a long answer.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Beyond this item; from the start if absent.
    pub after: Option<&'a ListCursor>,
    /// At most so many.
    pub limit: usize,
}

/// Which principals count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// All.
    Everybody,
    /// People.
    Users,
    /// Service tokens.
    Tokens,
}

impl Whose {
    fn takes(self, principal: Principal) -> bool {
        match (self, principal) {
            (Self::Everybody, _)
            | (Self::Users, Principal::User(_))
            | (Self::Tokens, Principal::Token(_)) => true,
            (Self::Users, Principal::Token(_)) | (Self::Tokens, Principal::User(_)) => false,
        }
    }
}

/// Shortest ways that were found for one question: those who are directly in the same groups share them.
#[derive(Debug, Default)]
pub struct Ways {
    known: HashMap<Vec<GroupId>, Option<Rc<Path>>>,
}

/// A shortest way on which somebody is granted something.
#[derive(Debug, Clone)]
pub struct Way {
    /// The membership with which it begins; none for a grant to the principal itself.
    pub own: Option<Step>,
    /// A way that is the same but for its first membership, shared by all who are directly in the same groups.
    pub shared: Rc<Path>,
}

impl Way {
    /// From its first membership on.
    pub fn whole(&self) -> Path {
        let via = self.own.iter().chain(self.shared.via.iter().skip(1)).cloned().collect();
        Path { via, ..self.shared.as_ref().clone() }
    }

    /// Beyond its first membership.
    pub fn beyond(&self) -> Path {
        Path { via: self.shared.via.iter().skip(1).cloned().collect(), ..self.shared.as_ref().clone() }
    }
}

/// The answer, or why there is nothing to answer: something asked about is not known or not active.
pub type Reversed<T> = Result<T, Reason>;

/// The other way round.
impl Checker<'_> {
    /// The users and tokens that may do it, ascending by kind (users first), then id.
    pub fn who_can(
        &mut self,
        permission: &str,
        object: Target<'_>,
        whose: Whose,
        part: Part<'_>,
    ) -> Result<Reversed<Page<Principal>>, ViewError> {
        settled(self.holders(permission, object, whose, part))
    }

    /// A shortest way on which an allow grant gives the principal the permission on the object; none if none does.
    pub fn shortest_path(
        &mut self,
        principal: Principal,
        permission: &str,
        object: Target<'_>,
    ) -> Result<Option<Path>, ViewError> {
        let resolved = match self.resolved(principal, permission, object) {
            Ok(resolved) => resolved,
            Err(Stop::Because(_)) => return Ok(None),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let graph = MembershipGraph::above(self, principal.into())?;
        let now = self.now;
        let tree = graph.tree(|edge| now < edge.row.until);
        let mut candidates = Candidates::new(self, &resolved);
        for node in &tree.order {
            let Some(grantee) = graph.nodes().get(*node) else { continue };
            if let Some(first) = candidates.to(*grantee)?.into_iter().find(Candidate::allows) {
                return self.single_path(&graph, &graph.chain(&tree, *node), first).map(Some);
            }
        }
        Ok(None)
    }

    /// The same, from what was found for those who are directly in the same groups, if the principal has no grants of its own.
    pub fn shortest_way(
        &mut self,
        ways: &mut Ways,
        principal: Principal,
        (permission, object): (&str, Target<'_>),
    ) -> Result<Option<Way>, ViewError> {
        let own = match self.active(principal) {
            Ok(own) => own,
            Err(Stop::Because(_)) => return Ok(None),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let in_force = own.memberships.iter().filter(|(_, row)| self.now < row.until);
        let direct: Vec<GroupId> = in_force.map(|(group, _)| *group).collect();
        let shared = if let Some(known) = ways.known.get(&direct).filter(|_| own.grants.is_empty()) {
            known.clone()
        } else {
            let found = self.shortest_path(principal, permission, object)?.map(Rc::new);
            if own.grants.is_empty() {
                ways.known.insert(direct, found.clone());
            }
            found
        };
        Ok(shared.map(|shared| {
            let first = shared.via.first().map(|step| step.membership.group);
            let row = first.and_then(|first| own.memberships.iter().find(|(group, _)| *group == first));
            let own = row
                .map(|(group, row)| Step { membership: membership(own.of, *group, row), position: row.from });
            Way { own, shared }
        }))
    }

    /// The living objects of a type on which the principal may do it: projects, groups, roles, registered objects, or
    /// the only one of a singleton. Ascending by creation, then id.
    pub fn accessible(
        &mut self,
        principal: Principal,
        permission: &str,
        object_type: &str,
        part: Part<'_>,
    ) -> Result<Reversed<Page<ObjectRef>>, ViewError> {
        settled(self.objects_of(principal, permission, object_type, part))
    }

    /// The permissions that the principal has on the object, in the catalog's order.
    pub fn permissions(
        &mut self,
        principal: Principal,
        object: Target<'_>,
    ) -> Result<Reversed<Vec<String>>, ViewError> {
        settled(self.verbs(principal, object))
    }

    /// The position that the lists are read at.
    fn at(&self) -> Result<Position, ViewError> {
        self.snapshot.position(self.org)
    }

    fn resolved(
        &mut self,
        principal: Principal,
        permission: &str,
        object: Target<'_>,
    ) -> Result<Resolved, Stop> {
        self.active(principal)?;
        let permission = self.catalog.permission(permission).ok_or(Reason::UnknownPermission)?;
        Ok(Resolved { principal, permission, place: self.locate(object)?, narrow: None })
    }

    fn may(&mut self, resolved: &Resolved) -> Result<bool, ViewError> {
        match self.decide_by_grants(resolved) {
            Ok(()) => Ok(true),
            Err(Stop::Because(_)) => Ok(false),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn holders(
        &mut self,
        permission: &str,
        object: Target<'_>,
        whose: Whose,
        part: Part<'_>,
    ) -> Result<Page<Principal>, Stop> {
        let permission = self.catalog.permission(permission).ok_or(Reason::UnknownPermission)?;
        let place = self.locate(object)?;
        let leads = self.leads(permission, &place)?;
        let start = part.after.map(place_of_principal).transpose()?;
        let start = start.map_or(Unbounded, |last| Excluded(Grantee::from(last)));
        let mut items: Vec<Listed<Principal>> = Vec::new();
        let mut question = None;
        let mut looked = 0;
        let beyond = leads.to.range((start, Unbounded)).filter_map(|one| one.principal());
        for principal in beyond.filter(|one| whose.takes(*one)) {
            let asked = question.get_or_insert_with(|| Resolved {
                principal,
                permission,
                place: place.clone(),
                narrow: None,
            });
            asked.principal = principal;
            let may = self.may(asked)?;
            self.forget(principal);
            looked += 1;
            if !may {
                if looked >= LOOKS_MAX {
                    return Ok(Page { items, next: Some(principal_place(principal)) });
                }
                continue;
            }
            if items.len() == part.limit {
                let next = items.last().map(|last| last.cursor.clone());
                return Ok(Page { items, next });
            }
            items.push(Listed { thing: principal, cursor: principal_place(principal) });
        }
        Ok(Page { items, next: None })
    }

    /// Those to go through; looked for once for the pages of an answer, as long as nobody asks another question between.
    fn leads(&mut self, permission: Permission, place: &Place) -> Result<Arc<Leads>, ViewError> {
        let of = LeadsOf {
            org: self.org,
            at: self.at()?,
            permission,
            object: place.located.object.clone(),
            project: place.located.project,
        };
        if let Some(known) = self.snapshot.leads(&of) {
            return Ok(known);
        }
        let to = self.reached_from_grants(permission, place)?;
        let leads = Arc::new(Leads { of, to });
        self.snapshot.keep_leads(&leads);
        Ok(leads)
    }

    /// Everybody to whom an allow grant leads that could give this, whatever has expired, ended or is denied: never
    /// fewer than may do it.
    fn reached_from_grants(
        &mut self,
        permission: Permission,
        place: &Place,
    ) -> Result<BTreeSet<Grantee>, ViewError> {
        let (snapshot, org, at) = (self.snapshot, self.org, self.at()?);
        let mut open = Vec::new();
        snapshot.each(org, List::All(Kind::Grant), at, |entry| {
            let grant: Option<Grant> = snapshot.document_at(org, entry.id, at)?;
            let grant = grant.ok_or_else(|| ViewError::bad_row("lists", "points to no grant"))?;
            let fits = grant.effect == Effect::Allow
                && self.covers(&grant.on, place)
                && self.has(&grant.gives, permission, place.located.object_type)?;
            if fits {
                open.push(grant.to);
            }
            Ok(())
        })?;
        let mut reached = BTreeSet::new();
        while let Some(grantee) = open.pop() {
            if !reached.insert(grantee) {
                continue;
            }
            if let Grantee::Group(id) = grantee {
                snapshot.each(org, List::MembersOf(id), at, |entry| {
                    open.push(entry.member()?);
                    Ok(())
                })?;
            }
        }
        Ok(reached)
    }

    /// Whether a gift has the permission in it, for objects of the type.
    fn has(
        &mut self,
        gives: &Gives,
        permission: Permission,
        object_type: ObjectType,
    ) -> Result<bool, ViewError> {
        match gives {
            Gives::Permissions(names) => {
                let name = self.catalog.permission_name(permission);
                Ok(names.iter().any(|known| known == name))
            }
            Gives::Role(id) => {
                let gives = |block: &Block| block.permissions.has(permission) && block.types.has(object_type);
                Ok(self.role_blocks(*id)?.iter().any(gives))
            }
        }
    }

    fn objects_of(
        &mut self,
        principal: Principal,
        permission: &str,
        object_type: &str,
        Part { after, limit }: Part<'_>,
    ) -> Result<Page<ObjectRef>, Stop> {
        self.active(principal)?;
        self.catalog.permission(permission).ok_or(Reason::UnknownPermission)?;
        let known = self.catalog.object_type(object_type).ok_or(Reason::UnknownObjectType)?;
        let (snapshot, org, at) = (self.snapshot, self.org, self.at()?);
        let list = match (self.catalog.lineage(known), known) {
            (Lineage::Singleton, _) => {
                return Ok(self.only_one(principal, permission, object_type, after.is_none())?);
            }
            (Lineage::Project, _) => List::All(Kind::Project),
            (_, ObjectType::GROUP) => List::All(Kind::Group),
            (_, ObjectType::ROLE) => List::All(Kind::Role),
            (Lineage::InProject | Lineage::Organization, _) => List::ObjectsOfType(object_type),
        };
        let is_registered = matches!(list, List::ObjectsOfType(_));
        let listing = Listing { at, after, name: None, limit };
        let page = snapshot.page(org, list, &listing, |entry| {
            let object = object_of(object_type, entry, is_registered)?;
            Ok(self.allows(principal, permission, &object)?.then_some(object))
        });
        Ok(page?)
    }

    /// The list of a type of which there is one object.
    fn only_one(
        &mut self,
        principal: Principal,
        permission: &str,
        object_type: &str,
        is_first: bool,
    ) -> Result<Page<ObjectRef>, ViewError> {
        let object = ObjectRef::new(object_type, self.org.to_string());
        let listed = is_first && self.allows(principal, permission, &object)?;
        let items = listed.then(|| Listed { thing: object, cursor: ListCursor::from_bytes(Vec::new()) });
        Ok(Page { items: items.into_iter().collect(), next: None })
    }

    fn allows(
        &mut self,
        principal: Principal,
        permission: &str,
        object: &ObjectRef,
    ) -> Result<bool, ViewError> {
        let Some(permission) = self.catalog.permission(permission) else { return Ok(false) };
        match self.locate_exactly(object) {
            Ok(place) => self.may(&Resolved { principal, permission, place, narrow: None }),
            Err(Stop::Because(_)) => Ok(false),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn verbs(&mut self, principal: Principal, object: Target<'_>) -> Result<Vec<String>, Stop> {
        self.active(principal)?;
        let mut place = self.locate(object)?;
        let mut names = Vec::new();
        for permission in self.catalog.all_permissions() {
            let resolved = Resolved { principal, permission, place, narrow: None };
            if self.may(&resolved)? {
                names.push(self.catalog.permission_name(permission).to_owned());
            }
            place = resolved.place;
        }
        Ok(names)
    }
}

fn settled<T>(answered: Result<T, Stop>) -> Result<Reversed<T>, ViewError> {
    match answered {
        Ok(answer) => Ok(Ok(answer)),
        Err(Stop::Because(reason)) => Ok(Err(reason)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// What an entry lists.
fn object_of(object_type: &str, entry: &Entry<'_>, is_registered: bool) -> Result<ObjectRef, ViewError> {
    if is_registered {
        return listed_object(object_type, entry.id);
    }
    Ok(ObjectRef::new(object_type, Take::new(Table::Lists, entry.id).id::<()>()?.to_string()))
}

fn principal_place(principal: Principal) -> ListCursor {
    ListCursor(Put::new(17).principal(principal).done())
}

fn place_of_principal(cursor: &ListCursor) -> Result<Principal, ViewError> {
    Take::new(Table::Access, cursor.as_bytes()).principal()
}
