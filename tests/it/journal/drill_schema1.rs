//! The drill with what the version before wrote, records of schema 1 and a view of format 3 (`tests/fixtures/schema1`): its
//! questions have the answers that it gave, in its directory and over NATS, and the comparison of views works across the step.

mod golden;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use self::golden::{Golden, Head, Written};
use anyhow::{Context, Result, ensure};
use grantbook_journal::hash::Hash;
use grantbook_node::snapshots::{Manifest, SnapshotKey};
use grantbook_tests::{binary, nats::Nats, server::Server};
use grantbook_views::AccessParts;
use serde_json::{Value, json};

/// How deep groups are nested in groups there.
const DEEP: usize = 80;

fn run(args: &[&str]) -> Result<(String, String, Option<i32>)> {
    let output = binary::run(args, &[])?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes);
    Ok((text(output.stdout)?, text(output.stderr)?, output.status.code()))
}

fn good(args: &[&str]) -> Result<String> {
    let (said, error, code) = run(args)?;
    ensure!(code == Some(0), "{args:?}: {error}");
    Ok(said)
}

fn plain(path: &Path) -> Result<&str> {
    path.to_str().context("a plain path")
}

/// The schema of each record of a journal, in order.
fn schemas(export: &str) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    for line in export.lines() {
        let line: Value = serde_json::from_str(line)?;
        for record in line["frame"].as_str().unwrap_or_default().lines().skip(1) {
            found.push(serde_json::from_str::<Value>(record)?["schema"].as_u64().context("a schema")?);
        }
    }
    Ok(found)
}

/// Every deviation was met, and nearly everything that was asked was held against its answer.
fn every_kind(seen: &BTreeMap<&'static str, usize>) {
    for what in [
        "an object says its project",
        "an object in another project counts as not registered there",
        "a key narrowed to a removed object stays dead",
        "a key of concern is flagged",
    ] {
        assert!(seen.contains_key(what), "{what}: never met");
    }
    let (checks, answers) = (seen["checks answered as expected"], seen["other answers equal"]);
    assert!(checks > 34_000 && answers > 1_300, "{checks} checks, {answers} other answers");
}

fn deep_nesting_is_as_before(server: &Server, golden: &Golden) -> Result<()> {
    let zoe = json!({"type": "user", "id": golden.ids["zoe"]});
    let on = |id: &str| json!({"type": "dataset", "id": id, "project": golden.homes[id]});
    let ask = |permission: &str, id: &str| {
        let body = json!({"principal": zoe, "permission": permission, "object": on(id)});
        server.call("POST", "/v1/explain", &body)?.expect(200)
    };
    let by_engineer = ask("update", "d1")?;
    assert_eq!(by_engineer["allowed"], true);
    assert_eq!(by_engineer["paths"][0]["via"].as_array().map(Vec::len), Some(DEEP), "by way of all groups");
    assert_eq!(ask("update", "d3")?["reason"], "denied_by_grant", "a deny to a group in the middle");
    assert_eq!(ask("read", "d2")?["reason"], "no_grant", "what was given on the object that was removed");
    Ok(())
}

/// What could not be written then: the same id in a second project. Nothing of the first reaches it.
fn a_second_project_has_the_same_id(server: &Server, golden: &Golden) -> Result<()> {
    let cygnus = &golden.ids["cygnus"];
    for id in ["d1", "d4"] {
        let body = json!({"type": "dataset", "id": id, "project": cygnus});
        server.call("POST", "/v1/objects", &body)?.expect(201)?;
    }
    let check = |who: Value, id: &str, project: Option<&String>| -> Result<Value> {
        let mut body =
            json!({"permission": "read", "object": {"type": "dataset", "id": id, "project": project}});
        if project.is_none() {
            body["object"] = json!({"type": "dataset", "id": id});
        }
        for (name, value) in who.as_object().context("who")? {
            body[name] = value.clone();
        }
        Ok(server.call("POST", "/v1/check", &body)?.expect(200)?["reason"].clone())
    };
    let app = || json!({"principal": {"type": "token", "id": golden.ids["app"]}});
    let key = |name: &str| json!({"key": golden.keys[name].secret});
    assert_eq!(check(app(), "d1", golden.homes.get("d1"))?, "granted");
    assert_eq!(check(key("app-d1"), "d1", golden.homes.get("d1"))?, "granted");
    assert_eq!(check(app(), "d1", Some(cygnus))?, "no_grant");
    assert_eq!(check(key("app-d1"), "d1", Some(cygnus))?, "key_narrowed");
    assert_eq!(check(app(), "d1", None)?, "ambiguous_object");
    assert_eq!(check(app(), "d4", Some(cygnus))?, "no_grant", "registered again elsewhere");
    assert_eq!(check(key("app-d4"), "d4", Some(cygnus))?, "key_narrowed");
    Ok(())
}

