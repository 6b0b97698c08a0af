//! Decides a record anew: from its events back to the command that makes them, and that command on the state before.

use grantbook_domain::{
    command::{
        Author, Command, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, Request, RoleCommand, SessionCommand, TokenCommand, UserCommand, WebhookCommand,
    },
    event::Event,
    model::{Grant, Key, Personal, User},
    principal::{Actor, Caller},
    record::{Record, Recorded},
    state::OrgState,
    time::Timestamp,
};

/// Whether the record is what its command makes on this state; why not, in words.
pub(super) fn again(before: &OrgState, recorded: &Recorded) -> Result<(), String> {
    let record = &recorded.record;
    if let Some(why) = record.misunderstood(recorded.org) {
        return Err(why.to_owned());
    }
    if record.ordinal == 1 {
        return Ok(());
    }
    let command = command(record).ok_or("its events are no command's")?;
    let request = Request { author: author(record), at: record.at, command };
    match before.decide(&request) {
        Ok(decided) if decided.events == record.events => Ok(()),
        Ok(decided) => Err(format!(
            "decided on the record before it, it makes {} other events: {:?} instead of {:?}",
            decided.events.len(),
            decided.events,
            record.events
        )),
        Err(refusal) => {
            Err(format!("decided on the record before it, it is refused: {} ({refusal})", refusal.code()))
        }
    }
}

fn author(record: &Record) -> Author {
    match record.actor {
        Actor::System => Author::System,
        Actor::Operator => Author::Operator,
        Actor::User(_) | Actor::Token(_) => match record.actor.principal() {
            Some(principal) => Author::Caller(Caller { principal, key: record.credential }),
            None => Author::System,
        },
    }
}

/// The command of a record: a batch of one command an event, but for notices.
fn command(record: &Record) -> Option<Command> {
    if record.actor == Actor::System {
        return Some(Command::NoteExpiries { limit: record.events.len() });
    }
    let mut commands: Vec<Command> =
        record.events.iter().map(|event| of(event, record)).collect::<Option<_>>()?;
    match commands.pop() {
        Some(command) if commands.is_empty() => Some(command),
        Some(last) => {
            commands.push(last);
            Some(Command::Batch(commands))
        }
        None => None,
    }
}

fn of(event: &Event, record: &Record) -> Option<Command> {
    Some(match event.clone() {
        Event::OrganizationCreated { .. }
        | Event::TokenExpired { .. }
        | Event::KeyExpired { .. }
        | Event::MemberExpired { .. }
        | Event::GrantExpired { .. } => return None,
        Event::CatalogExtended { object_types, permissions } => {
            Command::ExtendCatalog { object_types, permissions }
        }
        Event::UserCreated { user } => create_user(&user)?,
        Event::UserUpdated { user } => Command::User(UserCommand::Update {
            id: user.id,
            email: Some(clear(&user.email)?),
            name: Some(user.name.as_ref().and_then(clear)),
            external_id: Some(user.external_id.as_ref().and_then(clear)),
        }),
        Event::UserDeactivated { user } => Command::User(UserCommand::Deactivate { id: user.id }),
        Event::TokenCreated { token } => Command::Token(TokenCommand::Create {
            id: token.id,
            name: token.name,
            description: token.description,
            external_id: token.external_id.as_ref().and_then(clear),
            expires_at: token.expires_at,
        }),
        Event::TokenUpdated { token } => Command::Token(TokenCommand::Update {
            id: token.id,
            name: Some(token.name),
            description: Some(token.description),
            external_id: Some(token.external_id.as_ref().and_then(clear)),
            expires_at: Some(token.expires_at),
        }),
        Event::TokenDeleted { token } => Command::Token(TokenCommand::Delete { id: token.id }),
        Event::KeyIssued { key } if key.session.is_some() => {
            Command::Session(SessionCommand::Start { id: key.id, hash: key.hash })
        }
        Event::KeyIssued { key } => issue(key),
        Event::KeyRotated { key, old } => rotate(&key, &old, record)?,
        Event::KeyRevoked { key } => Command::Key(KeyCommand::Revoke { id: key.id }),
        other => return structural(other, record),
    })
}

