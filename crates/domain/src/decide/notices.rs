//! Notices of expiry: for history and subscribers, without effect on access.

use crate::{decide::Judge, event::Event, state::Expiring};

impl Judge<'_> {
    pub(super) fn note_expiries(&self, limit: usize) -> Vec<Event> {
        self.state.unnoted_expiries(self.at).take(limit).filter_map(|what| self.notice(what)).collect()
    }

    fn notice(&self, what: Expiring) -> Option<Event> {
        Some(match what {
            Expiring::Token(id) => Event::TokenExpired { token: self.state.token(id)?.clone() },
            Expiring::Key(id) => Event::KeyExpired { key: self.state.key(id)?.clone() },
            Expiring::Member(member, group) => {
                Event::MemberExpired { membership: self.state.membership(member, group)?.clone() }
            }
            Expiring::Grant(id) => Event::GrantExpired { grant: self.state.grant(id)?.clone() },
        })
    }
}
