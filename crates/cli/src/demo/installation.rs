//! The demo's installation: a temporary directory, perhaps streams on a NATS server, and the services on them.

use std::{env, net::SocketAddr, path::PathBuf};

use crate::demo::shell::Served;
use anyhow::{Context as _, Error, Result};
use grantbook_api::words::secret::Secret;
use grantbook_files as files;
use grantbook_server::{
    admin::{
        init::{self, InitOptions},
        journal_tools,
    },
    app::{
        config::{Credentials, NatsOptions, Role, ServeConfig, Tls},
        error::StartError,
    },
    journal::follow::open::JournalAddress,
    serve_until,
};
use tempfile::TempDir;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

type Service = JoinHandle<Result<(), StartError>>;

/// File of the owner's key, in the demo's directory.
const KEY_FILE: &str = "owner.key";

/// What the demo makes, until [`Installation::remove`].
#[derive(Debug)]
pub(super) struct Installation {
    directory: TempDir,
    stop: watch::Sender<bool>,
    services: Vec<Service>,
    nats: Option<Box<NatsOptions>>,
}

impl Installation {
    pub(super) fn new() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("grantbook-demo-").tempdir()?;
        Ok(Self { directory, stop: watch::Sender::new(false), services: Vec::new(), nats: None })
    }

    /// Everything in one service, on a journal in the directory.
    pub(super) async fn start_embedded(&mut self, listen: SocketAddr) -> Result<Served> {
        let journal = JournalAddress::Embedded(self.data("data"));
        let owner_key = self.found(journal.clone()).await?;
        let url = self.serve(Role::All, journal, "data", listen).await?;
        Ok(Served { url, command_url: None, journal: "a file".to_owned(), owner_key })
    }

    /// A command service and a read node, on a journal in a stream of its own.
    pub(super) async fn start_over_nats(
        &mut self,
        listen: SocketAddr,
        options: NatsOptions,
    ) -> Result<Served> {
        let options = Box::new(journal_tools::demo_options(options));
        let place = options.to_string();
        self.nats = Some(options.clone());
        let journal = JournalAddress::Nats(options);
        let owner_key = self.found(journal.clone()).await?;
        let any_port = SocketAddr::new(listen.ip(), 0);
        let command_url = self.serve(Role::Command, journal.clone(), "command", any_port).await?;
        let url = self.serve(Role::Read, journal, "read", listen).await?;
        Ok(Served { url, command_url: Some(command_url), journal: place, owner_key })
    }

    async fn found(&self, journal: JournalAddress) -> Result<Secret> {
        let (org, owner_email) = ("acme".to_owned(), "ada@example.com".to_owned());
        let data = match &journal {
            JournalAddress::Embedded(data) => data.clone(),
            JournalAddress::Nats(_) => self.data("command"),
        };
        let options = InitOptions { journal, data, replicas: None, org, owner_email, journal_only: true };
        let key = init::init(options).await?.key;
        let path = self.key_file();
        files::write_new(&path, format!("{key}\n").as_bytes()).with_context(|| path.display().to_string())?;
        Ok(Secret::new(key))
    }

    /// Starts one service and waits until it takes requests. Returns its base URL.
    async fn serve(
        &mut self,
        role: Role,
        journal: JournalAddress,
        directory: &str,
        listen: SocketAddr,
    ) -> Result<String> {
        let data = self.data(directory);
        let config = ServeConfig { role, journal, data, listen, ..ServeConfig::default() };
        let (ready, taken) = oneshot::channel();
        let ready = Box::new(|address| {
            // Not received if the demo was interrupted meanwhile.
            let _ = ready.send(address);
        });
        let service = serve_until(config, self.stop.subscribe(), ready);
        self.services.push(tokio::spawn(service));
        if let Ok(address) = taken.await {
            return Ok(format!("http://{address}"));
        }
        let ended = self.services.pop().context("it was started above")?;
        ended.await??;
        anyhow::bail!("the server ended before it took requests")
    }

    /// Ends the services and keeps everything.
    pub(super) async fn keep(self) -> Result<Kept> {
        stop(&self.stop, self.services).await?;
        Ok(Kept { directory: self.directory.keep(), nats: self.nats })
    }

    /// Ends the services and removes everything. Each step is taken whatever the one before came to.
    pub(super) async fn remove(self) -> Result<()> {
        let stopped = stop(&self.stop, self.services).await;
        let deleted = match &self.nats {
            Some(options) => journal_tools::delete_demo(options).await.with_context(|| {
                format!("the stream {} may be left behind: delete it with `nats stream rm`", options.stream)
            }),
            None => Ok(()),
        };
        let path = self.directory.path().to_owned();
        let removed = self.directory.close();
        let removed = removed.with_context(|| format!("{} is left behind: remove it", path.display()));
        stopped.and(deleted).and(removed)
    }

    fn data(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn key_file(&self) -> PathBuf {
        self.directory.path().join(KEY_FILE)
    }
}