fn structural(event: Event, record: &Record) -> Option<Command> {
    Some(match event {
        Event::GroupCreated { group } => Command::Group(GroupCommand::Create {
            id: group.id,
            name: group.name,
            description: group.description,
        }),
        Event::GroupUpdated { group } => Command::Group(GroupCommand::Update {
            id: group.id,
            name: Some(group.name),
            description: Some(group.description),
        }),
        Event::GroupDeleted { group } => Command::Group(GroupCommand::Delete { id: group.id }),
        Event::MemberAdded { membership } => Command::Member(MemberCommand::Add {
            group: membership.group,
            member: membership.member,
            expires_at: membership.expires_at.into(),
        }),
        Event::MemberRemoved { membership } => {
            Command::Member(MemberCommand::Remove { group: membership.group, member: membership.member })
        }
        Event::RoleCreated { role } => Command::Role(RoleCommand::Create {
            id: role.id,
            name: role.name,
            permissions: role.permissions,
            includes: role.includes,
        }),
        Event::RoleUpdated { role } => Command::Role(RoleCommand::Update {
            id: role.id,
            name: Some(role.name),
            permissions: Some(role.permissions),
            includes: Some(role.includes),
        }),
        Event::RoleDeleted { role } => Command::Role(RoleCommand::Delete { id: role.id }),
        Event::ProjectCreated { project } => Command::Project(ProjectCommand::Create {
            id: project.id,
            name: project.name,
            labels: project.labels,
        }),
        Event::ProjectUpdated { project } => Command::Project(ProjectCommand::Update {
            id: project.id,
            name: Some(project.name),
            labels: Some(project.labels),
        }),
        Event::ProjectDeleted { project } => Command::Project(ProjectCommand::Delete { id: project.id }),
        Event::ObjectRegistered { object } => {
            Command::Object(ObjectCommand::Register { object: object.object, name: object.name })
        }
        Event::ObjectUpdated { object } => {
            Command::Object(ObjectCommand::Update { object: object.object, name: Some(object.name) })
        }
        Event::ObjectRemoved { object } => Command::Object(ObjectCommand::Remove { object: object.object }),
        Event::GrantCreated { grant } => create_grant(grant),
        Event::GrantRevoked { grant } => Command::Grant(GrantCommand::Revoke { id: grant.id }),
        other => return about_webhooks(other, record),
    })
}

fn about_webhooks(event: Event, record: &Record) -> Option<Command> {
    Some(match event {
        Event::WebhookCreated { webhook } => Command::Webhook(WebhookCommand::Create {
            id: webhook.id,
            url: webhook.url,
            events: webhook.events,
            kinds: webhook.kinds,
            description: webhook.description,
            enabled: webhook.enabled,
            key: webhook.signer.key,
        }),
        Event::WebhookUpdated { webhook } => Command::Webhook(WebhookCommand::Update {
            id: webhook.id,
            url: Some(webhook.url),
            events: Some(webhook.events),
            kinds: Some(webhook.kinds),
            description: Some(webhook.description),
            enabled: Some(webhook.enabled),
        }),
        Event::WebhookRotated { webhook } => {
            let until = webhook.former.and_then(|former| former.until);
            Command::Webhook(WebhookCommand::Rotate {
                id: webhook.id,
                key: webhook.signer.key,
                grace_seconds: until.map_or(Some(0), |until| grace(until, record))?,
            })
        }
        Event::WebhookDeleted { webhook } => Command::Webhook(WebhookCommand::Delete { id: webhook.id }),
        _ => return None,
    })
}

fn clear(personal: &Personal) -> Option<String> {
    personal.clear().map(str::to_owned)
}

fn create_user(user: &User) -> Option<Command> {
    Some(Command::User(UserCommand::Create {
        id: user.id,
        email: clear(&user.email)?,
        name: user.name.as_ref().and_then(clear),
        external_id: user.external_id.as_ref().and_then(clear),
    }))
}

fn issue(key: Key) -> Command {
    Command::Key(KeyCommand::Issue {
        id: key.id,
        principal: key.principal,
        name: key.name,
        hash: key.hash,
        expires_at: key.expires_at,
        narrow: key.narrow,
    })
}

/// How long a grace was, in seconds, rounded up.
fn grace(until: Timestamp, record: &Record) -> Option<u64> {
    Some(u64::try_from(until.millis() - record.at.millis()).ok()?.div_ceil(1000))
}

/// If the old key's own end came before that of the grace, any longer one is as good.
fn rotate(key: &Key, old: &Key, record: &Record) -> Option<Command> {
    let grace_seconds = grace(old.expires_at?, record)?;
    Some(Command::Key(KeyCommand::Rotate { id: old.id, new_id: key.id, hash: key.hash, grace_seconds }))
}

fn create_grant(grant: Grant) -> Command {
    Command::Grant(GrantCommand::Create {
        id: grant.id,
        to: grant.to,
        gives: grant.gives,
        on: grant.on,
        effect: grant.effect,
        object_type: grant.object_type,
        expires_at: grant.expires_at,
        reason: grant.reason,
    })
}
