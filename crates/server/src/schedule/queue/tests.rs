//! Properties of the fair queue: under any mixture of greedy callers, in simulated time.

use std::collections::BTreeMap;

use grantbook_domain::id::TokenId;
use proptest::prelude::*;

use super::*;

const WAITING: Bound = Bound { all: 64, of_org: 32, of_principal: 8 };

fn party(org: u128, principal: u128) -> Party {
    Party { org: OrgId::from_u128(org), principal: Some(Principal::Token(TokenId::from_u128(principal))) }
}

fn bounds(places: usize) -> Bounds {
    Bounds { places: Bound::shared(places), beside_others: places.div_ceil(4), waiting: WAITING }
}

fn queue(places: usize) -> FairQueue {
    FairQueue::new(bounds(places))
}

/// An organization that always asks for more: the lengths of the questions of each of its principals.
type Greedy = Vec<Vec<u64>>;

/// What each organization held, in places times ticks, while all of them asked for as much as they could.
struct Simulated {
    held: BTreeMap<OrgId, u64>,
    /// Most places of one organization at once.
    most: usize,
    refused: usize,
}

fn greedy() -> impl Strategy<Value = Vec<Greedy>> {
    let principal = prop::collection::vec(1_u64..=20, 1..4);
    let org = prop::collection::vec(principal, 1..5);
    prop::collection::vec(org, 2..8)
}

/// At every tick each principal asks for as many places as there are, its questions in turn; a question takes its length in
/// ticks.
fn simulate((places, is_shared): (usize, bool), orgs: &[Greedy], ticks: u64) -> Simulated {
    let mut queue = queue(places);
    queue.share(is_shared);
    let mut simulated = Simulated { held: BTreeMap::new(), most: 0, refused: 0 };
    // When it ends, how long it takes, whose it is.
    let mut running: Vec<(u64, u64, Party)> = Vec::new();
    let mut lengths: BTreeMap<Ticket, u64> = BTreeMap::new();
    let mut ticket = 0;
    for tick in 0..ticks {
        running.retain(|(ends, length, party)| {
            let is_over = *ends <= tick;
            if is_over {
                queue.finish(*party, *length);
            }
            !is_over
        });
        for (org, principals) in (0..).zip(orgs) {
            for (principal, questions) in (0..).zip(principals) {
                for length in questions.iter().cycle().take(places) {
                    ticket += 1;
                    lengths.insert(ticket, *length);
                    match queue.enqueue(party(org, principal), ticket) {
                        Ok(_) => {}
                        Err(_) => simulated.refused += 1,
                    }
                    while let Some((ticket, party)) = queue.next() {
                        let length = lengths[&ticket];
                        running.push((tick + length, length, party));
                    }
                }
            }
        }
        assert_eq!(running.len(), queue.running());
        let mut now: BTreeMap<OrgId, usize> = BTreeMap::new();
        for (_, _, party) in &running {
            *now.entry(party.org).or_default() += 1;
        }
        for (org, count) in now {
            *simulated.held.entry(org).or_default() += count as u64;
            simulated.most = simulated.most.max(count);
        }
    }
    simulated
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The promise of the scheduler. Planted: a queue that serves by arrival gives long questions nearly everything.
    #[test]
    fn each_organization_gets_at_least_half_its_fair_share(orgs in greedy(), places in 1_usize..9, is_shared: bool) {
        let ticks = 200;
        let simulated = simulate((places, is_shared), &orgs, ticks);
        let fair = places as u64 * ticks / orgs.len() as u64;
        for org in 0..orgs.len() as u128 {
            let held = simulated.held.get(&OrgId::from_u128(org)).copied().unwrap_or_default();
            prop_assert!(2 * held >= fair, "{org} held {held} of {fair}: {:?}", simulated.held);
        }
        let most = if is_shared { places.div_ceil(4) } else { places.saturating_sub(1).max(1) };
        prop_assert!(simulated.most <= most, "one organization held {} of {places} places", simulated.most);
    }

    /// Whatever one organization asks, another that comes gets a place at once, as long as nobody else is there.
    #[test]
    fn a_newcomer_beside_one_greedy_organization_starts_at_once(principals in 1_u128..20, asked in 1_u64..200, places in 2_usize..9) {
        let mut queue = queue(places);
        for ticket in 0..asked {
            // Refused or not: the newcomer must not notice.
            let _greedy = queue.enqueue(party(1, u128::from(ticket) % principals), ticket);
            while queue.next().is_some() {}
        }
        let newcomer = party(2, 1);
        prop_assert_eq!(queue.enqueue(newcomer, 1_000), Ok(Admitted::Alone));
        prop_assert_eq!(queue.next(), Some((1_000, newcomer)));
    }

    /// Places without a bound, which commands that take access away have: none ever waits or is refused.
    #[test]
    fn what_takes_access_away_is_always_taken(callers in prop::collection::vec((0_u128..4, 0_u128..4, any::<bool>()), 1..300)) {
        let mut queue = FairQueue::new(Bounds { places: Bound::NONE, beside_others: usize::MAX, waiting: Bound { all: 0, of_org: 0, of_principal: 0 } });
        let mut held = Vec::new();
        for (ticket, (org, principal, ends)) in (0..).zip(callers) {
            let party = party(org, principal);
            prop_assert_eq!(queue.enqueue(party, ticket), Ok(Admitted::Alone));
            prop_assert_eq!(queue.next(), Some((ticket, party)));
            held.push(party);
            if ends && let Some(party) = held.pop() {
                queue.finish(party, 1);
            }
        }
    }

    /// Against a slow count of everything: bounds hold, nobody who could have a place waits, counts agree, and who is shed is
    /// the newest of the greediest.
    #[test]
    fn what_is_shed_is_the_newest_of_the_greediest(
        steps in prop::collection::vec((0_u128..6, 0_u128..4, 0_u8..5), 1..400),
        places in 1_usize..5,
    ) {
        let waiting = Bound { all: 12, of_org: 8, of_principal: 4 };
        let bounds = Bounds { waiting, ..bounds(places) };
        let mut queue = FairQueue::new(bounds);
        let (mut waits, mut runs): (Vec<(Ticket, Party)>, Vec<Party>) = (Vec::new(), Vec::new());
        for (ticket, (org, principal, step)) in (0..).zip(steps) {
            let party = party(org, principal);
            match step {
                0 if !runs.is_empty() => queue.finish(runs.remove(0), u64::from(step)),
                1 if !waits.is_empty() => {
                    let (ticket, party) = waits.remove(waits.len() / 2);
                    prop_assert!(queue.leave(party, ticket) && !queue.leave(party, ticket));
                }
                _ => match queue.enqueue(party, ticket) {
                    Ok(Admitted::Alone) => waits.push((ticket, party)),
                    Ok(Admitted::InsteadOf(shed, whose)) => {
                        check_shed(&waits, party, shed, whose)?;
                        waits.retain(|(one, _)| *one != shed);
                        waits.push((ticket, party));
                    }
                    Err(Refused::OwnShare) => {
                        prop_assert!(waits.iter().any(|(_, one)| one.org == party.org), "refused for its own share, of which it has none");
                    }
                    Err(Refused::Overloaded) => {
                        prop_assert!(waits.len() >= waiting.all && waits.iter().all(|(_, one)| one.org != party.org));
                    }
                },
            }
            while let Some((ticket, party)) = queue.next() {
                prop_assert!(waits.contains(&(ticket, party)));
                waits.retain(|(one, _)| *one != ticket);
                runs.push(party);
            }
            prop_assert_eq!((queue.waiting(), queue.running()), (waits.len(), runs.len()));
            prop_assert!(waits.len() <= waiting.all && runs.len() <= bounds.places.all);
            for (_, one) in &waits {
                let of_org = runs.iter().filter(|other| other.org == one.org).count();
                let own = runs.iter().filter(|other| *other == one).count();
                let blocked = runs.len() == bounds.places.all || of_org == bounds.places.of_org || own == bounds.places.of_principal;
                prop_assert!(blocked, "{one:?} waits for nothing");
            }
        }
    }
}

