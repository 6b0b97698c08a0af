//! The release files, made from the executable under test: unpacked, installed, served from, asked, and removed.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{binary, wire::Http};
use serde_json::Value;

const START_LIMIT: Duration = Duration::from_mins(1);

fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// Runs a program that must succeed; what it printed.
fn run(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).output().with_context(|| program.to_owned())?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{program} {args:?} ended with {}:\n{out}{err}", output.status);
    Ok(out.into_owned())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a plain path")
}

/// Makes the release files; the tarball, and the Debian package if dpkg-deb is here.
fn made(into: &Path) -> Result<(PathBuf, Option<PathBuf>)> {
    let script = root().join("crates/cli/packaging/dist.sh");
    let mut dist = Command::new(script);
    dist.arg(binary::grantbook()?).arg(into).env("DPKG_DEB_COMPRESSOR_LEVEL", "0");
    let output = dist.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout)?;
    let mut files = printed.lines().map(PathBuf::from);
    let tarball = files.next().context("a tarball")?;
    let package = files.next();
    let has_dpkg = Command::new("dpkg-deb").arg("--version").stdout(Stdio::null()).status().is_ok();
    ensure!(package.is_some() == has_dpkg, "{printed}");
    Ok((tarball, package))
}

#[test]
fn the_tarball_and_the_package_install_serve_and_go() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (tarball, package) = made(&place.path().join("dist"))?;
    run("tar", &["-xzf", text(&tarball)?, "-C", text(place.path())?])?;
    let name = tarball.file_name().context("a name")?.to_string_lossy().replace(".tar.gz", "");
    is_complete(&place.path().join(name))?;
    let Some(package) = package else { return Ok(()) };
    let system = place.path().join("system");
    install(&package, &system)?;
    is_complete(&system.join("usr"))?;
    serves(&system)?;
    remove(&system)
}

/// Everything that a release has is there, readable by everybody.
fn is_complete(usr: &Path) -> Result<()> {
    let share = usr.join("share");
    for (path, part) in [
        (share.join("bash-completion/completions/grantbook"), "_grantbook"),
        (share.join("zsh/site-functions/_grantbook"), "#compdef grantbook"),
        (share.join("fish/vendor_completions.d/grantbook.fish"), "complete -c grantbook"),
        (share.join("doc/grantbook/copyright"), "Apache License"),
        (share.join("doc/grantbook/LICENCES-OF-DEPENDENCIES.txt"), "\nasync-nats "),
        (share.join("doc/grantbook/README.md"), "# Grantbook"),
        (share.join("doc/grantbook/deploying.md"), "# Deploying"),
        (usr.join("lib/systemd/system/grantbook.service"), "DynamicUser=yes"),
    ] {
        let content = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        ensure!(content.contains(part), "{}: no {part:?}", path.display());
        ensure!(fs::metadata(&path)?.permissions().mode() & 0o777 == 0o644, "{}", path.display());
    }
    for page in ["grantbook", "grantbook-serve", "grantbook-token-create"] {
        let page = share.join(format!("man/man1/{page}.1.gz"));
        let roff = run("gzip", &["-dc", text(&page)?])?;
        ensure!(roff.contains(".TH grantbook"), "{}: {roff}", page.display());
    }
    let version = run(text(&usr.join("bin/grantbook"))?, &["--version"])?;
    ensure!(version.starts_with("grantbook "), "{version}");
    Ok(())
}

/// With dpkg as root, into a system of its own; else unpacked, which needs no rights.
fn install(package: &Path, system: &Path) -> Result<()> {
    for part in ["updates", "info"] {
        fs::create_dir_all(system.join("var/lib/dpkg").join(part))?;
    }
    fs::write(system.join("var/lib/dpkg/status"), "")?;
    if !is_root()? {
        return run("dpkg-deb", &["--extract", text(package)?, text(system)?]).map(drop);
    }
    let said = dpkg(system, &["--install", text(package)?])?;
    ensure!(said.contains("sudo grantbook init"), "the package prints the next steps: {said}");
    ensure!(dpkg(system, &["--verify", "grantbook"])?.is_empty(), "every file is as in the package");
    Ok(())
}

fn remove(system: &Path) -> Result<()> {
    if !is_root()? {
        return Ok(());
    }
    dpkg(system, &["--remove", "grantbook"])?;
    ensure!(!system.join("usr/bin/grantbook").exists(), "the executable is gone");
    ensure!(system.join("etc/grantbook/grantbook.env").exists(), "settings stay until the package is purged");
    let said = dpkg(system, &["--purge", "grantbook"])?;
    ensure!(said.contains("The journal in /var/lib/grantbook"), "{said}");
    ensure!(!system.join("etc/grantbook").exists(), "settings are purged");
    ensure!(system.join("var/lib/grantbook/journal.redb").exists(), "the journal stays");
    Ok(())
}

fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// dpkg on a system below a directory. There is no C library in it, nor a shell, so dependencies are not looked at, and
/// the package's scripts run outside.
fn dpkg(system: &Path, args: &[&str]) -> Result<String> {
    let root = format!("--root={}", system.display());
    run("dpkg", &[&[root.as_str(), "--force-depends", "--force-script-chrootless"], args].concat())
}

/// Starts what the unit starts, with the unit's environment, and asks it.
fn serves(system: &Path) -> Result<()> {
    let unit = fs::read_to_string(system.join("usr/lib/systemd/system/grantbook.service"))?;
    let settings: BTreeMap<&str, &str> = unit.lines().filter_map(|line| line.split_once('=')).collect();
    let words: Vec<&str> = settings.get("ExecStart").context("ExecStart")?.split(' ').collect();
    let (program, args) = words.split_first().context("a program")?;
    let program = system.join(program.trim_start_matches('/'));
    let (name, data) = settings
        .get("Environment")
        .and_then(|setting| setting.split_once('='))
        .context("the unit sets one variable")?;
    ensure!(name == "GRANTBOOK_DATA" && settings.get("StateDirectory") == data.rsplit('/').next().as_ref());
    let data = system.join(data.trim_start_matches('/'));
    let init = ["init", "--org", "acme", "--owner", "ada@example.com", "--data", text(&data)?];
    let key = run(text(&program)?, &init)?;
    let ready = system.join("ready");
    let mut command = Command::new(program);
    command.args(args).env(name, &data).env("GRANTBOOK_LISTEN", "127.0.0.1:0").stderr(Stdio::null());
    let server = Ended(command.arg("--ready-file").arg(&ready).spawn()?);
    let deadline = Instant::now() + START_LIMIT;
    let base = loop {
        match fs::read_to_string(&ready) {
            Ok(base) => break base.trim().to_owned(),
            Err(_) => ensure!(Instant::now() < deadline, "the server does not start"),
        }
        std::thread::yield_now();
    };
    let whoami = Http::connect(&base)?.as_bearer(key.trim()).send("GET", "/v1/whoami", &Value::Null)?;
    let name = whoami.expect(200)?.pointer("/organization/name").cloned();
    ensure!(name == Some("acme".into()), "{name:?}");
    drop(server);
    Ok(())
}

/// A process that is killed when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ended_anyway = self.0.kill();
        let _reaped = self.0.wait();
    }
}