/// Tells all services to end, and waits until they have. The first failure is returned.
async fn stop(stop: &watch::Sender<bool>, services: Vec<Service>) -> Result<()> {
    stop.send_replace(true);
    let mut outcome = Ok(());
    for service in services {
        outcome = outcome.and(service.await.map_err(Error::from).and_then(|ended| Ok(ended?)));
    }
    outcome
}

/// An installation that outlives the demo.
#[derive(Debug)]
pub(super) struct Kept {
    directory: PathBuf,
    nats: Option<Box<NatsOptions>>,
}

impl Kept {
    /// What to type to go on, and to remove it.
    pub(super) fn describe(&self) -> String {
        let (grantbook, directory) = (program(), self.directory.display());
        let (store, removal) = match &self.nats {
            None => (format!("--data {directory}/data"), String::new()),
            Some(nats) => {
                let NatsOptions { stream, prefix, .. } = nats.as_ref();
                let servers =
                    nats.servers.iter().map(|url| without_password(url)).collect::<Vec<_>>().join(",");
                let is_open = matches!(nats.credentials, Credentials::None) && nats.tls == Tls::default();
                let login =
                    if is_open { "" } else { "\n\nwith the other --nats- options that the demo was given," };
                let store = format!(
                    "--nats {servers} --nats-stream {stream} --nats-prefix {prefix} --data {directory}/read{login}"
                );
                (store, format!("\n  nats stream rm {stream} --force"))
            }
        };
        // A read node alone takes no commands, and so serves no console.
        let browser = match &self.nats {
            None => format!(
                "Or open http://127.0.0.1:7878/console in a browser, and sign in with the key in {directory}/{KEY_FILE}.\n\n"
            ),
            Some(_) => String::new(),
        };
        format!(
            "Kept in {directory}. To go on, start the server in one terminal:\n\n  \
             {grantbook} serve {store}\n\n\
             and ask it as Ada in another:\n\n  \
             export GRANTBOOK_KEY=$(cat {directory}/{KEY_FILE})\n  \
             {grantbook} who-can update project:staging\n\n\
             {browser}To remove it:\n\n  \
             rm -r {directory}{removal}"
        )
    }
}

/// The address of a server as it was given, but for a user and password in it.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://USER:PASSWORD@{host}"),
        _ => url.to_owned(),
    }
}

/// What to type for this executable: its name if the shell finds it by name, else its path.
fn program() -> String {
    let name = env!("CARGO_BIN_NAME");
    let Ok(own) = env::current_exe() else { return name.to_owned() };
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file());
    let is_own = found.and_then(|found| found.canonicalize().ok()) == own.canonicalize().ok();
    if is_own { name.to_owned() } else { own.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_holds_no_password() {
        assert_eq!(without_password("nats://a:4222"), "nats://a:4222");
        assert_eq!(without_password("nats://u:p@ss@a:4222"), "nats://USER:PASSWORD@a:4222");
    }
}
