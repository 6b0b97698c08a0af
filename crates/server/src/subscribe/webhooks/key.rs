//! The installation's webhook key: a file from which every webhook's signing secret is derived, so that no journal and no
//! view holds one (docs/adr/0016-webhooks.md).

use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use grantbook_domain::{id::WebhookId, webhook::Signer};
use grantbook_files as files;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a key file begins with.
const PREFIX: &str = "grantbook-webhook-key-1:";
/// Largest file that is read.
const FILE_MAX: u64 = 1024;

/// The key. Neither printed nor compared.
#[derive(Clone)]
pub struct WebhookKey([u8; 32]);

/// A signing secret; [`SigningSecret::text`] shows it, nothing else does.
pub struct SigningSecret([u8; 32]);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum WebhookKeyError {
    /// The file cannot be read or made.
    #[error("the webhook key file {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner can read it.
    #[error("the webhook key file {} can be read by others than its owner: chmod 600", .0.display())]
    Exposed(PathBuf),
    /// It is not one.
    #[error("{} is not a webhook key file: `grantbook webhook key FILE` makes one", .0.display())]
    Malformed(PathBuf),
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness: {0}")]
    NoRandomness(getrandom::Error),
}

impl WebhookKey {
    /// Makes a key file that only its owner can read. Refuses to replace a file. Blocks.
    pub fn create(path: &Path) -> Result<Self, WebhookKeyError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(WebhookKeyError::NoRandomness)?;
        let failed = |source| WebhookKeyError::File { path: path.to_owned(), source };
        let text = format!("{PREFIX}{}\n", STANDARD.encode(bytes));
        files::write_new(path, text.as_bytes()).map_err(failed)?;
        Ok(Self(bytes))
    }

    /// Reads a key file. Refuses one that others than its owner can read. Blocks.
    pub fn load(path: &Path) -> Result<Self, WebhookKeyError> {
        let failed = |source| WebhookKeyError::File { path: path.to_owned(), source };
        let about = fs::metadata(path).map_err(failed)?;
        if about.mode() & 0o077 != 0 {
            return Err(WebhookKeyError::Exposed(path.to_owned()));
        }
        let malformed = || WebhookKeyError::Malformed(path.to_owned());
        if !about.is_file() || about.len() > FILE_MAX {
            return Err(malformed());
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let encoded = text.trim_end().strip_prefix(PREFIX).ok_or_else(malformed)?;
        let bytes = STANDARD.decode(encoded).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(malformed)
    }

    /// Names the key in the journal; tells nothing about it.
    pub fn name(&self) -> String {
        let digest = self.derive(b"name", &[]);
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{number:016x}")
    }

    /// The secret of a webhook in this generation, if it is derived from this key.
    pub fn secret(&self, webhook: WebhookId, signer: &Signer) -> Option<SigningSecret> {
        let generation = signer.generation.to_be_bytes();
        let derived = || SigningSecret(self.derive(b"secret", &[&webhook.bytes(), &generation]));
        (signer.key == self.name()).then(derived)
    }

    /// HMAC-SHA256 as a function of the key: every part has a fixed length, so no two inputs are alike.
    fn derive(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let label: [&[u8]; 3] = [b"grantbook webhook ", purpose, b"\0"];
        mac(&self.0, label.iter().chain(parts).copied())
    }
}

impl SigningSecret {
    /// As receivers get it: `whsec_` and base64.
    pub fn text(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.0))
    }

    /// The signature of a message, as in `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let timestamp = timestamp.to_string();
        let parts: [&[u8]; 5] = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        format!("v1,{}", STANDARD.encode(mac(&self.0, parts)))
    }
}

fn mac<'a>(key: &[u8; 32], parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    // A key shorter than a block is padded with zeros (RFC 2104).
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey(****)")
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(****)")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn signer(key: &WebhookKey, generation: u32) -> Signer {
        Signer { key: key.name(), generation, until: None }
    }

    #[test]
    fn a_key_file_is_for_its_owner_and_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hooks.key");
        let made = WebhookKey::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(WebhookKey::load(&path).unwrap().name(), made.name());
        assert!(matches!(WebhookKey::create(&path), Err(WebhookKeyError::File { .. })));
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(WebhookKey::load(&path), Err(WebhookKeyError::Exposed(_))));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "grantbook-webhook-key-1:", "grantbook-webhook-key-1:AAAA", "x"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(WebhookKey::load(&path), Err(WebhookKeyError::Malformed(_))), "{text}");
        }
        assert_eq!(format!("{made:?}"), "WebhookKey(****)");
    }

    #[test]
    fn secrets_differ_by_key_webhook_and_generation_and_come_again() {
        let (one, other) = (WebhookKey([1; 32]), WebhookKey([2; 32]));
        let (a, b) = (WebhookId::from_u128(1), WebhookId::from_u128(2));
        let text =
            |key: &WebhookKey, id, generation| key.secret(id, &signer(key, generation)).unwrap().text();
        let all = [text(&one, a, 1), text(&one, a, 2), text(&one, b, 1), text(&other, a, 1)];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(all[0], text(&one, a, 1));
        assert_eq!(all[0].len(), 6 + 44);
        assert!(one.secret(a, &signer(&other, 1)).is_none(), "of another key");
    }

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_as_the_specification_has_it() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.";
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(signed.as_bytes());
        mac.update(body);
        let known = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(known, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let mut padded = [0; 32];
        padded[..24].copy_from_slice(&key);
        // HMAC pads a shorter key with zeros, so the same secret in our length signs alike.
        assert_eq!(SigningSecret(padded).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body), known);
    }
}
