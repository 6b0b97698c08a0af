//! The bug classes seen in other engines, each asked through the real binary.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{binary, server::Server};
use serde_json::{Value, json};

use crate::authzen::{
    ACTIONS, EVALUATION, EVALUATIONS, RESOURCES, SUBJECTS,
    scenario::{Scenario, named, record, user},
};

fn made(scenario: &Scenario, path: &str, body: &Value) -> Result<String> {
    let made = scenario.server.call("POST", path, body)?.expect(201)?;
    Ok(made["id"].as_str().unwrap_or_default().to_owned())
}

fn granted(scenario: &Scenario, to: &str, permissions: &[&str], on: &Value) -> Result<String> {
    let to = json!({"type": "user", "id": to});
    made(scenario, "/v1/grants", &json!({"to": to, "permissions": permissions, "on": on}))
}

/// Class: stale cached allows. After the answer to a revocation nothing is allowed any more, anywhere.
#[test]
fn a_revocation_is_seen_at_once_by_every_call() -> Result<()> {
    let scenario = Scenario::set()?;
    let grant = granted(&scenario, &scenario.alice, &["delete"], &json!({"object": record("record-2")}))?;
    let (who, on) = (user("alice"), record("record-2"));
    let search = |path: &str| -> Result<Vec<Value>> {
        let body = match path {
            SUBJECTS => json!({"subject": {"type": "user"}, "action": named("delete"), "resource": on}),
            RESOURCES => json!({"subject": who, "action": named("delete"), "resource": {"type": "record"}}),
            _ => json!({"subject": who, "resource": on}),
        };
        let answer = scenario.ask(path, &body)?.expect(200)?;
        answer["results"].as_array().cloned().context("results")
    };
    for _ in 0..3 {
        ensure!(scenario.allows(&who, "delete", &on)?, "given");
        ensure!(search(SUBJECTS)?.contains(&who) && search(RESOURCES)?.contains(&on), "found");
        ensure!(search(ACTIONS)?.contains(&named("delete")), "found");
    }
    scenario.server.call("DELETE", &format!("/v1/grants/{grant}"), &Value::Null)?.expect(200)?;
    ensure!(!scenario.allows(&who, "delete", &on)?, "revoked");
    ensure!(!search(SUBJECTS)?.contains(&who) && !search(RESOURCES)?.contains(&on), "not found any more");
    ensure!(!search(ACTIONS)?.contains(&named("delete")), "not found any more");
    Ok(())
}

/// Class: colliding keys. Types and ids that are equal once they are put together are not taken for each other.
#[test]
fn ids_that_look_alike_when_joined_are_apart() -> Result<()> {
    let scenario = Scenario::set()?;
    let types = ["a", "a.b", "a-b", "ab"].map(|name| json!({"name": name, "parent": "organization"}));
    let extended = scenario.server.call("POST", "/v1/catalog", &json!({"object_types": types}))?;
    ensure!(extended.status < 300, "the catalog takes names");
    let pairs = [
        ("a", "b:c"),
        ("a", "b"),
        ("a.b", "c"),
        ("a-b", "c"),
        ("ab", "c"),
        ("a", "bc"),
        ("a", "b/c"),
        ("a", "b|c"),
    ];
    let object = |(kind, id): (&str, &str)| json!({"type": kind, "id": id});
    for pair in pairs {
        made(&scenario, "/v1/objects", &object(pair))?;
    }
    for (index, pair) in pairs.into_iter().enumerate() {
        let name = format!("only-{index}");
        let body = json!({"email": format!("{name}@example.com"), "external_id": name});
        let id = made(&scenario, "/v1/users", &body)?;
        granted(&scenario, &id, &["read"], &json!({"object": object(pair)}))?;
        for other in pairs {
            ensure!(
                scenario.allows(&user(&name), "read", &object(other))? == (pair == other),
                "{pair:?} {other:?}"
            );
        }
    }
    Ok(())
}

