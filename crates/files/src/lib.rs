//! Files and directories that hold people's data: private whatever the umask, and never written through a symbolic link.

mod draft;
mod owner;

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{fs::OFlags, io::Errno};

pub use self::{
    draft::Draft,
    owner::{Exposed, expect_ours},
};

/// Mode of files: only the owner reads and writes them.
const FILE_MODE: u32 = 0o600;
/// Mode of directories: only the owner gets in.
const DIRECTORY_MODE: u32 = 0o700;
/// Everybody who is not the owner.
const OTHERS: u32 = 0o077;
/// Everybody who is neither the owner nor in the group.
const STRANGERS: u32 = 0o007;

/// Makes a new file of mode 0600, open for writing.
///
/// Fails with [`ErrorKind::AlreadyExists`] if anything has the name, a symbolic link that leads nowhere included.
pub fn create_new(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)?;
    // A umask can take the owner's rights, too.
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

/// Opens a file for reading and writing, and makes it private if it is not.
///
/// Fails with [`ErrorKind::NotFound`] if there is none, and with a text that says so if the name is a symbolic link.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let opened = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(code) if code == Errno::LOOP.raw_os_error() => {
            io::Error::other("this is a symbolic link, which is not followed: name the file that it leads to")
        }
        _ => error,
    })?;
    protect(&file)?;
    Ok(file)
}

/// The same; makes the file, with mode 0600, if there is none.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    match open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => match create_new(path) {
            // Another process was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => open(path),
            created => created,
        },
        opened => opened,
    }
}

/// Writes a new file of mode 0600, durably; see [`create_new`].
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_new(path)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()
}

/// Writes a file of mode 0600, whole or not at all. What had the name before is replaced; a symbolic link is not followed.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = Draft::begin(path)?;
    io::Write::write_all(&mut draft, bytes)?;
    draft.finish()
}

/// Makes a directory, and those above it, each with mode 0700. Directories that exist are left as they are.
pub fn make_directory(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_directory(above)?;
    }
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE)),
    }
}

/// Whether anything has the name, a symbolic link that leads nowhere included.
pub fn is_taken(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Takes the file from everybody but its owner.
///
/// On a volume that is shared by group (`fsGroup` of Kubernetes) the file may belong to another user of the group: it stays
/// as it is if nobody else can read it.
fn protect(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    match file.set_permissions(Permissions::from_mode(mode & !OTHERS)) {
        Err(error) if is_not_owner(&error) && mode & STRANGERS == 0 => Ok(()),
        outcome => outcome,
    }
}

fn is_not_owner(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::PERM.raw_os_error())
}

/// The directory that a file lies in, and the file's name.
fn split(path: &Path) -> io::Result<(PathBuf, OsString)> {
    let name = path.file_name().ok_or_else(|| io::Error::other("this is not the name of a file"))?;
    let directory = path.parent().filter(|above| !above.as_os_str().is_empty());
    Ok((directory.unwrap_or(Path::new(".")).to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_file_is_private_and_takes_no_name_that_anything_has() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new");
        write_new(&path, b"text").unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o600, b"text".to_vec()));
        let link = directory.path().join("link");
        symlink(directory.path().join("elsewhere"), &link).unwrap();
        for taken in [&path, &link] {
            assert!(is_taken(taken));
            assert_eq!(create_new(taken).unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
        assert!(!directory.path().join("elsewhere").exists());
    }

    #[test]
    fn a_file_that_others_can_read_is_taken_from_them_when_it_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("old");
        fs::write(&path, "text").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
        open_or_create(&path).unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o600, b"text".to_vec()));
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(open_or_create(&link).unwrap_err().to_string().contains("symbolic link"));
    }

    #[test]
    fn directories_are_private_and_those_that_exist_stay_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let shared = directory.path().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, Permissions::from_mode(0o2770)).unwrap();
        make_directory(&shared.join("a/b")).unwrap();
        assert_eq!(
            [&shared, &shared.join("a"), &shared.join("a/b")].map(|path| mode(path) & 0o777),
            [0o770, 0o700, 0o700]
        );
        fs::write(shared.join("file"), "").unwrap();
        assert!(make_directory(&shared.join("file")).is_err());
    }
}
