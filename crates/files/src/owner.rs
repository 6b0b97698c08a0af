//! Who can write a directory: it must be nobody but this process's user, its groups, and root.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::process::{getegid, geteuid, getgroups};

/// Why a directory is not ours alone.
#[derive(Debug, thiserror::Error)]
pub enum Exposed {
    /// Everybody can write it.
    #[error("everybody can write {0}: run `chmod o-w {0}`", path.display())]
    ToEverybody {
        /// The directory.
        path: PathBuf,
    },
    /// Everybody can exchange it, as everybody can write a directory above it.
    #[error(
        "anyone can replace {}, because anyone can write to {1}: run `chmod o-w {1}`, or `chmod +t {1}` if it is shared on purpose",
        path.display(), above.display()
    )]
    Exchangeable {
        /// The directory.
        path: PathBuf,
        /// The one above it.
        above: PathBuf,
    },
    /// A group that this process is not in can write it.
    #[error("the group with id {gid}, which this process is not in, can write {0}: run `chmod g-w {0}`", path.display())]
    ToGroup {
        /// The directory.
        path: PathBuf,
        /// The group.
        gid: u32,
    },
    /// It is another user's.
    #[error(
        "{0} belongs to the user with id {owner}, but this process runs as {own}: run it as that user, or run `chown -R {own} {0}`",
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who runs this process.
        own: u32,
    },
    /// It cannot be looked at.
    #[error("cannot look at {}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Refuses a directory that a stranger can write, or can put another one in the place of.
///
/// No strangers are: root, the user of this process, and its groups (such as `fsGroup` of Kubernetes). Of the directories
/// above it only those are refused that everybody can write and that are not sticky. Access control lists are not looked
/// at beyond their mask, which the mode of the group shows.
pub fn expect_ours(directory: &Path) -> Result<(), Exposed> {
    let failed = |source| Exposed::Io { path: directory.to_owned(), source };
    let real = fs::canonicalize(directory).map_err(failed)?;
    let about = fs::metadata(&real).map_err(failed)?;
    let groups = getgroups().map_err(|errno| failed(errno.into()))?;
    let own_groups: Vec<u32> =
        groups.into_iter().chain([getegid()]).map(rustix::process::Gid::as_raw).collect();
    let own = geteuid().as_raw();
    judge(directory, (about.mode(), about.uid(), about.gid()), own, &own_groups)?;
    let named = std::path::absolute(directory).map_err(failed)?;
    let link = fs::symlink_metadata(&named).map_err(failed)?;
    if link.is_symlink() && ![0, own].contains(&link.uid()) {
        return Err(Exposed::Foreign { path: directory.to_owned(), owner: link.uid(), own });
    }
    // Where the name leads through a link, both where it is and where it leads to can be exchanged.
    let place = named.parent().unwrap_or(&real).canonicalize().map_err(failed)?;
    for above in real.ancestors().skip(1).chain(place.ancestors()) {
        let mode = fs::metadata(above).map_err(failed)?.mode();
        if mode & 0o002 != 0 && mode & 0o1000 == 0 {
            return Err(Exposed::Exchangeable { path: directory.to_owned(), above: above.to_owned() });
        }
    }
    Ok(())
}

/// Judges a directory by its mode, owner and group.
fn judge(
    path: &Path,
    (mode, owner, gid): (u32, u32, u32),
    own: u32,
    own_groups: &[u32],
) -> Result<(), Exposed> {
    let path = path.to_owned();
    if mode & 0o002 != 0 {
        return Err(Exposed::ToEverybody { path });
    }
    if owner != own && owner != 0 {
        return Err(Exposed::Foreign { path, owner, own });
    }
    if mode & 0o020 != 0 && gid != 0 && !own_groups.contains(&gid) {
        return Err(Exposed::ToGroup { path, gid });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn strangers_are_all_but_root_oneself_and_ones_groups() {
        let told = |about: (u32, u32, u32)| match judge(Path::new("/d"), about, 1000, &[1000, 2000]) {
            Ok(()) => "ours",
            Err(Exposed::ToEverybody { .. }) => "everybody",
            Err(Exposed::ToGroup { .. }) => "group",
            Err(Exposed::Foreign { .. }) => "foreign",
            Err(_) => "other",
        };
        for (about, expected) in [
            ((0o700, 1000, 1000), "ours"),
            ((0o755, 1000, 50), "ours"),
            ((0o775, 1000, 1000), "ours"),
            // Kubernetes: the volume is root's and of the group that the pod is given.
            ((0o2775, 0, 2000), "ours"),
            ((0o2770, 0, 2000), "ours"),
            ((0o770, 1000, 50), "group"),
            ((0o700, 1001, 1000), "foreign"),
            ((0o777, 1000, 1000), "everybody"),
            ((0o1777, 0, 0), "everybody"),
        ] {
            assert_eq!(told(about), expected, "{about:?}");
        }
    }

    #[test]
    fn what_everybody_can_exchange_is_refused_with_what_to_run() {
        let base = tempfile::tempdir().unwrap();
        let data = base.path().join("data");
        fs::create_dir(&data).unwrap();
        expect_ours(&data).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(base.path(), 0o777);
        assert!(expect_ours(&data).unwrap_err().to_string().contains("chmod o-w"));
        set(base.path(), 0o1777);
        expect_ours(&data).unwrap();
        let [open, link] = ["open", "open/link"].map(|name| base.path().join(name));
        fs::create_dir(&open).unwrap();
        std::os::unix::fs::symlink(&data, &link).unwrap();
        expect_ours(&link).unwrap();
        set(&open, 0o777);
        assert!(matches!(expect_ours(&link), Err(Exposed::Exchangeable { .. })));
        set(&data, 0o1777);
        let told = expect_ours(&data).unwrap_err().to_string();
        assert_eq!(told, format!("everybody can write {0}: run `chmod o-w {0}`", data.display()));
    }
}
