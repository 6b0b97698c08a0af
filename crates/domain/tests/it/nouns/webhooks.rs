//! Webhooks: who may make them, what URLs they may have, how their secrets change, and that they confer nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use grantbook_domain::{
    command::{Author, Command, WebhookCommand},
    event::kind::EventKind,
    id::{Id, WebhookId},
    principal::{Grantee, Principal},
    refusal::{Kind, Refusal},
    scope::Scope,
    text::TextFault,
    webhook::{Destination, Host, MessageKind, Webhook},
};

use crate::{
    given::{Give, Org, START, as_user, assert_made, by, webhook},
    rules::rights_table::variants,
};

fn made(org: &mut Org) -> WebhookId {
    let id = org.id();
    org.done(webhook(id));
    id
}

fn change(id: WebhookId) -> Command {
    Command::Webhook(WebhookCommand::Update {
        id,
        url: None,
        events: None,
        kinds: None,
        description: None,
        enabled: None,
    })
}

fn found(org: &Org, id: WebhookId) -> Webhook {
    org.state.webhook(id).expect("the webhook").clone()
}

#[test]
fn a_webhook_is_made_with_sorted_filters_and_its_first_secret() {
    let mut org = Org::founded();
    let id = made(&mut org);
    let webhook = found(&org, id);
    assert_eq!(webhook.kinds, [MessageKind::Record, MessageKind::Change]);
    assert_eq!((webhook.signer.generation, webhook.former), (1, None));
    let update = Command::Webhook(WebhookCommand::Update {
        id,
        url: None,
        events: Some(vec!["KeyRevoked".into(), "AccessLost".into(), "KeyRevoked".into()]),
        kinds: None,
        description: Some(None),
        enabled: Some(false),
    });
    let ada = org.ada();
    assert_made(&org.act(ada, update.clone()), "WebhookUpdated");
    let webhook = found(&org, id);
    assert_eq!(webhook.events, ["AccessLost", "KeyRevoked"]);
    assert_eq!((webhook.description.as_deref(), webhook.enabled), (None, false));
    assert!(
        webhook.wants(MessageKind::Record, "KeyRevoked") && !webhook.wants(MessageKind::Record, "KeyIssued")
    );
    assert_eq!(org.decide(ada, update), Ok(Vec::new()), "nothing would change");
    assert_eq!(org.decide(ada, change(id)), Ok(Vec::new()));
}

#[test]
fn a_rotation_leaves_the_former_secret_for_its_grace_and_only_that_one() {
    let mut org = Org::founded();
    let id = made(&mut org);
    let rotate = |key: &str, grace_seconds| {
        Command::Webhook(WebhookCommand::Rotate { id, key: key.to_owned(), grace_seconds })
    };
    let ada = org.ada();
    assert_made(&org.act(ada, rotate("k2", 60)), "WebhookRotated");
    let webhook = found(&org, id);
    assert_eq!((webhook.signer.key.as_str(), webhook.signer.generation), ("k2", 2));
    let former = webhook.former.expect("the former");
    assert_eq!((former.key.as_str(), former.generation), ("k1", 1));
    assert_eq!(former.until, Some(START.plus_millis(60_000)));
    org.done(rotate("k2", 0));
    let webhook = found(&org, id);
    assert_eq!((webhook.signer.generation, webhook.former), (3, None));
    let endless = org.decide(ada, rotate("k2", 366 * 24 * 60 * 60 + 1));
    assert_eq!(endless.expect_err("too long").code(), "invalid");
}

#[test]
fn a_deleted_webhook_stays_deleted() {
    let mut org = Org::founded();
    let (id, ada) = (made(&mut org), org.ada());
    assert_made(&org.act(ada, Command::Webhook(WebhookCommand::Delete { id })), "WebhookDeleted");
    assert_eq!(org.decide(ada, Command::Webhook(WebhookCommand::Delete { id })), Ok(Vec::new()));
    let rotate = Command::Webhook(WebhookCommand::Rotate { id, key: "k".into(), grace_seconds: 0 });
    for command in [change(id), rotate] {
        assert_eq!(org.decide(ada, command), Err(Refusal::NotFound(Kind::Webhook)));
    }
    let never = Id::from_u128(1);
    for command in [change(never), Command::Webhook(WebhookCommand::Delete { id: never })] {
        assert_eq!(org.decide(ada, command), Err(Refusal::NotFound(Kind::Webhook)));
    }
}

