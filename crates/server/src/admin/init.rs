//! The operator's work on a journal: `init`, `org create`, `owner recover`. A file must not be in use meanwhile; a
//! stream of NATS servers may be.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use grantbook_domain::{
    command::{Author, Command},
    event::Event,
    id::OrgId,
    principal::{Actor, Principal},
    record::{RECORD_SCHEMA, Record},
    state::founding::Founding,
};
use grantbook_journal::{
    AppendError, Identity, Journal,
    chain::Chains,
    embedded::EmbeddedJournal,
    follow::{
        known_head::{self, HeadFile, SeenEnd},
        open::{JournalAddress, OpenError, OpenJournal, make_directory},
    },
    found_surely,
    frame::encode,
    hash::Hash,
    stamp::{clock::Clock, ids::IdSource},
};
use tokio::time::Instant;

use crate::{
    Boxed,
    admin::{error::AdminError, expect_head},
};
use grantbook_command::{
    CommandService, Fold, OrgFold, Submission, TextFaults, expect_reason, replay,
    secret::{KeyKind, Secret},
};

/// How often a new organization's frame is tried while others append theirs.
const ATTEMPTS: usize = 8;
/// How long the append may take.
const APPEND_DEADLINE: Duration = Duration::from_secs(10);

/// An organization and its first owner.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// Where the journal is, or is made.
    pub journal: JournalAddress,
    /// Where it is kept how far the journal has come; the embedded journal's directory, if that is the journal.
    pub data: PathBuf,
    /// How many servers keep a new journal in NATS; none: three in a cluster, else one.
    pub replicas: Option<u8>,
    /// The organization's name.
    pub org: String,
    /// The first owner's e-mail.
    pub owner_email: String,
    /// Whether the streams beside a new journal in NATS are left out.
    pub journal_only: bool,
}

/// Whose key was lost.
#[derive(Debug, Clone)]
pub struct RecoverOptions {
    /// Where the journal is.
    pub journal: JournalAddress,
    /// Where it is kept how far the journal has come; the embedded journal's directory, if that is the journal.
    pub data: PathBuf,
    /// The organization's id or name.
    pub org: String,
    /// The owner's e-mail; a user is made if nobody active has it.
    pub email: String,
    /// Why, for the record.
    pub reason: String,
}

/// An owner with a new key. `key` is the secret, here for the only time.
#[derive(Clone, PartialEq, Eq)]
pub struct InitOutcome {
    /// The organization's id.
    pub organization_id: String,
    /// Its name.
    pub organization_name: String,
    /// The owner's id.
    pub user_id: String,
    /// The owner's e-mail.
    pub email: String,
    /// The owner's new key, in full.
    pub key: String,
    /// What the operator should know about the journal.
    pub warning: Option<String>,
}

impl fmt::Debug for InitOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { organization_id, organization_name, user_id, email, key: _, warning } = self;
        f.debug_struct("InitOutcome")
            .field("organization_id", organization_id)
            .field("organization_name", organization_name)
            .field("user_id", user_id)
            .field("email", email)
            .field("key", &"****")
            .field("warning", warning)
            .finish()
    }
}

/// Makes a journal with its first organization. Refuses where there is a journal with anything in it; of several that
/// are at it at once, one wins.
pub fn init(options: InitOptions) -> Boxed<'static, Result<InitOutcome, AdminError>> {
    Box::pin(async move {
        let (clock, ids) = (Clock::system(), IdSource::system());
        let found = found(&options, &clock, &ids)?;
        if let JournalAddress::Embedded(data) = &options.journal
            && !EmbeddedJournal::exists(data)
        {
            expect_no_head(&HeadFile::in_directory(data))?;
        }
        let identity = Identity { installation: ids.id(), created_at: clock.now() };
        let opened = OpenJournal::create(&options.journal, identity, options.replicas).await?;
        if let (OpenJournal::JetStream(journal), false) = (&opened, options.journal_only) {
            // Before the first record: until that is there, init may be run again.
            journal.prepare().await?;
        }
        make_directory(&options.data)?;
        let file = HeadFile::in_directory(&options.data);
        expect_no_head(&file)?;
        let begun = match &opened {
            OpenJournal::Embedded(journal) => begin(journal.as_ref(), &found, file).await,
            OpenJournal::JetStream(journal) => begin(journal.as_ref(), &found, file).await,
        };
        if let Err(AdminError::Append(AppendError::Conflict { .. })) = begun {
            return Err(OpenError::NotEmpty(options.journal.to_string()).into());
        }
        let warning = begun?;
        opened.close().await?;
        Ok(InitOutcome { warning, ..found.outcome })
    })
}

