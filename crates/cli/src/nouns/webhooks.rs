//! `grantbook webhook`

use std::path::{Path, PathBuf};

use crate::{
    nouns::users::change,
    shared::{exit::Verdict, output::Output, session::Session},
};
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use grantbook_api::{
    client::Answer,
    nouns::webhooks::{
        Attempt, CreateWebhook, DeadLetter, MessageKind, ReplayWebhook, RotateWebhook, UpdateWebhook, Webhook,
    },
    people::when::Span,
    words::list::PageQuery,
};
use grantbook_server::subscribe::webhooks::WebhookKey;

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookVerb {
    /// Make the installation's webhook key file, for `serve --webhooks FILE`; needs no server.
    Key {
        /// Where; nothing is there yet.
        file: PathBuf,
    },
    /// Make a webhook; stdout is exactly its signing secret, shown once.
    Create {
        /// Where messages are sent: `https://host[:port][/path]`.
        #[arg(value_name = "URL")]
        to: String,
        #[command(flatten)]
        filters: Filters,
        /// What for.
        #[arg(long)]
        description: Option<String>,
        /// Send nothing until it is enabled.
        #[arg(long)]
        disabled: bool,
    },
    /// List the webhooks.
    List,
    /// Show a webhook; from a node that delivers, with how that goes.
    Show {
        /// Its id.
        id: String,
    },
    /// Change a webhook.
    Update(UpdateArgs),
    /// Delete a webhook for ever.
    Delete {
        /// Its id.
        id: String,
    },
    /// Give a webhook a new signing secret; stdout is exactly the secret, shown once.
    Rotate {
        /// Its id.
        id: String,
        /// How long messages are signed with the old secret too: 24h, 0s.
        #[arg(long, default_value = "1h", value_name = "LENGTH")]
        grace: Span,
    },
    /// Send the messages after a position, again or for the first time.
    Replay {
        /// Its id.
        id: String,
        /// A position, `start` or `now`.
        #[arg(long, value_name = "POSITION", allow_hyphen_values = true)]
        from: String,
    },
    /// List the messages that were given up.
    DeadLetters {
        /// The webhook's id.
        id: String,
    },
    /// Try a message that was given up once more. Exit 1 if it is not accepted.
    Retry {
        /// The webhook's id.
        id: String,
        /// The message's id.
        message: String,
    },
    /// Send a test message, once. Exit 1 if it is not accepted.
    Test {
        /// The webhook's id.
        id: String,
    },
}

/// Which messages.
#[derive(Debug, Args)]
pub(crate) struct Filters {
    /// Only messages of this name, such as `KeyRevoked` or `AccessLost`; may be repeated.
    #[arg(long = "event", value_name = "NAME", value_delimiter = ',')]
    events: Vec<String>,
    /// Only messages of this kind; may be repeated.
    #[arg(long = "kind", value_enum, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Events of records.
    Record,
    /// Changes of effective access.
    Change,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Its id.
    id: String,
    /// Another URL.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Messages of all names.
    #[arg(long, conflicts_with = "events")]
    all_events: bool,
    /// New description.
    #[arg(long, conflicts_with = "no_description")]
    description: Option<String>,
    /// Take the description away.
    #[arg(long)]
    no_description: bool,
    #[command(flatten)]
    switch: Switch,
}

/// Whether messages are sent; as it is if neither is said.
#[derive(Debug, Args)]
struct Switch {
    /// Send messages, also those of the time between.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Send nothing.
    #[arg(long)]
    disable: bool,
}

/// Makes a key file: the only verb without a server.
pub(crate) fn make_key(file: &Path, out: Output) -> anyhow::Result<Verdict> {
    let key = WebhookKey::create(file)?;
    out.note(&format!(
        "{} holds webhook key {}: start every process that makes or delivers webhooks with --webhooks and a copy of it",
        file.display(),
        key.name()
    ));
    Ok(Verdict::Yes)
}