#[test]
fn only_a_delegate_of_the_organization_touches_webhooks_whether_they_are_there_or_not() {
    let mut org = Org::founded();
    let id = made(&mut org);
    let (bob, token) = (org.user("bob@x.y"), Principal::Token(org.token("t")));
    org.give(Give::allow(Grantee::User(bob), &["read", "update", "create", "delete"], Scope::Organization));
    let never = Id::from_u128(1);
    for author in [as_user(bob), by(token)] {
        for command in
            [webhook(org.id()), change(id), change(never), Command::Webhook(WebhookCommand::Delete { id })]
        {
            assert!(matches!(org.decide(author, command), Err(Refusal::Forbidden { .. })));
        }
    }
    org.give(Give::allow(token, &["delegate"], Scope::Organization));
    assert_made(&org.act(by(token), Command::Webhook(WebhookCommand::Delete { id })), "WebhookDeleted");
    let narrowed = org.narrowed(token, Some(&["read"]), None);
    let another = webhook(org.id());
    for author in [narrowed, Author::System] {
        assert!(matches!(org.decide(author, another.clone()), Err(Refusal::Forbidden { .. })));
    }
}

#[test]
fn filters_name_messages_that_there_are() {
    let mut org = Org::founded();
    let (id, ada) = (made(&mut org), org.ada());
    let filtered = |events: &[&str], kinds: &[MessageKind]| {
        Command::Webhook(WebhookCommand::Update {
            id,
            url: None,
            events: Some(events.iter().map(|name| (*name).to_owned()).collect()),
            kinds: Some(kinds.to_vec()),
            description: None,
            enabled: None,
        })
    };
    let both = [MessageKind::Record, MessageKind::Change];
    let unknown = org.decide(ada, filtered(&["KeyRevoked", "Keyrevoked"], &both)).expect_err("no such");
    assert_eq!(unknown.pointer().as_deref(), Some("/events/1"));
    let none = org.decide(ada, filtered(&[], &[])).expect_err("no kind");
    assert_eq!(none.pointer().as_deref(), Some("/kinds"));
    assert_made(&org.decide(ada, filtered(&EventKind::ALL.map(EventKind::name), &both)), "WebhookUpdated");
    let names = EventKind::ALL.map(EventKind::name);
    assert_eq!(names.to_vec(), variants(include_str!("../../../src/event/mod.rs"), "Event"));
    assert_eq!(names.to_vec(), variants(include_str!("../../../src/event/kind.rs"), "EventKind"));
}

fn parsed(url: &str) -> Destination {
    Destination::parse(url).unwrap_or_else(|fault| panic!("{url}: {fault}"))
}

#[test]
fn urls_are_read_in_one_strict_way() {
    let whole = parsed("https://Hooks.Example.com:8443/a/b?c=d&e=%20");
    assert_eq!(whole.host, Host::Name("hooks.example.com".into()));
    assert_eq!((whole.https, whole.port, whole.path.as_str()), (true, 8443, "/a/b?c=d&e=%20"));
    assert_eq!((parsed("https://h").port, parsed("https://h").path.as_str()), (443, "/"));
    assert_eq!((parsed("http://h?q").port, parsed("http://h?q").path.as_str()), (80, "/?q"));
    assert_eq!(parsed("http://127.0.0.1:1").host, Host::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let mapped = parsed("https://[::ffff:127.0.0.1]/");
    assert_eq!(mapped.host, Host::Address(IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped())));
    assert_eq!(parsed("http://[::1]:9/").host, Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)));
}

#[test]
fn what_readers_of_urls_might_take_differently_is_refused() {
    for url in [
        "",
        "ftp://h/",
        "HTTPS://h/",
        "https://",
        "https:///path",
        "https://user@h/",
        "https://user:password@h/",
        "https://h@127.0.0.1/",
        "https://h\\@127.0.0.1/",
        "https://h/#fragment",
        "https://h/ path",
        "https://h/\n",
        "https://h:0/",
        "https://h:65536/",
        "https://h:+1/",
        "https://h:/",
        "https://h..x/",
        "https://h./",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1.2/",
        "https://[::1/",
        "https://[::1]x/",
        "https://[fe80::1%25eth0]/",
        "https://\u{ff48}/",
        "https://xn--/\u{e9}",
    ] {
        assert_eq!(Destination::parse(url), Err(TextFault::NotAUrl), "{url}");
    }
    let long = format!("https://h/{}", "x".repeat(2048));
    assert_eq!(Destination::parse(&long), Err(TextFault::TooLong(2048)));
    let key = format!("https://h/gb_st_{}", "a".repeat(22));
    assert_eq!(Destination::parse(&key), Err(TextFault::HoldsKey));
    let mut org = Org::founded();
    let mut command = webhook(org.id());
    if let Command::Webhook(WebhookCommand::Create { url, .. }) = &mut command {
        "https://user@h/".clone_into(url);
    }
    let refused = org.decide(org.ada(), command).expect_err("a user in the URL");
    assert_eq!(refused.pointer().as_deref(), Some("/url"));
}
