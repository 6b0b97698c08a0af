//! The manifest: what a snapshot is of, and the hash of every piece of it, under one signature.
//!
//! A file of two lines: the manifest as JSON, then `ed25519`, the public key and the signature in hexadecimal digits. What is
//! signed is `grantbook snapshot 1`, a line feed, and the bytes of the first line.

use grantbook_domain::id::InstallationId;
use grantbook_journal::hash::Hash;
use grantbook_views::ViewDigest;
use serde::{Deserialize, Serialize};

use crate::{
    project::Checkpoint,
    snapshots::{NodeId, PublicKey, SnapshotKey},
};

const SIGNED_WORDS: &[u8] = b"grantbook snapshot 1\n";

/// What a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1.
    pub grantbook_snapshot: u32,
    /// Whose journal the view was filled from.
    pub installation: InstallationId,
    /// The format of the rows: [`grantbook_views::FORMAT_VERSION`] of who made it.
    pub format: u32,
    /// The sequence of the last frame in the view.
    pub sequence: u64,
    /// The sum of all rows.
    pub digest: ViewDigest,
    /// How many rows there are.
    pub rows: u64,
    /// How long the rows are in all, as they lie in the pieces.
    pub bytes: u64,
    /// The pieces with the rows, in their order.
    pub pieces: Vec<Piece>,
    /// Who may do what, in words of no format.
    pub listing: Listed,
    /// The ends of the journal's chains at the sequence.
    pub(crate) checkpoint: Checkpoint,
    /// When it was made, in milliseconds since 1970.
    pub made_at: i64,
    /// The node that made it.
    pub node: NodeId,
    /// That node's version of Grantbook.
    pub version: String,
}

/// The listing of effective access as of the manifest's sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The form of the lines: [`LISTING_FORM`](grantbook_views::LISTING_FORM) of who made it. The first one was not named.
    #[serde(default = "first_form")]
    pub form: u32,
    /// How many lines it has.
    pub lines: u64,
    /// The pieces that they lie in, in their order.
    pub pieces: Vec<Piece>,
}

const fn first_form() -> u32 {
    1
}

/// A piece of a snapshot: a file, or an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Its name within the snapshot.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub hash: Hash,
}

impl Piece {
    /// Whether its name is one of a file, and leads nowhere else.
    fn is_plain(&self) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        self.name.strip_suffix(".lz4").is_some_and(|name| !name.is_empty() && name.bytes().all(is_plain))
    }
}

/// A manifest whose signature was found to be of a key that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub manifest: Manifest,
    /// Who signed it.
    pub by: PublicKey,
}

/// Why a manifest is not believed.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It has no second line, or one that is no signature.
    #[error("it is not signed, or its manifest is cut short")]
    Unsigned,
    /// The key is not among those that are trusted.
    #[error("it is signed by {0}, which is not trusted here")]
    ForeignKey(String),
    /// The key that it names has not signed these bytes.
    #[error("its signature does not fit: the manifest was changed")]
    BadSignature,
    /// It is signed, but not understood.
    #[error("its manifest is not understood: {0}")]
    Malformed(String),
}

impl Manifest {
    /// The manifest's file, signed.
    pub fn sign(&self, key: &SnapshotKey) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        let signature = key.sign(&[SIGNED_WORDS, &line].concat());
        line.extend_from_slice(format!("\ned25519 {} {signature}\n", key.public()).as_bytes());
        Ok(line)
    }

    /// Reads a manifest's file: first the signature, then what it says.
    pub fn read(file: &[u8], trust: &[PublicKey]) -> Result<Signed, ManifestError> {
        let line = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let rest = file.get(line.len()..).and_then(|rest| str::from_utf8(rest).ok()).unwrap_or_default();
        let mut words = rest.split_ascii_whitespace();
        let (Some("ed25519"), Some(key), Some(signature), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(ManifestError::Unsigned);
        };
        if !rest.ends_with('\n') {
            return Err(ManifestError::Unsigned);
        }
        let trusted = trust.iter().find(|trusted| trusted.to_string() == key);
        let by = *trusted.ok_or_else(|| ManifestError::ForeignKey(key.chars().take(64).collect()))?;
        if !by.has_signed(&[SIGNED_WORDS, line].concat(), signature) {
            return Err(ManifestError::BadSignature);
        }
        let manifest: Manifest =
            serde_json::from_slice(line).map_err(|fault| ManifestError::Malformed(fault.to_string()))?;
        if manifest.grantbook_snapshot != 1 {
            let layout = manifest.grantbook_snapshot;
            return Err(ManifestError::Malformed(format!("layout {layout}, this version reads 1")));
        }
        let pieces = manifest.pieces.iter().chain(&manifest.listing.pieces);
        if let Some(piece) = pieces.into_iter().find(|piece| !piece.is_plain()) {
            return Err(ManifestError::Malformed(format!("a piece is called {:?}", piece.name)));
        }
        Ok(Signed { manifest, by })
    }
}
