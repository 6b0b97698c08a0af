//! The argument tree's trunk; each noun's file has its branch.

use clap::{Parser, Subcommand};

use crate::{
    declare::{ApplyArgs, PlanArgs},
    demo::DemoArgs,
    manual::{CompletionsArgs, ManArgs},
    migrate::ImportVerb,
    nouns::{
        batch::BatchArgs, catalog::CatalogVerb, grants::GrantVerb, groups::GroupVerb, keys::KeyVerb,
        objects::ObjectVerb, projects::ProjectVerb, roles::RoleVerb, tokens::TokenVerb, users::UserVerb,
        webhooks::WebhookVerb,
    },
    operator::{
        cursors::CursorVerb,
        doctor::DoctorArgs,
        found::{FoundArgs, OrgVerb, OwnerVerb},
        journal::JournalVerb,
        nats::NatsVerb,
        serve::ServeArgs,
        snapshots::SnapshotVerb,
        view::ViewVerb,
    },
    questions::{
        access::AccessArgs,
        audit::AuditArgs,
        changes::{DiffArgs, TimelineArgs},
        check::CheckArgs,
        report::ReportArgs,
        reverse::{AccessibleArgs, PermissionsArgs, WhoCanArgs},
        watch::WatchArgs,
        why::WhyArgs,
    },
    shared::globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  (umask 077; grantbook init --org acme --owner ada@example.com > owner.key)
  grantbook serve &
  export GRANTBOOK_KEY=$(cat owner.key)
  grantbook project create staging
  grantbook project create production --label env=production
  grantbook token create ci-bot
  grantbook group create not-production
  grantbook group add not-production token:ci-bot
  grantbook grant create --to group:not-production --role Engineer \\
      --projects all --except label:env=production
  grantbook check token:ci-bot update project:staging      # exit 0: allowed
  grantbook check token:ci-bot update project:production   # exit 3: denied
  grantbook why token:ci-bot update project:production
  grantbook who-can update project:production
  grantbook token key ci-bot --expires 90d > ci-bot.key

Names are accepted wherever an id is. Data goes to stdout, talk to stderr.
Exit codes: 0 yes, 1 failure, 2 usage, 3 denied.";

/// Who may do what, who gave it, when and why.
///
/// Grantbook is a self-hosted, event-sourced control plane for access: people and service tokens, permission groups,
/// grants on projects.
#[derive(Debug, Parser)]
#[command(name = "grantbook", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) noun: Noun,
}

/// What to work on.
#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Tell the story of a limited key with real commands, against a temporary server.
    Demo(Box<DemoArgs>),
    /// Run the service.
    Serve(Box<ServeArgs>),
    /// Create the first organization and print its owner's key (shown once).
    Init(FoundArgs),
    /// Operate on organizations.
    Org {
        #[command(subcommand)]
        verb: OrgVerb,
    },
    /// Operate on owners.
    Owner {
        #[command(subcommand)]
        verb: OwnerVerb,
    },
    /// The journal as a whole: verify, copy, export, import.
    Journal {
        #[command(subcommand)]
        verb: JournalVerb,
    },
    /// The view of a node: verify, bootstrap, build.
    View {
        #[command(subcommand)]
        verb: ViewVerb,
    },
    /// Snapshots of views, and the keys that sign them.
    Snapshot {
        #[command(subcommand)]
        verb: SnapshotVerb,
    },
    /// The key that makes cursors of lists good on several nodes.
    Cursor {
        #[command(subcommand)]
        verb: CursorVerb,
    },
    /// The NATS servers' side: the streams beside a journal, and configurations of servers.
    Nats {
        #[command(subcommand)]
        verb: NatsVerb,
    },
    /// Look for what is unsafe, and say what to do. Exit 1 if something is.
    Doctor(DoctorArgs),
    /// Projects: what grants select.
    Project {
        #[command(subcommand)]
        verb: ProjectVerb,
    },
    /// Objects of your own, made known by type and id.
    Object {
        #[command(subcommand)]
        verb: ObjectVerb,
    },
    /// The permissions and object types there are.
    Catalog {
        #[command(subcommand)]
        verb: CatalogVerb,
    },
    /// People.
    User {
        #[command(subcommand)]
        verb: UserVerb,
    },
    /// Service tokens: accounts of programs. Their secrets are keys.
    Token {
        #[command(subcommand)]
        verb: TokenVerb,
    },
    /// Keys: secrets of users and service tokens.
    Key {
        #[command(subcommand)]
        verb: KeyVerb,
    },
    /// Permission groups and their members.
    Group {
        #[command(subcommand)]
        verb: GroupVerb,
    },
    /// Roles: named sets of permissions.
    Role {
        #[command(subcommand)]
        verb: RoleVerb,
    },
    /// Grants: who is given what, where.
    Grant {
        #[command(subcommand)]
        verb: GrantVerb,
    },
    /// Webhooks: where messages about events and changes of access are sent.
    Webhook {
        #[command(subcommand)]
        verb: WebhookVerb,
    },
    /// Several writes at once, all or none.
    Batch(BatchArgs),
    /// Show what a file of access would change, and who would gain and lose what; writes nothing.
    Plan(PlanArgs),
    /// Make everything as a file of access says, as one record.
    Apply(ApplyArgs),
    /// Carry access over from another product.
    Import {
        #[command(subcommand)]
        verb: ImportVerb,
    },
    /// Ask whether something is allowed: exit 0 if so, 3 if not.
    Check(CheckArgs),
    /// Explain an answer: who granted it, when, why; or what is missing.
    Why(WhyArgs),
    /// Show all that a principal may do.
    Access(AccessArgs),
    /// Show who may do something, each with a shortest way on which it is granted.
    WhoCan(WhoCanArgs),
    /// Show the objects of a type on which a principal has a permission.
    Accessible(AccessibleArgs),
    /// Show the permissions that a principal has on an object.
    Permissions(PermissionsArgs),
    /// Show how a principal's access, or access to a project, changed step by step, and who did it.
    Timeline(TimelineArgs),
    /// Show who gained and lost what between two moments.
    Diff(DiffArgs),
    /// Write who has what, by which grant, given by whom: everybody, now or as of a day, as a table or JSON.
    Report(ReportArgs),
    /// Show what was decided, by whom, when, why.
    Audit(AuditArgs),
    /// Follow what is decided, and who gains and loses what, as it comes.
    Watch(WatchArgs),
    /// Show what the organization may hold, and what it holds.
    Limits,
    /// Show whose key this is.
    Whoami,
    /// Print the completion script of a shell.
    Completions(CompletionsArgs),
    /// Write the manual pages into a directory.
    Man(ManArgs),
}

