//! The installation's webhook key: a file from which every webhook's signing secret is derived, so that no journal and no
//! view holds one (docs/adr/0016-webhooks.md).

use std::{fmt, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use grantbook_domain::{id::WebhookId, webhook::Signer};

use crate::keys::{self, KeyFileError, KeyKind};

/// The kind of its file.
const WEBHOOK_KEY: KeyKind = KeyKind { word: "webhook", prefix: "grantbook-webhook-key-1:" };

/// The key. Neither printed nor compared.
#[derive(Clone)]
pub struct WebhookKey([u8; 32]);

/// A signing secret; [`SigningSecret::text`] shows it, nothing else does.
pub struct SigningSecret([u8; 32]);

impl WebhookKey {
    /// Makes a key file that only its owner can read. Refuses to replace a file. Blocks.
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        keys::create(WEBHOOK_KEY, path).map(Self)
    }

    /// Reads a key file. Refuses one that others than its owner can read. Blocks.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        keys::load(WEBHOOK_KEY, path).map(Self)
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
        keys::derive(&self.0, label.iter().chain(parts).copied())
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
        format!("v1,{}", STANDARD.encode(keys::derive(&self.0, parts)))
    }
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
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::Sha256;

    use super::*;

    fn signer(key: &WebhookKey, generation: u32) -> Signer {
        Signer { key: key.name(), generation, until: None }
    }

    #[test]
    fn a_key_is_read_as_it_was_made_and_not_printed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hooks.key");
        let made = WebhookKey::create(&path).unwrap();
        assert_eq!(WebhookKey::load(&path).unwrap().name(), made.name());
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
