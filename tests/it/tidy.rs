//! The house rules that no lint knows: who may depend on whom, file lengths, and maps that are not stale.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const LINES_MAX: usize = 600;

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The dependency table between rooms: own rooms, and external crates that a room must not name.
#[test]
fn rooms_know_only_what_they_may_know() -> Result<()> {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("domain", &[][..]),
        ("files", &[][..]),
        ("journal", &["domain", "files"][..]),
        ("views", &["domain", "files"][..]),
        ("api", &[][..]),
        ("command", &["domain", "journal"][..]),
        ("node", &["domain", "files", "journal", "views"][..]),
        ("server", &["api", "command", "domain", "files", "journal", "node", "views"][..]),
        ("cli", &["api", "files", "server"][..]),
    ]);
    let forbidden: BTreeMap<&str, &[&str]> = BTreeMap::from([
        (
            "domain",
            &["tokio", "async-nats", "redb", "axum", "reqwest", "serde_json", "getrandom", "rand"][..],
        ),
        ("files", &["tokio", "async-nats", "redb", "axum", "reqwest", "clap"][..]),
        ("journal", &["axum", "reqwest", "clap"][..]),
        ("views", &["tokio", "async-nats", "axum", "reqwest", "clap"][..]),
        ("command", &["axum", "reqwest", "clap", "redb", "async-nats"][..]),
        ("node", &["axum", "reqwest", "clap", "async-nats"][..]),
        ("api", &["axum", "redb", "async-nats", "clap"][..]),
        ("server", &["clap", "reqwest"][..]),
        ("cli", &["async-nats", "redb", "axum"][..]),
    ]);
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().context("packages")?;
    let mut seen = BTreeSet::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(room) = name.strip_prefix("grantbook-").filter(|room| *room != "tests") else { continue };
        seen.insert(room);
        let allowed =
            allowed.get(room).with_context(|| format!("a new room {room}: is it worth a crate?"))?;
        let forbidden = forbidden.get(room).context("every room has bans")?;
        for dependency in package["dependencies"].as_array().context("dependencies")? {
            let other = dependency["name"].as_str().unwrap_or_default();
            let dev = dependency["kind"] == "dev";
            if let Some(other) = other.strip_prefix("grantbook-") {
                ensure!(dev || allowed.contains(&other), "{room} must not know {other}");
                ensure!(other != "tests", "{room} depends on the tests");
            }
            ensure!(dev || !forbidden.contains(&other), "{room} must not know {other}");
        }
    }
    assert_eq!(seen, allowed.keys().copied().collect());
    Ok(())
}

fn metadata() -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn files_are_short_named_well_ascii_and_say_what_they_are() -> Result<()> {
    let mut files = Vec::new();
    for dir in ["crates", "tests"] {
        find(&root().join(dir), "rs", &mut files)?;
    }
    ensure!(files.len() > 50, "the sources were found");
    for path in files {
        let shown = path.display();
        let text = std::fs::read_to_string(&path)?;
        ensure!(text.starts_with("//! "), "{shown} does not begin with what it is");
        ensure!(text.lines().count() <= LINES_MAX, "{shown} has more than {LINES_MAX} lines");
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        ensure!(
            !["util", "utils", "helpers", "common", "misc", "manager"].contains(&stem),
            "{shown}: a better name"
        );
        let foreign = text.lines().find(|line| !line.is_ascii() && !line.contains('"'));
        ensure!(foreign.is_none(), "{shown} is not ASCII outside strings: {foreign:?}");
    }
    Ok(())
}

/// Every path that a document names exists.
#[test]
fn documents_name_no_dead_paths() -> Result<()> {
    let root = root();
    let mut documents = vec![root.join("README.md"), root.join("CHANGELOG.md"), root.join("SECURITY.md")];
    find(&root.join("docs"), "md", &mut documents)?;
    let mut named = 0;
    for document in documents {
        let text = std::fs::read_to_string(&document).with_context(|| document.display().to_string())?;
        for word in text.split(|c: char| c.is_whitespace() || "`()[],|".contains(c)) {
            let word = word.trim_end_matches(['.', ':', ';']);
            let ours = ["crates/", "tests/", "docs/"].iter().any(|start| word.starts_with(start));
            if ours && !word.contains(['*', '{', '<', '#']) {
                named += 1;
                ensure!(root.join(word).exists(), "{} names {word}", document.display());
            }
        }
    }
    ensure!(named > 20, "the documents name paths");
    Ok(())
}

fn find(dir: &Path, extension: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, extension, found)?;
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    Ok(())
}
