//! `init`, `org create`, `owner recover`, and a whole application on what they made.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use grantbook_command::{Submission, secret::ParsedKey};
use grantbook_domain::{
    command::{Author, Command, TokenCommand},
    event::Event,
    model::Builtin,
    principal::{Actor, Grantee, Principal},
    record::Record,
};
use grantbook_journal::{
    Journal, Tail,
    embedded::EmbeddedJournal,
    follow::open::{JournalAddress, OpenError},
    frame::decode,
};
use grantbook_server::{
    admin::{
        error::AdminError,
        init::{InitOptions, InitOutcome, RecoverOptions, create_org, init, recover_owner},
    },
    app::{App, config::ServeConfig, error::StartError},
};

fn options(data: &Path, org: &str) -> InitOptions {
    InitOptions {
        journal: JournalAddress::Embedded(data.to_owned()),
        data: data.to_owned(),
        replicas: None,
        journal_only: false,
        org: org.to_owned(),
        owner_email: "ada@example.com".to_owned(),
    }
}

async fn app(data: &Path) -> Result<App, StartError> {
    let journal = JournalAddress::Embedded(data.to_owned());
    App::build(&ServeConfig { journal, data: data.to_owned(), ..ServeConfig::default() }).await
}

async fn records(data: &Path) -> Vec<Record> {
    let journal = EmbeddedJournal::open(data).unwrap();
    let stored = journal.tail(0).next(1000.try_into().unwrap(), Duration::ZERO).await.unwrap();
    stored.iter().flat_map(|stored| decode(stored.bytes()).unwrap().records).collect()
}

/// The key opens the organization, as an owner.
async fn opens(data: &Path, outcome: &InitOutcome) {
    let app = app(data).await.unwrap();
    let state = app.state();
    let key = ParsedKey::parse(&outcome.key).unwrap();
    let (org, caller) = state.parts.commands().unwrap().authenticate(&key, state.clock.now()).unwrap();
    assert_eq!(org.to_string(), outcome.organization_id);
    let Principal::User(user) = caller.principal else { panic!("a user") };
    assert_eq!(user.to_string(), outcome.user_id);
    let folded = state.parts.commands().unwrap().state(org).unwrap();
    assert_eq!(folded.name(), outcome.organization_name);
    let owners = folded.builtin_group(Builtin::Owner).unwrap();
    assert!(folded.membership(Grantee::User(user), owners).is_some_and(|member| member.ended_at.is_none()));
    drop(state);
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn init_makes_a_journal_once_and_gives_the_owners_key() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("below").join("data");
    let outcome = init(options(&data, "acme")).await.unwrap();
    assert_eq!((outcome.organization_name.as_str(), outcome.email.as_str()), ("acme", "ada@example.com"));
    assert!(outcome.key.starts_with("gb_pk_"));
    assert!(!format!("{outcome:?}").contains(&outcome.key));
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    opens(&data, &outcome).await;
    for file in std::fs::read_dir(&data).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
        let bytes = std::fs::read(file.path()).unwrap();
        let secret = &outcome.key.as_bytes()[29..72];
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{:?}", file.path());
    }
    let again = init(options(&data, "other")).await.unwrap_err();
    assert!(matches!(again, AdminError::Open(OpenError::NotEmpty(_))));
    assert!(again.to_string().contains("holds a journal already"), "{again}");
    opens(&data, &outcome).await;
    let records = records(&data).await;
    assert_eq!((records.len(), records[0].actor), (1, Actor::Operator));
}

#[tokio::test]
async fn a_bad_name_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let refused = init(options(&data, " acme")).await.unwrap_err();
    assert_eq!(refused.to_string(), "org: must not begin or end with white space");
    let refused = init(InitOptions { owner_email: "ada".to_owned(), ..options(&data, "acme") }).await;
    assert_eq!(refused.unwrap_err().to_string(), "owner: must be an e-mail address");
    assert!(!data.exists());
}

