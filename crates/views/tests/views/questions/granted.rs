//! What was ever granted, at every position of random histories: nothing is missing, and what stands is what is listed.

use grantbook_domain::{event::Event, id::GrantId, position::Position};
use grantbook_views::{
    GrantFilter, GrantState, Granted, GrantedFilter, GrantedPage, Listing, Order, Snapshot,
};
use proptest::{collection::vec, prelude::*};

use crate::world::{Step, World, view_of};

proptest! {
    #![proptest_config(crate::draw::cases(16))]

    #[test]
    fn what_was_granted_and_stands_is_what_is_listed(steps in vec(any::<Step>(), 20..60)) {
        let world = World::lived(5, &steps);
        let now = view_of(&world.records, 5).reader().snapshot().unwrap();
        for recorded in &world.records {
            let snapshot = now.as_of(recorded.position);
            let found = every(&snapshot, &world, recorded.position);
            let given: Vec<GrantId> = world.records.iter()
                .take_while(|one| one.position <= recorded.position)
                .flat_map(|one| &one.record.events)
                .filter_map(|event| if let Event::GrantCreated { grant } = event { Some(grant.id) } else { None })
                .collect();
            prop_assert_eq!(found.iter().map(|one| one.grant.id).collect::<Vec<_>>(), given);
            let listing = Listing { at: recorded.position, after: None, name: None, limit: 10_000 };
            let listed = snapshot.grants(world.org, &GrantFilter::default(), &listing).unwrap();
            // A token whose time has passed ends nothing for a list, and whatever else has ended is not asked then.
            let lapsed: Vec<GrantId> = found.iter()
                .filter(|one| one.state == GrantState::GranteeEnded && one.ended.is_none())
                .map(|one| one.grant.id)
                .collect();
            let mut listed: Vec<GrantId> =
                listed.items.iter().map(|one| one.thing.id).filter(|id| !lapsed.contains(id)).collect();
            let mut standing: Vec<GrantId> =
                found.iter().filter(|one| stands(one)).map(|one| one.grant.id).collect();
            listed.sort();
            standing.sort();
            prop_assert_eq!(standing, listed);
        }
    }
}

/// Lists leave out what a record ended, not what time did.
fn stands(one: &Granted) -> bool {
    match one.state {
        GrantState::InForce | GrantState::Expired => true,
        GrantState::Revoked | GrantState::GranteeEnded | GrantState::ObjectEnded => false,
    }
}

fn every(snapshot: &Snapshot, world: &World, at: Position) -> Vec<Granted> {
    let now = snapshot.moment_after(world.org, at).unwrap().at;
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = GrantedPage { after, order: Order::Ascending, limit: 3 };
        let (part, more) = snapshot.granted(world.org, &GrantedFilter::default(), &page, now).unwrap();
        after = part.last().map(|one| one.place);
        found.extend(part);
        if !more {
            return found;
        }
    }
}