/// Adds an organization to a journal. Names are unique among its organizations.
pub fn create_org(options: InitOptions) -> Boxed<'static, Result<InitOutcome, AdminError>> {
    Box::pin(async move {
        let found = found(&options, &Clock::system(), &IdSource::system())?;
        let opened = OpenJournal::open(&options.journal).await?;
        let warning = match &opened {
            OpenJournal::Embedded(journal) => add(journal.as_ref(), &options, &found).await?,
            OpenJournal::JetStream(journal) => add(journal.as_ref(), &options, &found).await?,
        };
        opened.close().await?;
        Ok(InitOutcome { warning, ..found.outcome })
    })
}

/// Appends the organization's first frame behind a head up to which no organization has the name.
async fn add<J: Journal>(
    journal: &J,
    options: &InitOptions,
    found: &Found,
) -> Result<Option<String>, AdminError> {
    let (file, is_known) = expect_head::require(journal, &options.data).await?;
    known_head::expect_writable(&file).await?;
    for _ in 0..ATTEMPTS {
        let fold = replay(journal, &options.journal).await?;
        if fold.organizations().any(|one| one.state().name() == options.org) {
            return Err(AdminError::OrganizationExists(options.org.clone()));
        }
        match append(journal, found, fold.sequence()).await {
            Err(AdminError::Append(AppendError::Conflict { .. })) => {}
            Err(error) => return Err(error),
            Ok(end) => {
                let kept = known_head::keep(journal, file, end).await;
                return Ok(warning(is_known, kept));
            }
        }
    }
    Err(AdminError::Contended)
}

/// Makes somebody an owner again, with a new key, by the operator's authority.
pub fn recover_owner(options: RecoverOptions) -> Boxed<'static, Result<InitOutcome, AdminError>> {
    Box::pin(async move {
        let opened = OpenJournal::open(&options.journal).await?;
        let outcome = match &opened {
            OpenJournal::Embedded(journal) => recover(journal, options).await?,
            OpenJournal::JetStream(journal) => recover(journal, options).await?,
        };
        opened.close().await?;
        Ok(outcome)
    })
}

async fn recover<J: Journal>(journal: &Arc<J>, options: RecoverOptions) -> Result<InitOutcome, AdminError> {
    let (clock, ids) = (Clock::system(), IdSource::system());
    let (file, is_known) = expect_head::require(journal.as_ref(), &options.data).await?;
    known_head::expect_writable(&file).await?;
    let fold = replay(journal.as_ref(), &options.journal).await?;
    expect_reason(&options.reason, &fold, clock.now())?;
    let (org, name) = find(&fold, &options.org).ok_or(AdminError::NoSuchOrganization(options.org))?;
    let key_id = ids.id();
    let secret = Secret::mint(KeyKind::User, key_id)?;
    let command = Command::RecoverOwner {
        email: options.email.clone(),
        new_user: ids.id(),
        key: key_id,
        hash: secret.hash(),
    };
    let service = CommandService::start(Arc::clone(journal), fold, clock, ids);
    let (author, reason) = (Author::Operator, Some(options.reason));
    let submission = Submission {
        org,
        author,
        command,
        idempotency: None,
        if_position: None,
        source_ip: None,
        reason,
        faults: TextFaults::default(),
    };
    let outcome = service.handle().submit(submission).await;
    let last = service.last();
    service.shutdown().await;
    let outcome = outcome?;
    let end = *last.borrow();
    let kept = known_head::keep(journal.as_ref(), file, end).await;
    let events = outcome.record.iter().flat_map(|record| &record.events);
    let mut owners = events
        .filter_map(|event| if let Event::KeyIssued { key } = event { Some(key.principal) } else { None });
    let user_id = match owners.next_back() {
        Some(Principal::User(id)) => id.to_string(),
        Some(Principal::Token(_)) | None => String::new(),
    };
    Ok(InitOutcome {
        organization_id: org.to_string(),
        organization_name: name,
        user_id,
        email: options.email,
        key: secret.expose().to_owned(),
        warning: warning(is_known, kept),
    })
}