/// Class: ids compared without case, or after Unicode normalization.
#[test]
fn ids_are_compared_bytewise() -> Result<()> {
    let scenario = Scenario::set()?;
    let ids = ["zoe", "Zoe", "ZOE", "zo\u{eb}", "zoe\u{308}", "\u{ff5a}oe", "z\u{43e}e"];
    for (index, id) in ids.into_iter().enumerate() {
        let body = json!({"email": format!("z{index}@example.com"), "external_id": id});
        let principal = made(&scenario, "/v1/users", &body)?;
        made(&scenario, "/v1/objects", &record(id))?;
        granted(&scenario, &principal, &["read"], &json!({"object": record(id)}))?;
    }
    for who in ids {
        for on in ids {
            ensure!(scenario.allows(&user(who), "read", &record(on))? == (who == on), "{who} {on}");
        }
        let body = json!({"subject": user(who), "action": named("read"), "resource": {"type": "record"}});
        assert_eq!(scenario.all(RESOURCES, &body, 2)?, [record(who)]);
        let body = json!({"subject": {"type": "user"}, "action": named("read"), "resource": record(who)});
        let owner = json!({"type": "user", "id": scenario.server.init["user"]["id"]});
        let found = scenario.all(SUBJECTS, &body, 1)?;
        ensure!(found.len() == 2 && found.contains(&user(who)) && found.contains(&owner), "{who}: {found:?}");
    }
    Ok(())
}

/// Class: items of a batch mixed up. Every answer is that of the single endpoint, whatever is repeated.
#[test]
fn a_batch_answers_each_item_as_if_it_were_alone() -> Result<()> {
    let scenario = Scenario::set()?;
    let mut items = Vec::new();
    let mut number: usize = 7;
    for _ in 0..200 {
        number = number.wrapping_mul(1_103_515_245).wrapping_add(12345) % (1 << 31);
        let who = ["alice", "bob", "nobody"][number / 7 % 3];
        let action = ["read", "write", "delete"][number / 91 % 3];
        let on = ["record-1", "record-2", "record-9"][number / 1001 % 3];
        items.push(json!({"subject": user(who), "action": named(action), "resource": record(on)}));
    }
    let answer = scenario.ask(EVALUATIONS, &json!({"evaluations": items}))?.expect(200)?;
    let decisions = answer["evaluations"].as_array().context("evaluations")?;
    assert_eq!(decisions.len(), items.len());
    for (item, decision) in items.iter().zip(decisions) {
        assert_eq!(&scenario.ask(EVALUATION, item)?.expect(200)?, decision, "{item}");
    }
    Ok(())
}

/// Class: snapshots. All items of a batch are answered on one, whatever is written meanwhile.
#[test]
fn a_batch_never_sees_half_of_a_change() -> Result<()> {
    let scenario = Scenario::set()?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| -> Result<usize> {
            let mut count = 0;
            while !done.load(Ordering::SeqCst) {
                let on = json!({"object": record("record-2")});
                let grant = granted(&scenario, &scenario.alice, &["write"], &on)?;
                scenario.server.call("DELETE", &format!("/v1/grants/{grant}"), &Value::Null)?.expect(200)?;
                count += 1;
            }
            Ok(count)
        });
        let item =
            json!({"subject": user("alice"), "action": named("write"), "resource": record("record-2")});
        let body = json!({"evaluations": vec![item; 300]});
        let asked = (0..40).try_for_each(|_| -> Result<()> {
            let answer = scenario.ask(EVALUATIONS, &body)?.expect(200)?;
            let decisions = answer["evaluations"].as_array().context("evaluations")?;
            ensure!(decisions.iter().all(|one| one == &decisions[0]), "one snapshot");
            Ok(())
        });
        done.store(true, Ordering::SeqCst);
        let count = writer.join().map_err(|_| anyhow::anyhow!("the writer failed"))??;
        ensure!(count > 0, "something was written meanwhile");
        asked
    })
}

