//! Who may do what to the NATS servers: the least that each kind of process needs, by subject.

use std::fmt::Write as _;

use crate::jetstream::NatsOptions;

/// The JetStream domain of the servers that keep the journal: leaf nodes reach it by this name.
pub(in crate::jetstream) const DOMAIN: &str = "grantbook";

/// A kind of process, with credentials of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NatsRole {
    /// `init`, `org create`, `owner recover`, `journal`, `nats prepare`.
    Operator,
    /// `serve command`, and `serve all`.
    Command,
    /// `serve read`.
    Read,
    /// `serve read --relay`.
    Relay,
    /// `serve read --snapshots nats`.
    Snapshots,
    /// A subscriber of the derived streams' mirrors, in any language; in an account of its own.
    Subscriber,
    /// `nats prepare-subscribers`, in the subscribers' account.
    SubscriberAdmin,
    /// A server that keeps a copy for disaster recovery.
    Mirror,
    /// A server at the edge, behind which read nodes live.
    Edge,
}

impl NatsRole {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Operator,
        Self::Command,
        Self::Read,
        Self::Relay,
        Self::Snapshots,
        Self::Subscriber,
        Self::SubscriberAdmin,
        Self::Mirror,
        Self::Edge,
    ];

    /// Its name, in files and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Command => "command",
            Self::Read => "read",
            Self::Relay => "relay",
            Self::Snapshots => "snapshots",
            Self::Subscriber => "subscriber",
            Self::SubscriberAdmin => "subscriber-admin",
            Self::Mirror => "mirror",
            Self::Edge => "edge",
        }
    }

    /// Whether it belongs to the subscribers' account, in which there is no journal.
    pub const fn is_of_subscribers(self) -> bool {
        matches!(self, Self::Subscriber | Self::SubscriberAdmin)
    }

    /// On which subjects it publishes.
    pub fn publishes(self, options: &NatsOptions) -> Vec<String> {
        let (stream, prefix) = (&options.stream, &options.prefix);
        let (events, changes) = (format!("{stream}_EVENTS"), format!("{stream}_CHANGES"));
        let (nodes, objects) = (format!("{stream}_NODES"), format!("OBJ_{stream}_SNAPSHOTS"));
        let read = || reads("$JS.API", stream);
        match self {
            Self::Operator => {
                let mut subjects = vec![options.subjects()];
                subjects.extend(read());
                subjects.extend(api(stream, &["STREAM.CREATE", "STREAM.UPDATE"]));
                for derived in [&events, &changes, &nodes, &objects] {
                    subjects.extend(api(derived, &["STREAM.INFO", "STREAM.CREATE", "STREAM.UPDATE"]));
                }
                subjects
            }
            Self::Command => [vec![options.subjects()], read()].concat(),
            Self::Read => {
                let looked_at = api(&objects, &["STREAM.INFO", "STREAM.MSG.GET", "DIRECT.GET"]);
                let told = [format!("{prefix}.nodes.*")];
                let heard = api(&nodes, &["STREAM.INFO", "STREAM.MSG.GET"]);
                let fetched = [
                    format!("$JS.API.DIRECT.GET.{objects}.>"),
                    format!("$JS.API.CONSUMER.CREATE.{objects}.>"),
                    format!("$JS.API.CONSUMER.MSG.NEXT.{objects}.>"),
                ];
                [read(), told.to_vec(), heard, looked_at, fetched.to_vec()].concat()
            }
            Self::Relay => {
                let own = [format!("{prefix}.events.>"), format!("{prefix}.changes.>")];
                let mut subjects = [Self::Read.publishes(options), own.to_vec()].concat();
                for derived in [&events, &changes] {
                    subjects.extend(api(derived, &["STREAM.INFO", "STREAM.MSG.GET"]));
                }
                subjects
            }
            Self::Snapshots => {
                let own = [format!("$O.{stream}_SNAPSHOTS.>"), format!("$JS.API.STREAM.PURGE.{objects}")];
                [Self::Read.publishes(options), own.to_vec()].concat()
            }
            Self::Subscriber => {
                let mut subjects = vec!["$JS.API.INFO".to_owned()];
                for derived in [&events, &changes] {
                    subjects.extend(api(derived, &["STREAM.INFO"]));
                    for verb in ["CONSUMER.CREATE", "CONSUMER.INFO", "CONSUMER.MSG.NEXT", "CONSUMER.DELETE"] {
                        subjects.push(format!("$JS.API.{verb}.{derived}.>"));
                    }
                    subjects.push(format!("$JS.ACK.{derived}.>"));
                    subjects.push(format!("$JS.ACK.{DOMAIN}.*.{derived}.>"));
                }
                subjects
            }
            Self::SubscriberAdmin => {
                let mut subjects = vec!["$JS.API.INFO".to_owned()];
                for derived in [&events, &changes] {
                    subjects.extend(api(derived, &["STREAM.INFO", "STREAM.CREATE"]));
                }
                subjects
            }
            Self::Mirror => {
                let api = format!("$JS.{DOMAIN}.API");
                vec![
                    format!("{api}.STREAM.INFO.{stream}"),
                    format!("{api}.CONSUMER.CREATE.{stream}"),
                    format!("{api}.CONSUMER.CREATE.{stream}.>"),
                    format!("$JS.FC.{stream}.>"),
                ]
            }
            Self::Edge => reads(&format!("$JS.{DOMAIN}.API"), stream),
        }
    }

    /// On which subjects it listens: only for answers. Subscribers have an inbox of their own, so that they do not hear
    /// what the journal answers to others.
    pub const fn subscribes(self) -> &'static [&'static str] {
        match self {
            Self::Subscriber => &["_INBOX_SUBSCRIBER.>"],
            Self::Mirror => &["$JS.M.>", "$JSC.R.>", "_GR_.>", "_R_.>"],
            Self::Operator
            | Self::Command
            | Self::Read
            | Self::Relay
            | Self::Snapshots
            | Self::SubscriberAdmin
            | Self::Edge => &["_INBOX.>"],
        }
    }

    /// All of them as a table, as docs/operating.md has it.
    pub fn table(options: &NatsOptions) -> String {
        let mut table = "| who | publishes | subscribes |\n| --- | --- | --- |\n".to_owned();
        let cell = |subjects: &[String]| {
            subjects.iter().map(|subject| format!("`{subject}`")).collect::<Vec<_>>().join(", ")
        };
        for role in Self::ALL {
            let heard: Vec<String> = role.subscribes().iter().map(|subject| (*subject).to_owned()).collect();
            let _infallible = writeln!(
                table,
                "| {} | {} | {} |",
                role.name(),
                cell(&role.publishes(options)),
                cell(&heard)
            );
        }
        table
    }
}

