//! Several command services on one organization: nothing is decided, and nothing is refused, on what is no longer so.

use std::{sync::Barrier, thread};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{binary, nats::Nats, server::Server};
use serde_json::{Value, json};

fn services(nats: &Nats, count: usize) -> Result<Vec<Server>> {
    let first = Server::init_over(&nats.url())?;
    (0..count).map(|_| first.another("command")).collect()
}

#[test]
fn of_racing_services_one_gets_the_name() -> Result<()> {
    for (nats, count) in [(Nats::single()?, 2), (Nats::cluster()?, 4)] {
        let services = services(&nats, count)?;
        for round in 0..25 {
            let barrier = Barrier::new(count);
            let statuses: Vec<u16> = thread::scope(|scope| {
                let ask = |service: &Server| -> Result<u16> {
                    let mut http = service.http()?.as_bearer(&service.owner_key);
                    barrier.wait();
                    let reply = http.send("POST", "/v1/tokens", &json!({"name": format!("only-{round}")}))?;
                    ensure!(matches!(reply.status, 201 | 409), "{}", reply.json());
                    Ok(reply.status)
                };
                let asking: Vec<_> =
                    services.iter().map(|service| scope.spawn(move || ask(service))).collect();
                asking.into_iter().map(|one| one.join().expect("no panic")).collect::<Result<_>>()
            })?;
            assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        }
        let urls = nats.url();
        let verified = binary::run(&["journal", "verify", "--nats", &urls], &[])?;
        ensure!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
    Ok(())
}

/// What one service acknowledged is known to the others in their very next answer, be it a yes, a no or a nothing.
#[test]
fn no_service_answers_from_what_is_no_longer_so() -> Result<()> {
    let nats = Nats::single()?;
    let services = services(&nats, 2)?;
    let [one, other] = services.as_slice() else { anyhow::bail!("two services") };
    for round in 0..100 {
        let name = format!("t{round}");
        let made = one.call("POST", "/v1/tokens", &json!({"name": name}))?.expect(201)?;
        let id = made["id"].as_str().context("an id")?;
        // A refusal: the name is taken, although only the other one knows it for certain.
        other.call("POST", "/v1/tokens", &json!({"name": name}))?.expect(409)?;
        // A thing that was made elsewhere is found at once.
        let issued = other.call("POST", &format!("/v1/tokens/{id}/keys"), &json!({}))?.expect(201)?;
        let key = issued["secret"].as_str().context("a secret")?;
        let key_id = issued["id"].as_str().context("an id")?;
        // A key that was issued elsewhere works at once: what follows is about rights, not about a key that is unknown.
        let write = |server: &Server| {
            server.http()?.as_bearer(key).send("POST", "/v1/projects", &json!({"name": "p"}))
        };
        assert_eq!(write(one)?.status, 403);
        one.call("DELETE", &format!("/v1/keys/{key_id}"), &Value::Null)?.expect(200)?;
        // Revoked elsewhere: nobody who is refused there is refused for a lesser reason.
        assert_eq!(write(other)?.status, 401);
        // A removal that already happened elsewhere changes nothing, and is answered with what is so now.
        other.call("DELETE", &format!("/v1/tokens/{id}"), &Value::Null)?.expect(200)?;
        one.call("DELETE", &format!("/v1/tokens/{id}"), &Value::Null)?.expect(200)?;
        // The name is free again, and the other one knows it.
        one.call("POST", "/v1/tokens", &json!({"name": name}))?.expect(201)?;
    }
    Ok(())
}

#[test]
fn a_part_sends_what_is_not_its_own_elsewhere() -> Result<()> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let (command, read) = (first.another("command")?, first.another("read")?);
    let refused = read.call("POST", "/v1/tokens", &json!({"name": "t"}))?;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (421, Some("wrong_role")));
    // A plan writes nothing, but it is decided by who decides.
    let commands = json!({"commands": [{"method": "POST", "path": "/v1/tokens", "body": {"name": "t"}}]});
    let refused = read.call("POST", "/v1/plan", &commands)?;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (421, Some("wrong_role")));
    command.call("POST", "/v1/plan", &commands)?.expect(200)?;
    for path in ["/v1/whoami", "/v1/report"] {
        let refused = command.call("GET", path, &Value::Null)?;
        assert_eq!((refused.status, refused.json()["code"].as_str()), (421, Some("wrong_role")));
        read.call("GET", path, &Value::Null)?.expect(200)?;
    }
    let made = command.call("POST", "/v1/tokens", &json!({"name": "t"}))?;
    let position = made.header("grantbook-position").context("a position")?.to_owned();
    let id = made.expect(201)?["id"].as_str().context("an id")?.to_owned();
    let mut http = read.http()?.as_bearer(&read.owner_key);
    let path = format!("/v1/tokens/{id}");
    let seen = http.send_at(&position, "GET", &path, &Value::Null)?.expect(200)?;
    assert_eq!(seen["name"], "t");
    for server in [&command, &read] {
        assert_eq!(server.http()?.send("GET", "/readyz", &Value::Null)?.status, 200);
    }
    let alone = binary::run(&["serve", "read", "--data", "nowhere"], &[])?;
    assert_eq!(alone.status.code(), Some(2), "{}", String::from_utf8_lossy(&alone.stderr));
    Ok(())
}

#[test]
fn of_racing_inits_one_wins_and_organizations_are_added_while_services_run() -> Result<()> {
    let nats = Nats::single()?;
    let urls = nats.url();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let begin = |number: usize| {
            let owner = format!("o{number}@example.com");
            binary::run(&["init", "--org", "acme", "--owner", &owner, "--nats", &urls], &[])
        };
        let started: Vec<_> = (0..4).map(|number| scope.spawn(move || begin(number))).collect();
        started.into_iter().map(|one| one.join().expect("no panic")).collect::<Result<_>>()
    })?;
    let winners: Vec<_> = outcomes.iter().filter(|outcome| outcome.status.success()).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    for outcome in outcomes.iter().filter(|outcome| !outcome.status.success()) {
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert!(said.contains("holds a journal already"), "{said}");
    }
    let add =
        |name: &str| binary::run(&["org", "create", "--org", name, "--owner", "b@b", "--nats", &urls], &[]);
    assert!(add("other")?.status.success());
    let twice = add("other")?;
    assert!(String::from_utf8_lossy(&twice.stderr).contains("there is an organization called other already"));
    let recovered = binary::run(
        &["owner", "recover", "--org", "acme", "--owner", "new@b", "--reason", "lost", "--nats", &urls],
        &[],
    )?;
    assert!(recovered.status.success(), "{}", String::from_utf8_lossy(&recovered.stderr));
    Ok(())
}
