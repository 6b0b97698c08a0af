//! Attacks from outside, each a script in `tests/attacks` that is given the executable: every one must be held.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::binary::grantbook;

const AT_ONCE: usize = 4;

fn scripts() -> Result<Vec<PathBuf>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks");
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let library = path.file_stem().is_some_and(|name| name == "installation");
        if path.extension().is_some_and(|extension| extension == "py") && !library {
            scripts.push(path);
        }
    }
    scripts.sort();
    ensure!(!scripts.is_empty(), "tests/attacks holds no script");
    Ok(scripts)
}

/// What a script says, on one line, and whether the attack was held.
fn attack(script: &Path) -> Result<(bool, String)> {
    let run = Command::new("python3").arg("-B").arg(script).arg(grantbook()?).output().context("python3")?;
    let said = String::from_utf8_lossy(&run.stdout).trim().to_owned();
    let errors = String::from_utf8_lossy(&run.stderr);
    Ok((run.status.success(), if said.is_empty() { errors.into_owned() } else { said }))
}

#[test]
fn every_attack_is_held() -> Result<()> {
    let waiting = Mutex::new(scripts()?);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(script) = waiting.lock().ok().and_then(|mut waiting| waiting.pop()) {
                    let outcome = attack(&script).unwrap_or_else(|error| (false, error.to_string()));
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes.push((script, outcome));
                    }
                }
            });
        }
    });
    let mut broken = Vec::new();
    for (script, (held, said)) in outcomes.into_inner().unwrap_or_default() {
        println!("{said}");
        if !held {
            broken.push(format!("{}: {said}", script.display()));
        }
    }
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}
