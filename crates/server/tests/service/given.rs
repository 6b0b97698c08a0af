//! A settled organization on a journal in memory.

use std::sync::Arc;

use grantbook_command::{
    CommandHandle, CommandService, Fold, Idempotency, Outcome, Submission, SubmitError,
    secret::{KeyKind, Secret},
};
use grantbook_domain::{
    command::{Author, Command, TokenCommand},
    event::Event,
    id::{GrantId, GroupId, InstallationId, KeyId, OrgId, RoleId, TokenId, UserId},
    principal::{Actor, Caller, Principal},
    record::{RECORD_SCHEMA, Record},
    state::founding::Founding,
    time::Timestamp,
};
use grantbook_journal::{
    Identity, Item, Journal,
    chain::{Chains, Step},
    frame::encode,
    memory::{Fault, MemoryJournal},
    stamp::{
        clock::{Clock, ClockHand},
        ids::IdSource,
    },
};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, yield_now},
};

pub(crate) const ORG: OrgId = OrgId::from_u128(0xacce);
pub(crate) const OWNER: UserId = UserId::from_u128(0xada);
pub(crate) const OWNER_KEY: KeyId = KeyId::from_u128(9);
pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A journal with one organization, and a service on it.
pub(crate) struct Given {
    pub(crate) journal: MemoryJournal,
    pub(crate) service: CommandService,
    pub(crate) handle: CommandHandle,
    pub(crate) hand: ClockHand,
    pub(crate) ids: IdSource,
    pub(crate) owner: Caller,
    /// The owner's key, in full.
    pub(crate) secret: Secret,
}

pub(crate) fn memory(installation: u128) -> MemoryJournal {
    let installation = InstallationId::from_u128(installation);
    MemoryJournal::new(Identity { installation, created_at: START })
}

/// The first frame of an organization.
pub(crate) fn founding_frame(identity: Identity, org: OrgId, name: &str, key: &Secret) -> bytes::Bytes {
    let founding = Founding {
        org,
        name: name.to_owned(),
        owner: OWNER,
        email: "ada@example.com".to_owned(),
        key: OWNER_KEY,
        hash: key.hash(),
        builtins: [1_u128, 2, 3].map(|n| {
            let id = n << 64 | 5;
            (RoleId::from_u128(id), GroupId::from_u128(id + 1), GrantId::from_u128(id + 2))
        }),
        at: START,
    };
    let record = Record {
        schema: RECORD_SCHEMA,
        ordinal: 1,
        at: START,
        actor: Actor::Operator,
        credential: None,
        source_ip: None,
        request_id: "founding".to_owned(),
        request_hash: None,
        reason: None,
        steps: Vec::new(),
        events: founding.decide().unwrap(),
    };
    let link = Chains::new(identity.installation).next_link(org);
    encode(link, &[record]).unwrap()
}

impl Given {
    pub(crate) async fn settled() -> Self {
        let journal = memory(1);
        let secret = Secret::mint(KeyKind::User, OWNER_KEY).unwrap();
        let frame = founding_frame(journal.identity(), ORG, "acme", &secret);
        journal.append(ORG, 0, frame).await.unwrap();
        Self::over(journal, secret).await
    }

    /// A second service on the same journal, as in another process.
    pub(crate) async fn rival(&self) -> Self {
        Self::over(self.journal.clone(), Secret::mint(KeyKind::User, OWNER_KEY).unwrap()).await
    }

    /// A service on what the journal holds.
    pub(crate) async fn over(journal: MemoryJournal, secret: Secret) -> Self {
        let (clock, hand) = Clock::settable(START);
        let ids = IdSource::system();
        let fold = Fold::replay(&journal).await.unwrap();
        let service = CommandService::start(Arc::new(journal.clone()), fold, clock, ids.clone());
        let handle = service.handle();
        let owner = Caller { principal: Principal::User(OWNER), key: Some(OWNER_KEY) };
        Self { journal, service, handle, hand, ids, owner, secret }
    }

    /// Ends the service and starts another one on what the journal holds.
    pub(crate) async fn restarted(self) -> Self {
        self.service.shutdown().await;
        Self::over(self.journal, self.secret).await
    }

    pub(crate) fn submission(&self, command: Command) -> Submission {
        let author = Author::Caller(self.owner);
        Submission {
            org: ORG,
            author,
            command,
            idempotency: None,
            if_position: None,
            source_ip: None,
            reason: None,
            faults: grantbook_command::TextFaults::default(),
        }
    }

    /// Submits beside the test.
    pub(crate) fn spawn(&self, submission: Submission) -> JoinHandle<Result<Outcome, SubmitError>> {
        let handle = self.handle.clone();
        tokio::spawn(async move { handle.submit(submission).await })
    }

    pub(crate) async fn submit(&self, command: Command) -> Result<Outcome, SubmitError> {
        self.handle.submit(self.submission(command)).await
    }

    pub(crate) fn create_token(&self, name: &str) -> Command {
        let (name, id) = (name.to_owned(), self.ids.id());
        Command::Token(TokenCommand::Create {
            id,
            name,
            description: None,
            external_id: None,
            expires_at: None,
        })
    }

    /// The next append waits for the gate.
    pub(crate) fn gate(&self) -> oneshot::Sender<()> {
        let (gate, delayed) = oneshot::channel();
        self.journal.inject(Fault::Delay(delayed));
        gate
    }

    /// Until the journal was asked so often to append.
    pub(crate) async fn appends(&self, count: u64) {
        while self.journal.appends() < count {
            yield_now().await;
        }
    }

    /// All records in the journal, frame by frame, every check made.
    pub(crate) fn frames(&self) -> Vec<Vec<Record>> {
        let mut chains = Chains::new(self.journal.identity().installation);
        let items: Vec<Item> = self.journal.read(0, 10_000.try_into().unwrap());
        let records = |item: &Item| match chains.take_item(item).unwrap() {
            Step::Next(frame) => Some(frame.records),
            Step::Foreign => None,
            Step::Repeat => panic!("no frame comes twice"),
        };
        items.iter().filter_map(records).collect()
    }

    /// How many service tokens the journal knows by this name.
    pub(crate) fn tokens_made(&self, name: &str) -> usize {
        let frames = self.frames();
        let events = frames.iter().flatten().flat_map(|record| &record.events);
        events.filter(|event| matches!(event, Event::TokenCreated { token } if token.name == name)).count()
    }
}

/// Lets every other task run until nothing is left to do without time or a gate.
pub(crate) async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

pub(crate) fn keyed(mut submission: Submission, key: &str, hash: u8) -> Submission {
    submission.idempotency = Some(Idempotency { key: key.to_owned(), request_hash: [hash; 16] });
    submission
}

pub(crate) fn token_id(outcome: &Outcome) -> TokenId {
    match outcome.record.as_ref().unwrap().events.as_slice() {
        [Event::TokenCreated { token }] => token.id,
        events => panic!("one TokenCreated, not {events:?}"),
    }
}
