//! A small disk of its own for a broker, that can be filled and emptied: a tmpfs that only its keeper's processes see.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// A disk in a mount namespace, kept by a process that waits; it goes when the process does.
#[derive(Debug)]
pub struct SmallDisk {
    keeper: Child,
    mount: PathBuf,
    _dir: tempfile::TempDir,
}

impl SmallDisk {
    /// A disk of so many bytes; none where that takes more than we may: we are not root, and may not be it in a namespace
    /// of our own either.
    pub fn new(bytes: u64) -> Result<Option<Self>> {
        let dir = tempfile::tempdir()?;
        let mount = dir.path().join("disk");
        std::fs::create_dir(&mount)?;
        let script = format!(
            "mount -t tmpfs -o size={bytes} small {} && echo mounted && exec cat",
            mount.to_str().context("a plain path")?
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if !is_root()? {
            command.arg("--map-root-user");
        }
        command.args(["sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().context("unshare, of util-linux, does not start")?;
        let mut said = String::new();
        BufReader::new(keeper.stdout.take().context("its output")?).read_line(&mut said)?;
        let disk = Self { keeper, mount, _dir: dir };
        ensure!(said == "mounted\n" || !is_root()?, "no disk could be mounted");
        Ok(Some(disk).filter(|_| said == "mounted\n"))
    }

    /// Where the disk is, for processes that are [started in it](Self::enter).
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// How a program is started so that it sees the disk.
    pub fn enter(&self) -> Vec<String> {
        let keeper = self.keeper.id().to_string();
        let mut words = vec!["nsenter".to_owned(), "--target".to_owned(), keeper, "--mount".to_owned()];
        if is_root().is_ok_and(|root| !root) {
            words.extend(["--user".to_owned(), "--preserve-credentials".to_owned()]);
        }
        words
    }

    /// Fills all but so many bytes of what is left.
    pub fn fill_up_to(&self, left: u64) -> Result<()> {
        let free =
            self.run(&format!("df --block-size=1 --output=avail {} | tail -n 1", self.mount.display()))?;
        let free: u64 = free.trim().parse()?;
        let size = free.saturating_sub(left) / 4096 * 4096;
        self.run(&format!("fallocate --length {size} {}/ballast", self.mount.display())).map(drop)
    }

    /// Frees what was filled.
    pub fn empty(&self) -> Result<()> {
        self.run(&format!("rm {}/ballast", self.mount.display())).map(drop)
    }

    fn run(&self, script: &str) -> Result<String> {
        let words = self.enter();
        let (program, args) = words.split_first().context("a program")?;
        let output = Command::new(program).args(args).args(["sh", "-c", script]).output()?;
        ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ended_anyway = self.keeper.kill();
        let _reaped = self.keeper.wait();
    }
}

fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output()?;
    Ok(id.stdout == b"0\n")
}
