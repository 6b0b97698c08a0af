//! By https: a receiver whose certificate the system trusts gets its messages; any other gets nothing, and the webhook's
//! delivery says why. Proxies of the environment are not used.

use anyhow::Result;
use grantbook_tests::{
    hooks::{Received, Receiver, configure},
    nats::identity::write,
    server::Server,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use serde_json::{Value, json};

use crate::webhooks::{hook, shown_until};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Result<Authority> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A receiver with a certificate for these names, good until the first day of a year.
fn receiver(authority: &Authority, names: &[&str], until: i32) -> Result<Receiver> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let (mut params, key) = (CertificateParams::new(names)?, KeyPair::generate()?);
    params.not_after = date_time_ymd(until, 1, 1);
    Receiver::start_tls(&params.signed_by(&key, authority)?.pem(), &key.serialize_pem())
}

#[test]
fn only_who_shows_a_certificate_that_is_trusted_is_sent_to_and_never_by_a_proxy() -> Result<()> {
    let (mut server, place) = (Server::init()?, tempfile::tempdir()?);
    configure(&mut server, place.path(), "1h")?;
    let (trusted, other) = (authority("ours")?, authority("theirs")?);
    let roots = write(place.path(), "roots.pem", &trusted.pem())?;
    server.set_env("SSL_CERT_FILE", &roots.display().to_string());
    server.set_env("GRANTBOOK_WEBHOOK_ALLOW", "127.0.0.1,localhost");
    let proxy = Receiver::start()?;
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        server.set_env(name, &proxy.url(""));
    }
    server.spawn()?;

    let both = ["127.0.0.1", "localhost"];
    let good = receiver(&trusted, &both, 4000)?;
    let plain = Receiver::start()?;
    let bad = [
        (receiver(&other, &both, 4000)?, "signed by nobody whom this node trusts"),
        (receiver(&trusted, &["hooks.example.com"], 4000)?, "not valid for name"),
        (receiver(&trusted, &both, 2020)?, "expired"),
    ];
    let wanted = |url: String| json!({"url": url, "events": ["ProjectCreated"], "kinds": ["record"]});
    let (id, secret) = hook(&server, &wanted(good.url("/")))?;
    hook(&server, &wanted(good.url("/named").replace("127.0.0.1", "localhost")))?;
    let (to_plain, _) = hook(&server, &wanted(plain.url("/").replace("http:", "https:")))?;
    let (by_plain, _) = hook(&server, &wanted(good.url("/").replace("https:", "http:")))?;
    let bad_ids: Vec<String> =
        bad.iter().map(|(one, _)| Ok(hook(&server, &wanted(one.url("/")))?.0)).collect::<Result<_>>()?;
    server.call("POST", "/v1/projects", &json!({"name": "p"}))?.expect(201)?;

    let received = good.wait("two messages", |received| received.len() == 2)?;
    let by_address = received.iter().find(|one| one.path == "/").cloned();
    assert!(by_address.is_some_and(|one: Received| one.is_signed_by(&secret)));
    shown_until(&server, &id, |shown| shown["delivery"]["last_attempt"]["status"] == 204)?;
    let why = |id: &str| -> Result<String> {
        let failed = shown_until(&server, id, |shown| shown["delivery"]["state"] == "failing")?;
        Ok(failed["delivery"]["last_attempt"]["error"].as_str().unwrap_or_default().to_owned())
    };
    for (id, (receiver, words)) in bad_ids.iter().zip(&bad) {
        let said = why(id)?;
        assert!(said.contains(words), "{words}: {said}");
        assert!(receiver.received().is_empty(), "nothing was sent before it was known who is there");
    }
    assert!(why(&to_plain)?.starts_with("TLS: "), "{}", why(&to_plain)?);
    assert!(why(&by_plain)?.starts_with("no answer"), "{}", why(&by_plain)?);
    assert!(plain.received().is_empty() && proxy.received().is_empty());

    // Once the receiver has a good one, what waited comes.
    let to_good = json!({"url": good.url("/mended")});
    server.call("PATCH", &format!("/v1/webhooks/{}", bad_ids[0]), &to_good)?.expect(200)?;
    good.wait("what waited", |received| received.iter().any(|one| one.path == "/mended"))?;
    let tested =
        server.call("POST", &format!("/v1/webhooks/{}/test", bad_ids[1]), &Value::Null)?.expect(200)?;
    assert_eq!(tested["delivered"], false);
    assert!(tested["error"].as_str().is_some_and(|error| error.len() <= 300), "{tested}");
    Ok(())
}