fn check_shed(
    waits: &[(Ticket, Party)],
    came: Party,
    shed: Ticket,
    whose: Party,
) -> Result<(), TestCaseError> {
    let of_org = |org: OrgId| waits.iter().filter(|(_, one)| one.org == org).count();
    let of_party = |party: Party| waits.iter().filter(|(_, one)| *one == party).count();
    prop_assert!(whose != came && waits.contains(&(shed, whose)));
    prop_assert!(whose.org == came.org || of_org(whose.org) > of_org(came.org) + 1);
    prop_assert!(waits.iter().all(|(_, one)| whose.org == came.org || of_org(one.org) <= of_org(whose.org)));
    prop_assert!(
        waits
            .iter()
            .filter(|(_, one)| one.org == whose.org)
            .all(|(_, one)| of_party(*one) <= of_party(whose))
    );
    prop_assert!(waits.iter().filter(|(_, one)| *one == whose).all(|(ticket, _)| *ticket <= shed));
    Ok(())
}

#[test]
fn a_caller_with_too_much_waiting_is_refused_and_nobody_else() {
    let mut queue = queue(1);
    let greedy = party(1, 1);
    let admitted = (0..9).filter(|ticket| {
        let admitted = queue.enqueue(greedy, *ticket);
        while queue.next().is_some() {}
        admitted.is_ok()
    });
    assert_eq!(admitted.count(), 9, "one place and eight that wait");
    assert_eq!(queue.enqueue(greedy, 9), Err(Refused::OwnShare));
    assert_eq!(queue.enqueue(party(1, 2), 10), Ok(Admitted::Alone));
}
