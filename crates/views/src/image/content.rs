//! What an image says, in a form that does not show how it came to be: for comparing two.

use std::collections::{BTreeMap, BTreeSet};

use grantbook_domain::id::ProjectId;

use crate::image::{
    Image, OrgImage,
    row::{GroupNumber, PrincipalRow, Rights},
    shards::IdKey,
};

impl Image {
    /// Every row, a line each, named by ids and sorted.
    pub fn content(&self) -> BTreeSet<String> {
        let mut said = BTreeSet::new();
        self.keys.for_each(|id, key| {
            said.extend(key.as_ref().map(|key| {
                let super::row::KeyEntry { until, hash, org, principal, ended, special } = key;
                format!("key {}: {org} {principal:?} {hash:?} {until} {ended} {special:?}", name(id))
            }));
        });
        self.orgs.for_each(|_, org| said.extend(org.iter().flat_map(|org| org.content())));
        said.insert(format!("sequence {}", self.sequence));
        said
    }
}

/// Names behind the numbers.
struct Names {
    groups: BTreeMap<GroupNumber, String>,
    projects: Vec<(u32, String)>,
}

impl OrgImage {
    fn content(&self) -> Vec<String> {
        let Self { id, position, founded, catalog, .. } = self;
        let mut said = vec![format!("{id} at {position}, founded {founded}, {catalog:?}")];
        let names = self.names();
        self.users.for_each(|id, row| said.push(format!("user {}", names.principal(id, row))));
        self.tokens.for_each(|id, row| said.push(format!("token {}", names.principal(id, row))));
        for (number, group) in &names.groups {
            let rights = self.groups.get(*number).filter(|rights| rights.lives);
            said.extend(rights.map(|rights| format!("group {group}: {}", names.rights(rights))));
        }
        self.roles.for_each(|id, lives| said.push(format!("role {} lives {lives}", name(id))));
        self.projects.for_each(|id, seat| {
            said.push(format!("project {}: {:?}", name(id), seat.living));
        });
        self.objects.for_each(|id, homes| said.push(format!("object {id:?}: {homes:?}")));
        said
    }

    fn names(&self) -> Names {
        let (mut groups, mut projects) = (BTreeMap::new(), Vec::new());
        self.group_numbers.for_each(|id, number| groups.extend(number.map(|number| (number, name(id)))));
        self.projects.for_each(|id, seat| {
            projects.extend(seat.living.iter().map(|_| (seat.number, name(id))));
        });
        projects.sort_by(|one, other| one.1.cmp(&other.1));
        Names { groups, projects }
    }
}

impl Names {
    fn group(&self, number: GroupNumber) -> &str {
        self.groups.get(&number).map_or("", String::as_str)
    }

    fn principal(&self, id: &IdKey, row: &PrincipalRow) -> String {
        let groups: BTreeSet<_> = row.groups().map(|number| self.group(number)).collect();
        let own = row.more.as_ref().map(|more| self.rights(&more.own)).filter(|own| !own.is_empty());
        format!("{}: {:?} {} in {groups:?} {own:?}", name(id), row.life, row.until)
    }

    fn rights(&self, rights: &Rights) -> String {
        let mut said = Vec::new();
        for (effect, extent) in [("allow", rights.allow.as_ref()), ("deny", rights.deny.as_deref())] {
            if let Some(extent) = extent {
                said.push(effect.to_owned());
                extent.content(&self.projects, &mut said);
            }
        }
        let special: BTreeMap<_, _> =
            rights.special.iter().map(|gift| (gift.row.id, format!("{gift:?}"))).collect();
        said.extend(special.into_values());
        let timed: BTreeSet<_> =
            rights.timed.iter().map(|(until, group)| (until, self.group(*group))).collect();
        said.extend(timed.iter().map(|(until, group)| format!("in {group} until {until}")));
        said.join("; ")
    }
}

fn name(id: &IdKey) -> String {
    ProjectId::from_bytes(*id).to_string()
}
