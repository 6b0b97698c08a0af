//! The house rules that no lint knows: who may depend on whom, file lengths, and maps that are not stale.

mod imports;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use self::imports::Imports;

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
        ("console", &["api"][..]),
        ("server", &["api", "command", "console", "domain", "files", "journal", "node", "views"][..]),
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
        ("console", &["redb", "async-nats", "clap"][..]),
        ("server", &["clap"][..]),
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
    let mut documents = vec![
        root.join("README.md"),
        root.join("CHANGELOG.md"),
        root.join("SECURITY.md"),
        root.join("CONTRIBUTING.md"),
    ];
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

/// Most files in one folder.
const FOLDER_MAX: usize = 14;
/// Most files that import each other.
const CIRCLE_MAX: usize = 3;
/// Begins the line of a crate's root file that gives the order of its folders.
const ORDER: &str = "// Folders, lowest first: ";

fn crates() -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(root().join("crates"))?;
    let mut crates = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    crates.sort();
    Ok(crates)
}

/// The order of folders that a crate's root file gives, from below.
fn order_of(src: &Path) -> Result<Vec<String>> {
    let root = ["lib.rs", "main.rs"].map(|name| src.join(name)).into_iter().find(|path| path.exists());
    let text = std::fs::read_to_string(root.context("a root file")?)?;
    let Some((_, order)) = text.split_once(ORDER) else { return Ok(Vec::new()) };
    let order = order.split('.').next().unwrap_or_default().replace("\n//", " ");
    Ok(order.split(';').map(|name| name.trim().to_owned()).collect())
}

#[test]
fn no_import_between_folders_runs_upwards() -> Result<()> {
    let mut judged = 0;
    for path in crates()? {
        let src = path.join("src");
        let order = order_of(&src)?;
        let imports = Imports::of(&src)?;
        let folders: BTreeSet<&String> = imports
            .edges
            .keys()
            .filter(|module| module.len() > 1)
            .filter_map(|module| module.first())
            .collect();
        for folder in &folders {
            ensure!(order.contains(folder), "{}: {folder} stands nowhere in its order", path.display());
        }
        let level = |module: &[String]| {
            let folder = module.first()?;
            order.iter().position(|name| name == folder)
        };
        for (from, targets) in &imports.edges {
            for to in targets {
                let (Some(own), Some(other)) = (level(from), level(to)) else { continue };
                judged += 1;
                ensure!(
                    other <= own,
                    "{}: {} imports {}, which lies above it",
                    path.display(),
                    from.join("::"),
                    to.join("::")
                );
            }
        }
    }
    ensure!(judged > 500, "the imports were found: {judged}");
    Ok(())
}

#[test]
fn no_more_than_three_files_import_each_other() -> Result<()> {
    let mut found = 0;
    for path in crates()? {
        for circle in Imports::of(&path.join("src"))?.circles() {
            found += 1;
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            ensure!(circle.len() <= CIRCLE_MAX, "{}: {}", path.display(), names.join(", "));
        }
    }
    ensure!(found > 0, "small circles were found");
    Ok(())
}

#[test]
fn no_folder_holds_more_than_fourteen_files() -> Result<()> {
    for tree in ["crates", "tests"] {
        let mut files = Vec::new();
        find(&root().join(tree), "rs", &mut files)?;
        let mut folders: BTreeMap<&Path, usize> = BTreeMap::new();
        for folder in files.iter().filter_map(|file| file.parent()) {
            *folders.entry(folder).or_default() += 1;
        }
        for (folder, count) in folders {
            ensure!(count <= FOLDER_MAX, "{} has {count} files", folder.display());
        }
    }
    Ok(())
}

/// ADR 33: a handler gets rows from a permit. The compiler sees to the rest; it cannot hide the node's reader from them.
#[test]
fn no_handler_takes_rows_from_the_node_itself() -> Result<()> {
    let server = root().join("crates/server/src");
    let mut files = Vec::new();
    for folder in ["read", "write", "authzen", "endpoints"] {
        find(&server.join(folder), "rs", &mut files)?;
    }
    let context = server.join("read/context");
    let mut judged = 0;
    for path in files.iter().filter(|path| !path.starts_with(&context)) {
        let text = std::fs::read_to_string(path)?;
        judged += 1;
        ensure!(
            ![".reader.", ".snapshot()"].iter().any(|way| text.contains(way)),
            "{} goes around the permit",
            path.display()
        );
    }
    ensure!(judged > 50, "the handlers were found");
    Ok(())
}

/// ADR 36: nothing whose cost depends on the size of an organization runs on the threads that take requests.
#[test]
fn only_what_is_always_cheap_answers_at_once() -> Result<()> {
    let server = root().join("crates/server/src");
    let mut files = Vec::new();
    find(&server, "rs", &mut files)?;
    let mut found = BTreeSet::new();
    for path in files {
        if std::fs::read_to_string(&path)?.contains(".respond_at_once(") {
            found.insert(path.strip_prefix(&server)?.display().to_string());
        }
    }
    // The context answers checks from the image so, and everything else on a thread of its own.
    assert_eq!(found, ["read/context/mod.rs", "read/questions/whoami.rs"].map(str::to_owned).into());
    Ok(())
}
