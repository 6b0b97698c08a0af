//! A file with 32 secret bytes as text: made once, read by its owner only.

use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use grantbook_files as files;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Largest file that is read.
const FILE_MAX: u64 = 1024;

/// A kind of key, such as that of webhooks: one is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyKind {
    /// What it is called; also the command that makes one: `grantbook WORD key FILE`.
    pub(crate) word: &'static str,
    /// What a file of this kind begins with.
    pub(crate) prefix: &'static str,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or made.
    #[error("the {kind} key file {}: {source}", path.display())]
    File {
        /// Of which key.
        kind: KeyKind,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner can read it.
    #[error("the {kind} key file {path} can be read by others than its owner: chmod 600", kind = .0, path = .1.display())]
    Exposed(KeyKind, PathBuf),
    /// It is not one.
    #[error("{path} is not a {kind} key file: `grantbook {kind} key FILE` makes one", kind = .0, path = .1.display())]
    Malformed(KeyKind, PathBuf),
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness: {0}")]
    NoRandomness(getrandom::Error),
}

/// Makes a key file that only its owner can read. Refuses to replace a file. Blocks.
pub(crate) fn create(kind: KeyKind, path: &Path) -> Result<[u8; 32], KeyFileError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(KeyFileError::NoRandomness)?;
    let failed = |source| KeyFileError::File { kind, path: path.to_owned(), source };
    let text = format!("{}{}\n", kind.prefix, STANDARD.encode(bytes));
    files::write_new(path, text.as_bytes()).map_err(failed)?;
    Ok(bytes)
}

/// Reads a key file. Refuses one that others than its owner can read. Blocks.
pub(crate) fn load(kind: KeyKind, path: &Path) -> Result<[u8; 32], KeyFileError> {
    let failed = |source| KeyFileError::File { kind, path: path.to_owned(), source };
    let about = fs::metadata(path).map_err(failed)?;
    if about.mode() & 0o077 != 0 {
        return Err(KeyFileError::Exposed(kind, path.to_owned()));
    }
    let malformed = || KeyFileError::Malformed(kind, path.to_owned());
    if !about.is_file() || about.len() > FILE_MAX {
        return Err(malformed());
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let encoded = text.trim_end().strip_prefix(kind.prefix).ok_or_else(malformed)?;
    let bytes = STANDARD.decode(encoded).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(malformed)
}

/// HMAC-SHA256 (RFC 2104) of these parts, one after the other.
pub(crate) fn derive<'a>(key: &[u8; 32], parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    // A key shorter than a block is padded with zeros.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const KIND: KeyKind = KeyKind { word: "door", prefix: "grantbook-door-key-1:" };

    #[test]
    fn a_key_file_is_for_its_owner_and_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("door.key");
        let made = create(KIND, &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(load(KIND, &path).unwrap(), made);
        assert!(matches!(create(KIND, &path), Err(KeyFileError::File { .. })));
        let other = KeyKind { word: "gate", prefix: "grantbook-gate-key-1:" };
        let refused = load(other, &path).unwrap_err();
        assert!(
            matches!(refused, KeyFileError::Malformed(..))
                && refused.to_string().contains("grantbook gate key FILE")
        );
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(load(KIND, &path), Err(KeyFileError::Exposed(..))));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "grantbook-door-key-1:", "grantbook-door-key-1:AAAA", "x"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(load(KIND, &path), Err(KeyFileError::Malformed(..))), "{text}");
        }
    }

    /// RFC 4231, test case 2, in a key of our length: HMAC pads shorter ones with zeros.
    #[test]
    fn what_is_derived_is_hmac_sha_256() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let derived = derive(&key, [&b"what do ya want "[..], b"for nothing?"]);
        let halves = [derived.first_chunk().unwrap(), derived.last_chunk().unwrap()];
        let known = [0x5bdc_c146_bf60_754e_6a04_2426_0895_75c7, 0x5a00_3f08_9d27_3983_9dec_58b9_64ec_3843];
        assert_eq!(halves.map(|half| u128::from_be_bytes(*half)), known);
    }
}
