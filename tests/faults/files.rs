//! Damage to the files of one machine: the embedded journal and a view. What was damaged is named or was not there; nobody
//! is ever allowed anything by it.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{binary, org::Story, server::Server};
use serde_json::json;

/// So many places of a file are damaged, one after another.
const PLACES: u64 = 12;
/// So many bytes behind each place where the key's id stands, of which every so manieth is damaged.
const BESIDE: usize = 60;
const EVERY: usize = 5;

/// A key that was revoked, in an installation that ended well.
struct Scene {
    server: Server,
    story: Story,
}

fn scene() -> Result<Scene> {
    let mut server = Server::start()?;
    let story = Story::tell(&server)?;
    for number in 0..50 {
        server.call("POST", "/v1/tokens", &json!({"name": format!("t{number}")}))?.expect(201)?;
    }
    let path = format!("/v1/keys/{}", story.key_id);
    server.call("DELETE", &path, &serde_json::Value::Null)?.expect(200)?;
    server.terminate()?;
    Ok(Scene { server, story })
}

/// What the executable says of a damaged journal: it verifies, or an error names the file or the sequence. It never panics.
fn says_where(data: &Path) -> Result<()> {
    let text = data.to_str().context("a path")?;
    let output = binary::run(&["journal", "verify", "--data", text], &[])?;
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    ensure!(!said.contains("panicked"), "{said}");
    let is_clear = said.contains("journal.redb") || said.contains("sequence ") || said.contains(text);
    ensure!(output.status.success() || output.status.code() == Some(1) && is_clear, "{said}");
    Ok(())
}

/// What a damaged installation does: it does not start, or answers nothing, or denies. Whether it started.
fn never_allows(scene: &mut Scene) -> Result<bool> {
    if scene.server.spawn().is_err() {
        return Ok(false);
    }
    let body = json!({"permission": "update", "object": {"type": "project", "id": scene.story.staging},
        "key": scene.story.key_id});
    let asked = scene.server.call("POST", "/v1/check", &body);
    if let Ok(reply) = asked {
        let allowed = reply.status == 200 && reply.json()["allowed"] == true;
        ensure!(!allowed, "a revoked key is allowed: {}", reply.json());
    }
    scene.server.kill()?;
    Ok(true)
}

/// Tries one damage after another on a copy of the files; how often the service started.
fn damaged(file: &str, damage: impl Fn(&Path, u64) -> Result<()>) -> Result<usize> {
    damaged_at(scene()?, (file, PLACES), damage)
}

/// The same of this scene, at so many places.
fn damaged_at(
    mut scene: Scene,
    (file, places): (&str, u64),
    damage: impl Fn(&Path, u64) -> Result<()>,
) -> Result<usize> {
    let path = scene.server.data().join(file);
    let kept: Vec<(String, Vec<u8>)> = ["journal.redb", "view.redb"]
        .into_iter()
        .map(|name| Ok((name.to_owned(), fs::read(scene.server.data().join(name))?)))
        .collect::<Result<_>>()?;
    let mut started = 0;
    for place in 0..places {
        for (name, bytes) in &kept {
            fs::write(scene.server.data().join(name), bytes)?;
        }
        damage(&path, place).with_context(|| format!("place {place}"))?;
        says_where(scene.server.data()).with_context(|| format!("place {place} of {file}"))?;
        started += usize::from(never_allows(&mut scene).with_context(|| format!("place {place} of {file}"))?);
    }
    Ok(started)
}

fn flip(path: &Path, place: u64) -> Result<()> {
    let mut bytes = fs::read(path)?;
    let at = usize::try_from(bytes.len() as u64 * (2 * place + 1) / (2 * PLACES))?;
    *bytes.get_mut(at).context("a byte")? ^= 0x10;
    Ok(fs::write(path, bytes)?)
}

fn truncate(path: &Path, place: u64) -> Result<()> {
    let file = fs::File::options().write(true).open(path)?;
    let length = file.metadata()?.len();
    Ok(file.set_len(length * place / PLACES)?)
}

#[test]
fn a_flipped_byte_in_the_embedded_journal_allows_nothing() -> Result<()> {
    damaged("journal.redb", flip).map(drop)
}

#[test]
fn a_truncated_embedded_journal_allows_nothing() -> Result<()> {
    damaged("journal.redb", truncate).map(drop)
}

#[test]
fn a_flipped_byte_in_a_view_allows_nothing() -> Result<()> {
    damaged("view.redb", flip).map(drop)
}

#[test]
fn a_truncated_view_allows_nothing() -> Result<()> {
    damaged("view.redb", truncate).map(drop)
}

#[test]
fn a_flipped_byte_beside_the_revoked_key_in_a_view_allows_nothing() -> Result<()> {
    let scene = scene()?;
    let id = u128::from_str_radix(&scene.story.key_id.replace('-', ""), 16)?.to_be_bytes();
    let file = fs::read(scene.server.data().join("view.redb"))?;
    let places: Vec<usize> = (0..file.len() - BESIDE).filter(|at| file[*at..].starts_with(&id)).collect();
    ensure!(!places.is_empty(), "the key is somewhere in the view");
    let count = places.len() * BESIDE / EVERY;
    damaged_at(scene, ("view.redb", u64::try_from(count)?), |path, place| {
        let place = usize::try_from(place)?;
        let at = places[place / (BESIDE / EVERY)] + 16 + place % (BESIDE / EVERY) * EVERY;
        let mut bytes = fs::read(path)?;
        bytes[at] ^= 1 << (place % 8);
        Ok(fs::write(path, bytes)?)
    })
    .map(drop)
}