/// Classes: searches that miss results; conditions on which search and check disagree. Every search equals asking about
/// everybody and everything, both ways, through groups, excludes and denies.
#[test]
fn searches_find_exactly_what_evaluations_allow() -> Result<()> {
    let scenario = Scenario::set()?;
    let project = |name: &str, env: &str| {
        made(&scenario, "/v1/projects", &json!({"name": name, "labels": {"env": env}}))
    };
    let projects = [project("one", "dev")?, project("two", "production")?, project("three", "dev")?];
    let [outer, inner] = ["outer", "inner"].map(|name| made(&scenario, "/v1/groups", &json!({"name": name})));
    let (outer, inner) = (outer?, inner?);
    let join = |group: &str, kind: &str, id: &str| {
        made(&scenario, &format!("/v1/groups/{group}/members"), &json!({"member": {"type": kind, "id": id}}))
    };
    join(&outer, "group", &inner)?;
    join(&inner, "user", &scenario.alice)?;
    join(&outer, "token", &scenario.pep)?;
    let to = |kind: &str, id: &str| json!({"type": kind, "id": id});
    let except = json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}});
    for (to, what, on, effect) in [
        (to("group", &outer), json!({"role": "Engineer"}), except, "allow"),
        (
            to("token", &scenario.pep),
            json!({"permissions": ["write"]}),
            json!({"object": {"type": "project", "id": projects[1]}}),
            "allow",
        ),
        (
            to("group", &inner),
            json!({"permissions": ["update"]}),
            json!({"object": {"type": "project", "id": projects[2]}}),
            "deny",
        ),
    ] {
        let body = json!({"to": to, "on": on, "effect": effect});
        made(&scenario, "/v1/grants", &super::scenario::and(body, &what))?;
    }
    let owner = json!({"type": "user", "id": scenario.server.init["user"]["id"]});
    let subjects = [user("alice"), user("bob"), owner, json!({"type": "token", "id": scenario.pep})];
    let records = ["record-1", "record-2"].map(record);
    let projects = projects.map(|id| json!({"type": "project", "id": id}));
    let resources: Vec<Value> = projects.into_iter().chain(records).collect();
    let actions = ["create", "read", "update", "delete", "write", "read_acls", "delegate"];
    let mut yes = 0;
    for subject in &subjects {
        for resource in &resources {
            let found = scenario.all(ACTIONS, &json!({"subject": subject, "resource": resource}), 3)?;
            for action in actions {
                let allowed = scenario.allows(subject, action, resource)?;
                yes += usize::from(allowed);
                ensure!(
                    found.contains(&named(action)) == allowed,
                    "{subject} {action} {resource}: {found:?}"
                );
                let body = json!({"subject": {"type": subject["type"]}, "action": named(action), "resource": resource});
                ensure!(
                    scenario.all(SUBJECTS, &body, 1)?.contains(subject) == allowed,
                    "who {action} {resource}"
                );
                let body = json!({"subject": subject, "action": named(action), "resource": {"type": resource["type"]}});
                ensure!(
                    scenario.all(RESOURCES, &body, 2)?.contains(resource) == allowed,
                    "what {subject} {action}"
                );
            }
        }
    }
    ensure!(yes > 40 && yes < 120, "a mixture of answers: {yes}");
    Ok(())
}

/// Class: credentials that are good elsewhere. A key of another organization sees its own and nothing of this one.
#[test]
fn a_key_of_another_organization_knows_nobody_here() -> Result<()> {
    let server = Server::init()?;
    let data = server.data().to_str().context("a plain path")?.to_owned();
    let output = binary::run(
        &["--json", "org", "create", "--org", "other", "--owner", "eve@example.com", "--data", &data],
        &[],
    )?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let other: Value = serde_json::from_slice(&output.stdout)?;
    let mut server = server;
    server.spawn()?;
    let scenario = Scenario::set_on(server)?;
    let mut eve = scenario.server.http()?.as_bearer(other["key"].as_str().context("a key")?);
    for who in [user("alice"), json!({"type": "user", "id": scenario.alice})] {
        let body = json!({"subject": who, "action": named("read"), "resource": record("record-1")});
        assert_eq!(eve.send("POST", EVALUATION, &body)?.expect(200)?, json!({"decision": false}));
        let body =
            json!({"subject": {"type": "user"}, "action": named("read"), "resource": record("record-1")});
        assert_eq!(eve.send("POST", SUBJECTS, &body)?.expect(200)?, json!({"results": []}));
        let body = json!({"subject": who, "action": named("read"), "resource": {"type": "record"}});
        assert_eq!(eve.send("POST", RESOURCES, &body)?.expect(200)?, json!({"results": []}));
    }
    Ok(())
}

/// Class: answers from behind. A position that was not reached is waited for and then refused, never ignored.
#[test]
fn a_position_of_another_journal_is_refused_and_an_own_one_is_waited_for() -> Result<()> {
    let scenario = Scenario::set()?;
    let body = json!({"subject": user("alice"), "action": named("read"), "resource": record("record-1")});
    let reply = scenario.ask(EVALUATION, &body)?;
    let position = reply.header("grantbook-position").context("a position")?.to_owned();
    let ask = |position: &str| {
        scenario.asker()?.send_with("POST", EVALUATION, &[("grantbook-at-least", position)], &body)
    };
    assert_eq!(ask(&position)?.status, 200);
    assert_eq!(ask("AAAAAAAAAAAAAAAAAAAAAA")?.status, 400, "of another journal");
    assert_eq!(ask("soon")?.status, 400);
    Ok(())
}
