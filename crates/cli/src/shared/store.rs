//! Where the journal is: a directory, or servers of NATS and how to get in.

use std::{fs, path::PathBuf};

use crate::shared::exit::Usage;
use clap::Args;
use grantbook_server::{
    app::config::{Credentials, NatsOptions, Tls},
    journal::follow::open::JournalAddress,
};

/// Where the journal is.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// Directory of the embedded journal and the views.
    #[arg(long, env = "GRANTBOOK_DATA", default_value = "./grantbook-data", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Servers of the journal in NATS, parted by commas: nats://HOST:PORT or tls://HOST:PORT.
    #[arg(
        long,
        env = "GRANTBOOK_NATS_URL",
        hide_env_values = true,
        value_name = "URL",
        value_delimiter = ','
    )]
    pub(crate) nats: Vec<String>,
    #[command(flatten)]
    pub(crate) access: NatsArgs,
}

/// Which stream, and who we are to the servers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "NATS options")]
pub(crate) struct NatsArgs {
    /// Name of the stream.
    #[arg(
        long = "nats-stream",
        env = "GRANTBOOK_NATS_STREAM",
        default_value = "GRANTBOOK",
        value_name = "NAME"
    )]
    stream: String,
    /// First part of the subjects.
    #[arg(
        long = "nats-prefix",
        env = "GRANTBOOK_NATS_PREFIX",
        default_value = "grantbook",
        value_name = "PREFIX"
    )]
    prefix: String,
    #[command(flatten)]
    login: NatsLogin,
}

/// Who we are to the NATS servers, and what protects the connection.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "NATS options")]
pub(crate) struct NatsLogin {
    /// User; the password comes from --nats-password-file.
    #[arg(long = "nats-user", env = "GRANTBOOK_NATS_USER", value_name = "USER", requires = "password_file")]
    user: Option<String>,
    /// File with the user's password, in its first line.
    #[arg(
        long = "nats-password-file",
        env = "GRANTBOOK_NATS_PASSWORD_FILE",
        value_name = "FILE",
        requires = "user"
    )]
    password_file: Option<PathBuf>,
    /// File with the seed of an nkey, in its first line.
    #[arg(long = "nats-nkey", env = "GRANTBOOK_NATS_NKEY", value_name = "FILE", conflicts_with = "user")]
    nkey: Option<PathBuf>,
    /// Credentials file, as nsc writes it.
    #[arg(long = "nats-creds", env = "GRANTBOOK_NATS_CREDS", value_name = "FILE", conflicts_with_all = ["user", "nkey"])]
    creds: Option<PathBuf>,
    /// Refuse a connection without TLS.
    #[arg(long = "nats-tls", env = "GRANTBOOK_NATS_TLS")]
    tls: bool,
    /// Certificates of authorities to trust besides those of the system, PEM.
    #[arg(long = "nats-ca", env = "GRANTBOOK_NATS_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Our own certificate, PEM.
    #[arg(long = "nats-cert", env = "GRANTBOOK_NATS_CERT", value_name = "FILE", requires = "cert_key")]
    cert: Option<PathBuf>,
    /// The key of our own certificate, PEM.
    #[arg(long = "nats-cert-key", env = "GRANTBOOK_NATS_CERT_KEY", value_name = "FILE", requires = "cert")]
    cert_key: Option<PathBuf>,
}

impl StoreArgs {
    /// The journal that is meant.
    pub(crate) fn journal(&self) -> Result<JournalAddress, Usage> {
        if self.nats.is_empty() {
            return Ok(JournalAddress::Embedded(self.data.clone()));
        }
        Ok(JournalAddress::Nats(Box::new(self.access.options(self.nats.clone())?)))
    }
}

impl NatsArgs {
    /// The stream on these servers.
    pub(crate) fn options(&self, servers: Vec<String>) -> Result<NatsOptions, Usage> {
        let (stream, prefix) = (self.stream.clone(), self.prefix.clone());
        Ok(NatsOptions { stream, prefix, ..self.login.options(servers)? })
    }
}

impl NatsLogin {
    /// The default stream on these servers.
    pub(crate) fn options(&self, servers: Vec<String>) -> Result<NatsOptions, Usage> {
        let credentials = match (&self.user, &self.password_file, &self.nkey, &self.creds) {
            (Some(user), Some(file), _, _) => {
                Credentials::Password { user: user.clone(), password: first_line(file)? }
            }
            (_, _, Some(file), _) => Credentials::Nkey(first_line(file)?),
            (_, _, _, Some(file)) => Credentials::File(file.clone()),
            _ => Credentials::None,
        };
        let certificate = self.cert.clone().zip(self.cert_key.clone());
        let tls = Tls { required: self.tls, authorities: self.ca.clone(), certificate };
        Ok(NatsOptions { credentials, tls, ..NatsOptions::new(servers) })
    }
}

fn first_line(path: &PathBuf) -> Result<String, Usage> {
    let text = fs::read_to_string(path).map_err(|fault| Usage(format!("{}: {fault}", path.display())))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}