#[tokio::test]
async fn a_second_organization_has_its_own_name_and_key() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let missing = create_org(options(data, "acme")).await.unwrap_err();
    assert!(matches!(missing, AdminError::Open(OpenError::NoJournal(_))));
    assert!(missing.to_string().contains("grantbook init"), "{missing}");
    let first = init(options(data, "acme")).await.unwrap();
    let taken = create_org(options(data, "acme")).await;
    assert!(matches!(taken, Err(AdminError::OrganizationExists(name)) if name == "acme"));
    let second = create_org(options(data, "zenith")).await.unwrap();
    assert_ne!(first.organization_id, second.organization_id);
    opens(data, &first).await;
    opens(data, &second).await;
}

#[tokio::test]
async fn an_owner_is_recovered_with_a_reason_by_the_operator() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let first = init(options(data, "acme")).await.unwrap();
    let recover = |org: &str, email: &str| {
        recover_owner(RecoverOptions {
            journal: JournalAddress::Embedded(data.to_owned()),
            data: data.to_owned(),
            org: org.to_owned(),
            email: email.to_owned(),
            reason: "the laptop was stolen".to_owned(),
        })
    };
    let nowhere = recover("nobody", "ada@example.com").await;
    assert!(matches!(nowhere, Err(AdminError::NoSuchOrganization(name)) if name == "nobody"));
    let ada = recover("acme", "ada@example.com").await.unwrap();
    assert_eq!(ada.user_id, first.user_id);
    let bob = recover(&first.organization_id, "bob@example.com").await.unwrap();
    assert_ne!(bob.user_id, first.user_id);
    opens(data, &ada).await;
    opens(data, &bob).await;
    let records = records(data).await;
    assert_eq!(records.len(), 3);
    for record in &records[1..] {
        assert_eq!((record.actor, record.credential), (Actor::Operator, None));
        assert_eq!(record.reason.as_deref(), Some("the laptop was stolen"));
        assert!(record.events.iter().any(|event| matches!(event, Event::KeyIssued { .. })));
    }
}

#[tokio::test]
async fn a_running_server_keeps_others_out_and_shutdown_lets_them_in() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let outcome = init(options(data, "acme")).await.unwrap();
    let app = app(data).await.unwrap();
    let in_use = create_org(options(data, "zenith")).await.unwrap_err();
    assert!(matches!(in_use, AdminError::Open(OpenError::InUse(_))));
    assert!(in_use.to_string().contains("stop the server first"), "{in_use}");
    let state = app.state();
    let key = ParsedKey::parse(&outcome.key).unwrap();
    let (org, caller) = state.parts.commands().unwrap().authenticate(&key, state.clock.now()).unwrap();
    let command = Command::Token(TokenCommand::Create {
        id: state.ids.id(),
        name: "app".to_owned(),
        description: None,
        external_id: None,
        expires_at: None,
    });
    let author = Author::Caller(caller);
    let submission = Submission {
        org,
        author,
        command,
        idempotency: None,
        if_position: None,
        source_ip: None,
        reason: None,
        faults: grantbook_command::TextFaults::default(),
    };
    let position = state.parts.commands().unwrap().submit(submission).await.unwrap().position;
    state.parts.node().unwrap().wait_for(org, position, Duration::from_secs(30)).await.unwrap();
    assert_eq!(state.parts.node().unwrap().reader.snapshot().unwrap().position(org).unwrap(), position);
    drop(state);
    app.shutdown().await.unwrap();
    create_org(options(data, "zenith")).await.unwrap();
    assert_eq!(records(data).await.len(), 3);
}

#[tokio::test]
async fn a_server_without_a_journal_does_not_begin() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(app(directory.path()).await, Err(StartError::Open(OpenError::NoJournal(_)))));
    assert!(matches!(app(&directory.path().join("absent")).await, Err(StartError::Config(_))));
}