pub(crate) async fn run(session: &Session, verb: WebhookVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        // Taken by `main`, which needs no server.
        WebhookVerb::Key { .. } => {}
        WebhookVerb::Create { to, filters, description, disabled } => {
            let Filters { events, kinds } = filters;
            let body = CreateWebhook {
                url: to,
                events: (!events.is_empty()).then_some(events),
                kinds: words(kinds),
                description,
                enabled: disabled.then_some(false),
            };
            give(session, &client.create_webhook(&body).await?)?;
        }
        WebhookVerb::List => {
            let webhooks: Vec<Webhook> = client.every(&["v1", "webhooks"], &PageQuery::default()).await?;
            out.list(&webhooks, &["URL", "EVENTS", "KINDS", "ENABLED", "ID", "CREATED"], row)?;
        }
        WebhookVerb::Show { id } => out.thing(&client.webhook(&id).await?.value)?,
        WebhookVerb::Update(args) => update(session, args).await?,
        WebhookVerb::Delete { id } => {
            out.done(&client.delete_webhook(&id).await?, &format!("webhook {id}"), "deleted")?;
        }
        WebhookVerb::Rotate { id, grace } => {
            let grace_seconds = u64::try_from(grace.0)?;
            give(session, &client.rotate_webhook(&id, &RotateWebhook { grace_seconds }).await?)?;
        }
        WebhookVerb::Replay { id, from } => {
            let answer = client.replay_webhook(&id, &ReplayWebhook { from }).await?;
            out.done(&answer, &format!("webhook {id}"), "replays")?;
        }
        WebhookVerb::DeadLetters { id } => {
            let path = ["v1", "webhooks", &id, "dead-letters"];
            let letters: Vec<DeadLetter> = client.every(&path, &PageQuery::default()).await?;
            out.list(&letters, &["TYPE", "ATTEMPTS", "LAST", "OUTCOME", "ID"], letter_row)?;
        }
        WebhookVerb::Retry { id, message } => {
            tried(*out, &client.retry_dead_letter(&id, &message).await?)?;
        }
        WebhookVerb::Test { id } => tried(*out, &client.test_webhook(&id).await?)?,
    }
    Ok(())
}

async fn update(session: &Session, args: UpdateArgs) -> anyhow::Result<()> {
    let Filters { events, kinds } = args.filters;
    let body = UpdateWebhook {
        url: args.to,
        events: (args.all_events || !events.is_empty()).then_some(events),
        kinds: words(kinds),
        description: change(args.description, args.no_description),
        enabled: (args.switch.enable || args.switch.disable).then_some(args.switch.enable),
    };
    let answer = session.client.update_webhook(&args.id, &body).await?;
    session.out.done(&answer, &format!("webhook {}", args.id), "updated")?;
    Ok(())
}

fn words(kinds: Vec<Kind>) -> Option<Vec<MessageKind>> {
    let word = |kind| match kind {
        Kind::Record => MessageKind::Record,
        Kind::Change => MessageKind::Change,
    };
    (!kinds.is_empty()).then(|| kinds.into_iter().map(word).collect())
}

/// Without `--json`, stdout is exactly the secret.
fn give(session: &Session, answer: &Answer<Webhook>) -> anyhow::Result<()> {
    let Session { out, .. } = session;
    let webhook = &answer.value;
    if out.is_json() {
        out.json(webhook)?;
        return Ok(());
    }
    let withheld = || {
        format!(
            "the secret of webhook {} was shown by an earlier request with this id: rotate it",
            webhook.id
        )
    };
    let secret = webhook.secret.as_ref().and_then(Option::as_ref).with_context(withheld)?;
    out.line(secret.expose())?;
    out.note(&format!("webhook {}; its signing secret is shown once, keep it now", webhook.id));
    if let Some(until) = &webhook.old_valid_until {
        out.note(&format!("messages are signed with the old secret too until {until}"));
    }
    Ok(())
}

fn tried(out: Output, answer: &Answer<Attempt>) -> anyhow::Result<()> {
    let attempt = &answer.value;
    if out.is_json() {
        out.json(attempt)?;
    } else {
        out.line(&outcome(attempt))?;
    }
    anyhow::ensure!(attempt.delivered, "the receiver did not accept the message");
    Ok(())
}

fn outcome(attempt: &Attempt) -> String {
    match (&attempt.status, &attempt.error) {
        (Some(status), _) => format!("answered {status}"),
        (None, Some(error)) => error.clone(),
        (None, None) => "no answer".to_owned(),
    }
}

fn row(webhook: &Webhook) -> Vec<String> {
    let kind = |kind: &MessageKind| match kind {
        MessageKind::Record => "record",
        MessageKind::Change => "change",
    };
    let kinds: Vec<_> = webhook.kinds.iter().map(kind).collect();
    vec![
        webhook.url.clone(),
        if webhook.events.is_empty() { "all".to_owned() } else { webhook.events.join(",") },
        kinds.join(","),
        if webhook.enabled { "yes" } else { "no" }.to_owned(),
        webhook.id.clone(),
        webhook.created_at.clone(),
    ]
}

fn letter_row(letter: &DeadLetter) -> Vec<String> {
    vec![
        letter.name.clone(),
        letter.attempts.to_string(),
        letter.last_attempt.at.clone(),
        outcome(&letter.last_attempt),
        letter.id.clone(),
    ]
}