/// What is said where it was not known how far the journal had come, or is not known now. Once a record is appended, nothing
/// keeps the new key back: it is shown only once.
fn warning(is_known: bool, kept: Result<(), OpenError>) -> Option<String> {
    match kept {
        Ok(()) => (!is_known).then(|| known_head::UNKNOWN.to_owned()),
        Err(error) => Some(known_head::not_kept(&error)),
    }
}

/// A new journal is none that was written to before.
fn expect_no_head(file: &HeadFile) -> Result<(), AdminError> {
    let Some(known) = file.read()? else { return Ok(()) };
    let (path, installation) = (file.path().to_owned(), known.identity.installation);
    Err(AdminError::HeadThere { path, installation, sequence: known.end.sequence })
}

/// Appends the first frame of all, and keeps that it is there.
async fn begin<J: Journal>(journal: &J, found: &Found, file: HeadFile) -> Result<Option<String>, AdminError> {
    known_head::expect_writable(&file).await?;
    let end = append(journal, found, 0).await?;
    Ok(warning(true, known_head::keep(journal, file, end).await))
}

/// A first record before it has a place.
struct Found {
    org: OrgId,
    record: Record,
    outcome: InitOutcome,
}

/// Decides the founding; nothing is touched, so that a bad name leaves no half-made directory.
fn found(options: &InitOptions, clock: &Clock, ids: &IdSource) -> Result<Found, AdminError> {
    let key = ids.id();
    let secret = Secret::mint(KeyKind::User, key)?;
    let founding = Founding {
        org: ids.id(),
        name: options.org.clone(),
        owner: ids.id(),
        email: options.owner_email.clone(),
        key,
        hash: secret.hash(),
        builtins: std::array::from_fn(|_| (ids.id(), ids.id(), ids.id())),
        at: clock.now(),
    };
    let record = Record {
        schema: RECORD_SCHEMA,
        ordinal: 1,
        at: founding.at,
        actor: Actor::Operator,
        credential: None,
        source_ip: None,
        request_id: ids.request_id(),
        request_hash: None,
        reason: None,
        steps: Vec::new(),
        events: founding.decide().map_err(AdminError::Refused)?,
    };
    let outcome = InitOutcome {
        organization_id: founding.org.to_string(),
        organization_name: founding.name,
        user_id: founding.owner.to_string(),
        email: founding.email,
        key: secret.expose().to_owned(),
        warning: None,
    };
    Ok(Found { org: founding.org, record, outcome })
}

async fn append<J: Journal>(journal: &J, found: &Found, head: u64) -> Result<SeenEnd, AdminError> {
    let link = Chains::new(journal.identity().installation).next_link(found.org);
    let frame = encode(link, std::slice::from_ref(&found.record))?;
    let hash = Hash::of(&frame);
    let sequence = found_surely(journal, found.org, head, frame, Instant::now() + APPEND_DEADLINE).await?;
    Ok(SeenEnd { sequence, hash })
}

fn find(fold: &Fold, id_or_name: &str) -> Option<(OrgId, String)> {
    let id = id_or_name.parse::<OrgId>().ok();
    let named = |one: &&OrgFold| one.state().id() == id && id.is_some() || one.state().name() == id_or_name;
    let state = fold.organizations().find(named)?.state();
    Some((state.id()?, state.name().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_behind_the_append_is_a_warning() {
        let warned = warning(true, Err(OpenError::InUse("data".into()))).unwrap();
        assert!(warned.starts_with("done, but the journal's head was not recorded"), "{warned}");
        assert_eq!(warning(true, Ok(())), None);
        assert_eq!(warning(false, Ok(())).as_deref(), Some(known_head::UNKNOWN));
    }
}
