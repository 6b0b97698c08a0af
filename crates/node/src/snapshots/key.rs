//! The Ed25519 key that a node signs its snapshots with, and the public keys that another one trusts.

use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use grantbook_files as files;

use grantbook_journal::stamp::ids::{NoRandomness, random};

/// The secret key of a node. Its debug text shows the public key only.
#[derive(Clone)]
pub struct SnapshotKey(SigningKey);

/// Whose signature is trusted: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Why a key is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read, or written.
    #[error("the key file {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read the secret.
    #[error("the key file {} may be read by others: chmod 600 it, or make a new key", .0.display())]
    Open(PathBuf),
    /// It holds no key.
    #[error("the key file {} does not hold a key: 64 hexadecimal digits, as `grantbook snapshot key` writes them", .0.display())]
    NoKey(PathBuf),
    /// The text is no public key.
    #[error("a public key is 64 hexadecimal digits, as `grantbook snapshot key` prints them")]
    NotPublic,
    /// No randomness is to be had.
    #[error("{0}")]
    NoRandomness(#[from] NoRandomness),
}

impl SnapshotKey {
    /// Makes a key and keeps it in a new file that its owner only may read. An existing file is left alone.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let key = Self(SigningKey::from_bytes(&random()?));
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        files::write_new(path, format!("{}\n", hex(&key.0.to_bytes())).as_bytes()).map_err(failed)?;
        Ok(key)
    }

    /// Reads a key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeyError::Open(path.to_owned()));
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let seed = unhex(text.trim()).ok_or_else(|| KeyError::NoKey(path.to_owned()))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// What others must trust to take what this key signs.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The signature of these bytes, in hexadecimal digits.
    pub(super) fn sign(&self, bytes: &[u8]) -> String {
        hex(&self.0.sign(bytes).to_bytes())
    }
}

impl PublicKey {
    /// Whether the key signed these bytes.
    pub(super) fn has_signed(&self, bytes: &[u8], signature: &str) -> bool {
        let signature = unhex(signature).map(|bytes| Signature::from_bytes(&bytes));
        signature.is_some_and(|signature| self.0.verify_strict(bytes, &signature).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = unhex(text).ok_or(KeyError::NotPublic)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| KeyError::NotPublic)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SnapshotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SnapshotKey").field(&self.public()).finish()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or_default()
}

/// Exactly so many bytes, from lower-case digits.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let value = |digit: u8| if digit.is_ascii_uppercase() { None } else { char::from(digit).to_digit(16) };
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = u8::try_from(value(*high)? << 4 | value(*low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_made_and_by_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("snapshot.key");
        let made = SnapshotKey::create(&path).unwrap();
        assert!(matches!(SnapshotKey::create(&path), Err(KeyError::File { .. })));
        let read = SnapshotKey::read(&path).unwrap();
        assert_eq!(made.public(), read.public());
        assert_eq!(made.public().to_string().parse::<PublicKey>().unwrap(), read.public());
        let secret = fs::read_to_string(&path).unwrap();
        assert!(!format!("{read:?}").contains(secret.trim()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SnapshotKey::read(&path), Err(KeyError::Open(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "no key").unwrap();
        assert!(matches!(SnapshotKey::read(&path), Err(KeyError::NoKey(_))));
    }

    #[test]
    fn a_signature_is_of_its_bytes_and_its_key() {
        let [one, other] = [[1; 32], [2; 32]].map(|seed| SnapshotKey(SigningKey::from_bytes(&seed)));
        let signature = one.sign(b"bytes");
        assert!(one.public().has_signed(b"bytes", &signature));
        assert!(!one.public().has_signed(b"Bytes", &signature));
        assert!(!other.public().has_signed(b"bytes", &signature));
        assert!(!one.public().has_signed(b"bytes", ""));
        assert!("12".parse::<PublicKey>().is_err());
    }
}