impl Noun {
    /// Whether `--dry-run` keeps it from writing. What is not listed here is refused with it.
    pub(crate) const fn has_dry_run(&self) -> bool {
        matches!(
            self,
            Self::Project { .. }
                | Self::Object { .. }
                | Self::Catalog { .. }
                | Self::User { .. }
                | Self::Token { .. }
                | Self::Key { .. }
                | Self::Group { .. }
                | Self::Role { .. }
                | Self::Grant { .. }
                | Self::Batch(_)
                | Self::Apply(_)
                | Self::Webhook {
                    verb: WebhookVerb::Create { .. }
                        | WebhookVerb::Update(_)
                        | WebhookVerb::Rotate { .. }
                        | WebhookVerb::Delete { .. },
                }
                | Self::Journal { verb: JournalVerb::AcceptRollback(_) }
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::error::ErrorKind> {
        Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.kind())
    }

    #[test]
    fn the_argument_tree_is_sound() {
        Cli::command().debug_assert();
    }

    fn are_understood(lines: &[&str]) {
        for line in lines {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
        }
    }

    /// Those of one installation in 64 do.
    #[test]
    fn a_position_may_begin_with_a_minus() {
        let position = "-vK_cJZwzwYAAAAAAAAEAA";
        are_understood(&[
            &format!("grantbook --at-least {position} --as-of {position} whoami"),
            &format!("grantbook audit --since {position} --until {position} --json"),
            &format!("grantbook diff {position} {position} --principal token:ci"),
            &format!("grantbook diff {position} --json"),
            &format!("grantbook timeline token:ci --since {position} --until {position}"),
            &format!("grantbook watch --from {position} --json"),
            &format!("grantbook webhook replay w --from {position}"),
        ]);
    }

    #[test]
    fn the_lines_of_the_contract_are_understood() {
        are_understood(&[
            "grantbook --command-url http://c token create ci",
            "grantbook token create ci",
            "grantbook token key ci --expires 90d --narrow-permissions read,update",
            "grantbook group create g",
            "grantbook group add g token:ci",
            "grantbook group remove g token:ci",
            "grantbook grant create --to group:g --role Engineer --projects all --except label:env=production",
            "grantbook grant create --to user:a@b --permissions read --organization --deny --reason x",
            "grantbook --json --url http://h --key k check token:ci update project:staging",
            "grantbook why token:ci update project:production --json --as-of 2026-01-01T00:00:00Z",
            "grantbook why token:ci update project:production --svg why.svg",
            "grantbook access token:ci",
            "grantbook who-can update project:production",
            "grantbook who-can read dataset:d1 --project staging --json",
            "grantbook accessible token:ci update project",
            "grantbook permissions user:a@b project:staging",
            "grantbook timeline token:ci --since 30d",
            "grantbook timeline project:production",
            "grantbook diff 30d",
            "grantbook diff 2026-01-01T00:00:00Z 7d --project production",
            "grantbook --as-of 30d check token:ci update project:staging",
            "grantbook --at-least latest check token:ci update project:staging",
            "grantbook grant list --as-of 2026-01-01T00:00:00Z",
            "grantbook audit --actor user:a@b --since 30d --event KeyRevoked",
            "grantbook report --as-of 2026-06-30 --format csv --output report.csv",
            "grantbook report --project production --permission update --format ndjson",
            "grantbook audit --since 30d --output audit.ndjson --resume",
            "grantbook grant history --by user:ada@example.com --project P --newest-first",
            "grantbook webhook key hooks.key",
            "grantbook webhook create https://h/x --event KeyRevoked,AccessLost --kind record --description d",
            "grantbook webhook list --json",
            "grantbook webhook show ID",
            "grantbook webhook update ID --to https://h/y --all-events --no-description --disable",
            "grantbook webhook rotate ID --grace 1h",
            "grantbook webhook replay ID --from start",
            "grantbook webhook dead-letters ID",
            "grantbook webhook retry ID MESSAGE",
            "grantbook webhook test ID",
            "grantbook webhook delete ID",
            "grantbook batch -f -",
            "grantbook plan -f access.yaml --json",
            "grantbook apply -f access.yaml --plan reviewed.json",
            "grantbook whoami",
        ]);
    }

    #[test]
    fn the_lines_of_operators_are_understood() {
        are_understood(&[
            "grantbook init --org acme --owner ada@example.com --data /d",
            "grantbook org create --org b --owner b@example.com --data /d --json",
            "grantbook owner recover --org acme --owner ada@example.com --reason lost",
            "grantbook serve",
            "grantbook serve all --data /d --listen 127.0.0.1:0 --ready-file /r",
            "grantbook serve read --nats nats://a,nats://b",
            "grantbook serve --public-url https://pdp.example.com/t1",
            "grantbook serve command --nats tls://a --nats-creds f --nats-ca c --nats-stream S",
            "grantbook init --org acme --owner a@b --nats nats://a --replicas 1",
            "grantbook serve read --nats nats://a --max-lag 2s --max-silence 1m --when-stale mark",
            "grantbook serve --webhooks hooks.key --webhook-allow 10.0.0.0/8,hooks:8080 --webhook-retry 1s,5m",
            "grantbook journal verify --data d",
            "grantbook nats config --servers 3 --dir d --host a,b,c --tls-dir t",
            "grantbook journal copy --from d --to nats://a,nats://b --replicas 3",
            "grantbook journal export --data d -o f",
            "grantbook journal import --data d -i f",
            "grantbook journal accept-rollback --data d --reason lost --dry-run",
            "grantbook journal accept-rollback --nats nats://a --above 7 --view v --reason lost",
            "grantbook view verify --data d",
            "grantbook view bootstrap --nats nats://a --snapshots nats --snapshot-trust 3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
            "grantbook view build --nats nats://a --snapshots s --accept-differences",
            "grantbook snapshot key snapshot.key",
            "grantbook cursor key cursor.key",
            "grantbook serve read --nats nats://a --command-url http://c:7878 --cursor-key-file cursor.key",
            "grantbook serve --trusted-proxy 10.0.0.0/8,fd00::/8 --trusted-proxy 192.0.2.1",
            "grantbook snapshot make --data d --snapshots s --snapshot-key k",
            "grantbook serve read --nats nats://a --snapshots nats --snapshot-key k --snapshot-every 15m --node-name n --scrub-every 1h",
            "grantbook nats prepare --nats nats://a",
            "grantbook serve read --nats nats://a --relay",
            "grantbook init --org acme --owner a@b --nats nats://a --journal-only",
            "grantbook doctor --nats nats://a --monitor http://a:8222 --node http://b:7878",
        ]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_before_anything_is_sent() {
        for line in [
            "grantbook grant create --to group:g --role Engineer",
            "grantbook grant create --to group:g --projects all",
            "grantbook grant create --to group:g --role R --permissions read --projects all",
            "grantbook grant create --to group:g --role R --projects all --organization",
            "grantbook grant create --to group:g --role R --organization --except all",
            "grantbook grant create --to project:g --role R --organization",
            "grantbook grant create --to group:g --role R --projects staging",
            "grantbook check ci update project:staging",
            "grantbook check token:ci update staging",
            "grantbook token key ci --expires soon",
            "grantbook init --org acme",
            "grantbook audit --resume",
            "grantbook audit --output f --newest-first",
            "grantbook serve --listen nowhere",
            "grantbook serve --max-lag soon",
            "grantbook serve --when-stale maybe",
            "grantbook serve --public-url http://pdp.example.com",
            "grantbook serve --trusted-proxy proxy.example.com",
            "grantbook serve read --nats nats://a --command-url command:7878",
            "grantbook serve --nats nats://a --nats-user ada",
            "grantbook serve --nats nats://a --nats-creds c --nats-nkey k",
            "grantbook init --org acme --owner a@b --replicas 0",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn debug_of_the_arguments_hides_the_key() {
        let cli = parse("grantbook --key gb_pk_text whoami").unwrap();
        assert!(!format!("{cli:?}").contains("gb_pk_text"));
    }
}