#[test]
fn a_directory_of_the_version_before_is_served_with_its_answers_and_goes_on() -> Result<()> {
    let Written { dir, golden } = Written::unpack()?;
    let data = dir.path().join("data");
    let data = plain(&data)?.to_owned();
    let verify = || -> Result<Value> {
        Ok(serde_json::from_str(&good(&["--json", "journal", "verify", "--data", &data])?)?)
    };
    let before = verify()?;
    assert_eq!(before["violations"], json!([]));
    let owner = golden.keys["ada"].secret.clone();
    let mut server = Server::on(dir, &owner)?;
    let log = server.log();
    ensure!(log.contains("the view is of no use and filled again"), "{log}");
    let seen = golden.ask_again(&server, Head::Same)?;
    println!("{seen:#?}");
    every_kind(&seen);
    deep_nesting_is_as_before(&server, &golden)?;

    server.call("POST", "/v1/tokens", &json!({"name": "of-today"}))?.expect(201)?;
    let seen = golden.ask_again(&server, Head::Later)?;
    assert!(seen["checks answered as expected"] > 34_000, "{seen:?}");
    let attempts = golden.attempt_again(&server)?;
    println!("{attempts:#?}");
    assert_eq!(attempts.len(), 5, "each kind was met");
    a_second_project_has_the_same_id(&server, &golden)?;
    ensure!(server.terminate()?.success());
    let view: Value = serde_json::from_str(&good(&["--json", "view", "verify", "--data", &data])?)?;
    let after = verify()?;
    assert_eq!((&after["violations"], &view["sequence"]), (&json!([]), &after["head"]));
    let schemas = schemas(&good(&["journal", "export", "--data", &data])?)?;
    let written = usize::try_from(after["head"].as_u64().context("a head")?)?;
    let of_before = usize::try_from(before["head"].as_u64().context("a head")?)?;
    ensure!(written > of_before + 20, "one frame a write");
    assert_eq!(schemas, [vec![1; of_before], vec![2; written - of_before]].concat());

    server.spawn()?;
    ensure!(server.log().matches("the view is of no use").count() == 1, "the restart goes on from the file");
    deep_nesting_is_as_before(&server, &golden)?;
    ensure!(server.terminate()?.success());
    Ok(())
}

#[test]
fn an_export_of_the_version_before_is_served_over_nats_with_the_same_answers() -> Result<()> {
    let written = Written::unpack()?;
    let golden = &written.golden;
    let (nats, export) = (Nats::single()?, written.path("export.ndjson"));
    let url = nats.url();
    good(&["journal", "import", "--nats", &url, "--input", plain(&export)?])?;
    let mut node = Server::joining("read", &url, &golden.keys["ada"].secret)?;
    node.spawn()?;
    every_kind(&golden.ask_again(&node, Head::Same)?);
    deep_nesting_is_as_before(&node, golden)?;

    let mut command = node.another_stopped("command")?;
    command.spawn()?;
    let reply = command.call("POST", "/v1/tokens", &json!({"name": "of-today"}))?;
    let position = reply.header("grantbook-position").context("a position")?.to_owned();
    let id = reply.expect(201)?["id"].as_str().context("an id")?.to_owned();
    let mut http = node.http()?.as_bearer(&node.owner_key);
    http.send_at(&position, "GET", &format!("/v1/tokens/{id}"), &Value::Null)?.expect(200)?;
    let seen = golden.ask_again(&node, Head::Later)?;
    assert!(seen["checks answered as expected"] > 34_000, "{seen:?}");
    let report: Value = serde_json::from_str(&good(&["--json", "journal", "verify", "--nats", &url])?)?;
    assert_eq!(report["violations"], json!([]));
    Ok(())
}

/// Builds the view beside the one of before: what was said, and the exit code.
fn build(written: &Written) -> Result<(Value, Option<i32>)> {
    let (data, snapshots) = (written.path("data"), written.path("snapshots"));
    let trust = written.golden.snapshot_trust.as_str();
    let (said, error, code) = run(&[
        "--json",
        "view",
        "build",
        "--data",
        plain(&data)?,
        "--snapshots",
        plain(&snapshots)?,
        "--snapshot-trust",
        trust,
    ])?;
    Ok((serde_json::from_str(&said).with_context(|| error)?, code))
}

