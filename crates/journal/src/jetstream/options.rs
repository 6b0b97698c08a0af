//! Where the servers are, who we are to them, and which stream is ours.

use std::{fmt, path::PathBuf};

use grantbook_domain::id::OrgId;

use crate::jetstream::JetStreamError;

/// How to reach a journal in NATS. Its debug text and its display hide every secret.
#[derive(Clone)]
pub struct NatsOptions {
    /// `nats://HOST:PORT` or `tls://HOST:PORT`, at least one; the others of a cluster are found by themselves.
    pub servers: Vec<String>,
    /// Name of the stream.
    pub stream: String,
    /// First part of the subjects.
    pub prefix: String,
    /// Who we are.
    pub credentials: Credentials,
    /// What the connection is protected with.
    pub tls: Tls,
}

/// Who we are to the servers.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Whatever the address says, or nobody.
    #[default]
    None,
    /// A user with a password.
    Password {
        /// Who.
        user: String,
        /// The password.
        password: String,
    },
    /// The seed of an nkey.
    Nkey(String),
    /// A credentials file, with a JWT and the seed of its nkey.
    File(PathBuf),
}

/// What the connection is protected with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether a connection without TLS is refused; `tls://` addresses always have it.
    pub required: bool,
    /// Certificates of authorities to trust besides those of the system, PEM.
    pub authorities: Option<PathBuf>,
    /// Our own certificate and its key, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl NatsOptions {
    /// The journal of this name in these servers, as nobody in particular.
    pub fn new(servers: Vec<String>) -> Self {
        Self {
            servers,
            stream: "GRANTBOOK".to_owned(),
            prefix: "grantbook".to_owned(),
            credentials: Credentials::default(),
            tls: Tls::default(),
        }
    }

    /// The subject of an organization's frames.
    pub fn subject(&self, org: OrgId) -> String {
        format!("{}.v1.{org}", self.prefix)
    }

    /// The subjects of all organizations.
    pub fn subjects(&self) -> String {
        format!("{}.v1.*", self.prefix)
    }

    /// The last token of a subject of the journal; none if it is none of the journal's.
    pub(super) fn token_of<'s>(&self, subject: &'s str) -> Option<&'s str> {
        subject.strip_prefix(&self.prefix)?.strip_prefix(".v1.")
    }

    /// The subject of the journal with this last token.
    pub(super) fn subject_of_token(&self, token: &str) -> String {
        format!("{}.v1.{token}", self.prefix)
    }

    pub(super) fn validate(&self) -> Result<(), JetStreamError> {
        let is_word = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if self.servers.is_empty() {
            return Err(JetStreamError::Options("name at least one server, as nats://HOST:PORT".to_owned()));
        }
        if !is_word(&self.stream) {
            return Err(JetStreamError::Options(format!(
                "a stream's name has letters, digits, - and _ only, not {:?}",
                self.stream
            )));
        }
        if !self.prefix.split('.').all(is_word) {
            return Err(JetStreamError::Options(format!(
                "the prefix of subjects is words of letters, digits, - and _, parted by dots, not {:?}",
                self.prefix
            )));
        }
        Ok(())
    }
}

/// The servers and the stream, without users and passwords.
impl fmt::Display for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stream {} of ", self.stream)?;
        for (index, server) in self.servers.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", without_user(server))?;
        }
        Ok(())
    }
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { servers, stream, prefix, credentials, tls } = self;
        let servers: Vec<String> = servers.iter().map(|server| without_user(server)).collect();
        f.debug_struct("NatsOptions")
            .field("servers", &servers)
            .field("stream", stream)
            .field("prefix", prefix)
            .field("credentials", credentials)
            .field("tls", tls)
            .finish()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Password { user, .. } => write!(f, "Password({user}, ****)"),
            Self::Nkey(_) => f.write_str("Nkey(****)"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

/// An address without what stands before its `@`.
pub(super) fn without_user(server: &str) -> String {
    let (scheme, rest) = server.split_once("://").unwrap_or(("nats", server));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_text_of_the_options_holds_a_secret() {
        let mut options = NatsOptions::new(vec!["nats://ada:hidden@a:4222".to_owned(), "b:1".to_owned()]);
        assert_eq!(options.to_string(), "the stream GRANTBOOK of nats://a:4222, nats://b:1");
        for credentials in [
            Credentials::Password { user: "ada".to_owned(), password: "hidden".to_owned() },
            Credentials::Nkey("hidden".to_owned()),
        ] {
            options.credentials = credentials;
            assert!(!format!("{options:?}").contains("hidden"), "{options:?}");
        }
    }

    #[test]
    fn a_subject_leads_back_to_its_organization() {
        let options = NatsOptions::new(vec!["a".to_owned()]);
        let org = OrgId::from_u128(7);
        let subject = options.subject(org);
        let token = options.token_of(&subject).unwrap();
        assert_eq!((token.parse(), options.subject_of_token(token)), (Ok(org), subject.clone()));
        for other in ["grantbook.", "other.v1.00000000-0000-0000-0000-000000000007", ""] {
            assert_eq!(options.token_of(other), None, "{other}");
        }
    }

    #[test]
    fn names_that_nats_does_not_take_are_refused() {
        let options = || NatsOptions::new(vec!["a".to_owned()]);
        assert!(options().validate().is_ok());
        assert!(NatsOptions { prefix: "a.b-c".to_owned(), ..options() }.validate().is_ok());
        for stream in ["", "a b", "a.b", "a*", "a>"] {
            assert!(NatsOptions { stream: stream.to_owned(), ..options() }.validate().is_err(), "{stream}");
        }
        for prefix in ["", "a..b", "a.*", "a.>", ".a", "a b"] {
            assert!(NatsOptions { prefix: prefix.to_owned(), ..options() }.validate().is_err(), "{prefix}");
        }
        assert!(NatsOptions::new(Vec::new()).validate().is_err());
    }
}
