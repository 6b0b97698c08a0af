//! A file that is written apart and gets its name once it is whole.

use std::{
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
    process,
};

use crate::{create_new, split};

/// How many names are tried for the draft before its directory is given up.
const NAMES_MAX: u32 = 100;

/// A file of mode 0600 beside the one that it will replace. Dropped before [`Draft::finish`], it is removed.
#[derive(Debug)]
pub struct Draft {
    file: BufWriter<File>,
    path: PathBuf,
    directory: PathBuf,
    target: PathBuf,
    is_finished: bool,
}

impl Draft {
    /// Begins a file that will be called `target`.
    ///
    /// Fails if the target is a directory, a device or a pipe, or lies in /dev or /proc: a draft would replace the
    /// device node, not write to the device.
    pub fn begin(target: &Path) -> io::Result<Self> {
        let (directory, name) = split(target)?;
        let above = fs::canonicalize(&directory)?;
        let there = fs::symlink_metadata(target).ok().map(|about| about.file_type());
        if above.starts_with("/dev")
            || above.starts_with("/proc")
            || there.is_some_and(|kind| !kind.is_file() && !kind.is_symlink())
        {
            return Err(io::Error::other(
                "this is no regular file: redirect the standard output to it instead",
            ));
        }
        for number in 0..NAMES_MAX {
            let mut own = std::ffi::OsString::from(".");
            own.push(&name);
            own.push(format!(".{}-{number}.tmp", process::id()));
            let path = directory.join(own);
            match create_new(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => {
                    let file = BufWriter::new(file);
                    return Ok(Self { file, path, directory, target: target.to_owned(), is_finished: false });
                }
            }
        }
        Err(io::Error::from(ErrorKind::AlreadyExists))
    }

    /// Makes what was written durable and gives it its name, in place of whatever had it.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.is_finished = true;
        File::open(&self.directory)?.sync_all()
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_finished {
            fs::remove_file(&self.path).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::replace;

    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_stays_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let [victim, output] = ["victim", "output"].map(|name| directory.path().join(name));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &output).unwrap();
        replace(&output, b"text").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        let about = fs::symlink_metadata(&output).unwrap();
        assert!(about.is_file() && about.permissions().mode() & 0o777 == 0o600);
        assert_eq!(fs::read(&output).unwrap(), b"text");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("output");
        fs::write(&output, "before").unwrap();
        let mut draft = Draft::begin(&output).unwrap();
        draft.write_all(b"half").unwrap();
        drop(draft);
        assert_eq!(fs::read(&output).unwrap(), b"before");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn devices_and_directories_are_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        for target in [Path::new("/dev/stdout"), Path::new("/dev/null"), directory.path()] {
            assert!(Draft::begin(target).is_err(), "{}", target.display());
        }
    }
}