/// Changes every line of the snapshot's listing, and signs it anew. Gives the holders whose line has become another.
fn alter(written: &Written, change: impl Fn(&mut AccessParts)) -> Result<BTreeSet<String>> {
    let key = SnapshotKey::read(&written.path("snapshot.key"))?;
    let snapshot = fs::read_dir(written.path("snapshots"))?.next().context("a snapshot")??.path();
    let path = snapshot.join("manifest");
    let mut manifest = Manifest::read(&fs::read(&path)?, &[key.public()])?.manifest;
    ensure!(manifest.listing.form == 2 && manifest.listing.lines > 20, "{:?}", manifest.listing);
    let [piece] = manifest.listing.pieces.as_mut_slice() else { anyhow::bail!("a listing of one piece") };
    let text = lz4_flex::block::decompress_size_prepended(&fs::read(snapshot.join(&piece.name))?)?;
    let (mut changed, mut lines) = (BTreeSet::new(), String::new());
    for line in std::str::from_utf8(&text)?.lines() {
        let mut parts = AccessParts::parse(line)?;
        let before = parts.clone();
        change(&mut parts);
        if parts != before {
            changed.insert(parts.holder.to_string());
        }
        lines += &(parts.line()? + "\n");
    }
    let bytes = lz4_flex::block::compress_prepend_size(lines.as_bytes());
    (piece.bytes, piece.hash) = (u64::try_from(bytes.len())?, Hash::of(&bytes));
    fs::write(snapshot.join(&piece.name), bytes)?;
    fs::write(path, manifest.sign(&key)?)?;
    Ok(changed)
}

fn differing(built: &Value) -> BTreeSet<&str> {
    let principals = built["compared"]["principals"].as_array().into_iter().flatten();
    principals.filter_map(|one| one["principal"].as_str()).collect()
}

#[test]
fn the_view_is_compared_with_a_snapshot_of_the_version_before_and_nobody_has_other_access() -> Result<()> {
    let written = Written::unpack()?;
    // Nothing is altered; it is only looked at what there is to be compared.
    assert_eq!(alter(&written, |_| ())?, BTreeSet::new());
    let (built, code) = build(&written)?;
    let compared = &built["compared"];
    assert_eq!((code, &built["ready"], &compared["total"]), (Some(0), &json!(true), &json!(0)), "{built}");
    assert_eq!((&compared["format"], &compared["sequence"]), (&json!(3), &built["sequence"]));
    let Written { dir, golden } = written;
    let server = Server::on(dir, &golden.keys["ada"].secret)?;
    ensure!(!server.log().contains("filled again"), "the view that was built is adopted: {}", server.log());
    deep_nesting_is_as_before(&server, &golden)
}

#[test]
fn access_that_differs_from_a_snapshot_of_the_version_before_is_found() -> Result<()> {
    let written = Written::unpack()?;
    let user = |name: &str| format!("user:{}", written.golden.ids[name]);
    let token = |name: &str| format!("token:{}", written.golden.ids[name]);
    // The snapshot knows of no deny: who is denied something, also as a member of a group 40 groups above, differs.
    assert!(!alter(&written, |parts| parts.deny.clear())?.is_empty());
    let (built, code) = build(&written)?;
    assert_eq!((code, &built["ready"]), (Some(1), &json!(false)), "{built}");
    let denied = [user("carol"), user("dave"), token("robot"), user("zoe")];
    assert_eq!(differing(&built), denied.iter().map(String::as_str).collect());

    // The snapshot has an object that a grant names in another project.
    let written = Written::unpack()?;
    let draco = written.golden.ids["draco"].parse()?;
    let batched = format!("token:{}", written.golden.ids["batched"]);
    let moved = alter(&written, |parts| {
        let allowed = parts.allow.iter_mut().filter(|_| parts.holder.to_string() == batched);
        for (object, home) in allowed.flat_map(|part| &mut part.objects) {
            assert_eq!(*home, Some(draco));
            object.id = "another".to_owned();
        }
    })?;
    let (built, code) = build(&written)?;
    assert_eq!((code, moved.len(), differing(&built)), (Some(1), 1, BTreeSet::from([batched.as_str()])));
    Ok(())
}