fn api(stream: &str, verbs: &[&str]) -> Vec<String> {
    verbs.iter().map(|verb| format!("$JS.API.{verb}.{stream}")).collect()
}

/// What whoever reads a stream asks for.
fn reads(api: &str, stream: &str) -> Vec<String> {
    vec![
        format!("{api}.INFO"),
        format!("{api}.STREAM.INFO.{stream}"),
        format!("{api}.STREAM.MSG.GET.{stream}"),
        format!("{api}.DIRECT.GET.{stream}"),
        format!("{api}.CONSUMER.CREATE.{stream}.>"),
        format!("{api}.CONSUMER.MSG.NEXT.{stream}.>"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_the_command_side_writes_the_journal_and_nobody_deletes_it() {
        let options = NatsOptions::new(vec!["a".to_owned()]);
        for role in NatsRole::ALL {
            let subjects = role.publishes(&options);
            let writes = subjects.iter().any(|subject| subject.starts_with("grantbook.v1"));
            assert_eq!(writes, matches!(role, NatsRole::Operator | NatsRole::Command), "{role:?}");
            for harmful in ["STREAM.DELETE", "STREAM.PURGE.GRANTBOOK", "MSG.DELETE", "STREAM.RESTORE"] {
                assert!(!subjects.iter().any(|subject| subject.contains(harmful)), "{role:?}");
            }
            assert!(subjects.iter().all(|subject| subject != ">" && subject != "$JS.API.>"), "{role:?}");
        }
    }

    /// Who may publish what starts or contains this; of the streams beside the journal, too.
    #[test]
    fn what_changes_or_removes_something_is_for_few() {
        let options = NatsOptions::new(vec!["a".to_owned()]);
        let who = |words: &str| -> Vec<NatsRole> {
            let may =
                |role: &NatsRole| role.publishes(&options).iter().any(|subject| subject.contains(words));
            NatsRole::ALL.into_iter().filter(may).collect()
        };
        for (words, roles) in [
            ("STREAM.DELETE", &[][..]),
            ("MSG.DELETE", &[]),
            ("STREAM.RESTORE", &[]),
            ("STREAM.SNAPSHOT", &[]),
            ("STREAM.PEER", &[]),
            ("STREAM.LEADER", &[]),
            ("STREAM.PURGE.OBJ_GRANTBOOK_SNAPSHOTS", &[NatsRole::Snapshots]),
            ("STREAM.PURGE", &[NatsRole::Snapshots]),
            ("STREAM.CREATE", &[NatsRole::Operator, NatsRole::SubscriberAdmin]),
            ("STREAM.UPDATE", &[NatsRole::Operator]),
            ("CONSUMER.DELETE", &[NatsRole::Subscriber]),
            ("$JS.ACK", &[NatsRole::Subscriber]),
            ("$O.", &[NatsRole::Snapshots]),
            ("grantbook.events.", &[NatsRole::Relay]),
            ("grantbook.changes.", &[NatsRole::Relay]),
            ("grantbook.nodes.", &[NatsRole::Read, NatsRole::Relay, NatsRole::Snapshots]),
        ] {
            assert_eq!(who(words), roles, "{words}");
        }
    }
}
