//! Configurations of nats-servers that keep a journal safely, as text: a cluster, a mirror elsewhere, a leaf node at the
//! edge, and the nkeys of those who may come in.

use nkeys::KeyPair;

use crate::jetstream::{
    JetStreamError, NatsOptions,
    setup::{
        roles::{DOMAIN, NatsRole},
        subscribers,
    },
};

/// What the servers are to be.
#[derive(Debug, Clone)]
pub struct ServerPlan {
    /// How many: 1, 3 or 5.
    pub servers: usize,
    /// The cluster's name.
    pub cluster: String,
    /// The hosts by which they reach each other and are reached, one for each; none: all on this machine.
    pub hosts: Vec<String>,
    /// The first of the ports.
    pub ports: Ports,
    /// Below which directory each keeps its files.
    pub store: String,
    /// Where certificates are: `ca.pem`, `server-N.pem`, `server-N.key`. None: no TLS.
    pub tls: Option<String>,
    /// Names of stream and subjects.
    pub options: NatsOptions,
}

/// Where servers listen. Those on one machine count up from here.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// For clients.
    pub client: u16,
    /// For each other.
    pub cluster: u16,
    /// For leaf nodes and mirrors.
    pub leaf: u16,
    /// For monitoring, on loopback only.
    pub monitor: u16,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFile {
    /// Its path below the directory.
    pub path: String,
    /// Its content, which may be a secret: readable by its owner only.
    pub text: String,
}

impl Default for Ports {
    fn default() -> Self {
        Self { client: 4222, cluster: 6222, leaf: 7422, monitor: 8222 }
    }
}

impl ServerPlan {
    /// All files. Each call makes other keys.
    pub fn files(&self) -> Result<Vec<ServerFile>, JetStreamError> {
        self.validate()?;
        let fault = |error: nkeys::error::Error| JetStreamError::Options(format!("no nkey is made: {error}"));
        let mut files = Vec::new();
        let (mut users, mut seeds) = (Vec::new(), Vec::new());
        for role in NatsRole::ALL {
            let pair = KeyPair::new_user();
            users.push((role, pair.public_key()));
            let seed = pair.seed().map_err(fault)?;
            files.push(ServerFile { path: format!("keys/{}.nk", role.name()), text: format!("{seed}\n") });
            seeds.push((role, seed));
        }
        let [system, archive] = [KeyPair::new_user(), KeyPair::new_user()];
        for (name, pair) in [("system", &system), ("archive", &archive)] {
            let text = pair.seed().map_err(fault)? + "\n";
            files.push(ServerFile { path: format!("keys/{name}.nk"), text });
        }
        // Any random word will do.
        let password = KeyPair::new_user().public_key();
        let accounts = self.accounts(&users, &system.public_key());
        files.push(ServerFile { path: "accounts.conf".to_owned(), text: accounts });
        for index in 0..self.servers {
            let text = self.server(index, &password);
            files.push(ServerFile { path: format!("server-{}.conf", index + 1), text });
        }
        let seed = |role: NatsRole| seeds.iter().find(|(of, _)| *of == role).map(|(_, seed)| seed.as_str());
        let mirror = self.mirror(&archive.public_key(), seed(NatsRole::Mirror).unwrap_or_default());
        files.push(ServerFile { path: "mirror.conf".to_owned(), text: mirror });
        let edge = self.edge(seed(NatsRole::Edge).unwrap_or_default());
        files.push(ServerFile { path: "edge.conf".to_owned(), text: edge });
        Ok(files)
    }

    /// The addresses for `--nats`.
    pub fn urls(&self) -> Vec<String> {
        let scheme = if self.tls.is_some() { "tls" } else { "nats" };
        let port = |index| self.port(self.ports.client, index);
        (0..self.servers).map(|index| format!("{scheme}://{}:{}", self.host(index), port(index))).collect()
    }

    fn validate(&self) -> Result<(), JetStreamError> {
        let refuse = |why: &str| Err(JetStreamError::Options(why.to_owned()));
        if !matches!(self.servers, 1 | 3 | 5) {
            return refuse("a journal is kept by 1, 3 or 5 servers");
        }
        if !self.hosts.is_empty() && self.hosts.len() != self.servers {
            return refuse("name as many hosts as there are servers, or none");
        }
        let texts = [&self.cluster, &self.store];
        let texts = texts.into_iter().chain(&self.hosts).chain(&self.tls);
        for text in texts {
            if text.is_empty() || text.contains(['"', '\\', '\n', '\r', '$']) {
                return refuse(
                    "names and paths in a server's configuration have no quotes, dollars or breaks",
                );
            }
        }
        NatsOptions { servers: vec!["a".to_owned()], ..self.options.clone() }.validate()
    }

    fn host(&self, index: usize) -> &str {
        self.hosts.get(index).map_or("127.0.0.1", String::as_str)
    }

    /// Servers on hosts of their own have the same ports everywhere.
    fn port(&self, first: u16, index: usize) -> u16 {
        let further = if self.hosts.is_empty() { u16::try_from(index).unwrap_or(u16::MAX) } else { 0 };
        first.saturating_add(further)
    }

    /// Where a server listens: on its machine's addresses, or on loopback if all are on one.
    const fn bind(&self) -> &'static str {
        if self.hosts.is_empty() { "127.0.0.1" } else { "0.0.0.0" }
    }

    fn tls(&self, name: &str, both: bool) -> String {
        let Some(dir) = &self.tls else { return String::new() };
        let verify = if both { ", verify: true" } else { "" };
        format!(
            "tls {{ cert_file: \"{dir}/{name}.pem\", key_file: \"{dir}/{name}.key\", ca_file: \"{dir}/ca.pem\"{verify} }}"
        )
    }

    fn server(&self, index: usize, password: &str) -> String {
        let (number, bind, name) = (index + 1, self.bind(), &self.cluster);
        let [client, cluster, leaf, monitor] =
            [self.ports.client, self.ports.cluster, self.ports.leaf, self.ports.monitor]
                .map(|first| self.port(first, index));
        let file = format!("server-{number}");
        let (tls, tls_between) = (self.tls(&file, false), self.tls(&file, true));
        let routes: Vec<String> = (0..self.servers)
            .filter(|other| *other != index)
            .map(|other| {
                let port = self.port(self.ports.cluster, other);
                format!("    \"nats://route:{password}@{}:{port}\"", self.host(other))
            })
            .collect();
        let between = if self.servers == 1 {
            String::new()
        } else {
            format!(
                "cluster {{\n  name: \"{name}\"\n  listen: \"{bind}:{cluster}\"\n  {tls_between}\n  \
                 authorization {{ user: route, password: \"{password}\" }}\n  routes: [\n{}\n  ]\n}}\n",
                routes.join("\n")
            )
        };
        format!(
            "# Server {number} of {} that keep a journal of Grantbook: nats-server 2.14.4 or newer.\n\
             server_name: \"{name}-{number}\"\n\
             listen: \"{bind}:{client}\"\n\
             # Who can reach this address sees what the server does: loopback only.\n\
             http: \"127.0.0.1:{monitor}\"\n\
             max_payload: 1MB\n\
             jetstream {{\n  store_dir: \"{}/{name}-{number}\"\n  # Nothing is acknowledged that a power cut takes back.\n  \
             sync_interval: always\n  domain: {DOMAIN}\n}}\n\
             {tls}\n{between}\
             # For mirrors and leaf nodes.\n\
             leafnodes {{\n  listen: \"{bind}:{leaf}\"\n  {tls}\n}}\n\
             include accounts.conf\n",
            self.servers, self.store
        )
    }

    /// The same for all servers.
    fn accounts(&self, users: &[(NatsRole, String)], system: &str) -> String {
        let lines =
            |lines: Vec<String>| lines.iter().fold(String::new(), |text, line| text + "      " + line + "\n");
        let of = |subscribers: bool| -> String {
            let users = users.iter().filter(|(role, _)| role.is_of_subscribers() == subscribers);
            users.map(|(role, public)| self.user(*role, public)).collect()
        };
        let (journal, subscribers) = (subscribers::JOURNAL_ACCOUNT, subscribers::ACCOUNT);
        format!(
            "# Who may come in, and do what: the same file on all servers.\n\
             accounts {{\n  {journal} {{\n    jetstream: enabled\n    users: [\n{}    ]\n    \
             # What fills the mirrors of subscribers, and nothing else of the journal.\n    exports: [\n{}    ]\n  }}\n  \
             # Subscribers have mirrors of the derived streams: no subject of the journal exists here.\n  \
             {subscribers} {{\n    jetstream: enabled\n    users: [\n{}    ]\n    imports: [\n{}    ]\n  }}\n  \
             # For those who look after the servers: it sees no journal.\n  \
             SYS {{ users: [ {{ nkey: {system} }} ] }}\n}}\nsystem_account: SYS\n",
            of(false),
            lines(subscribers::exports(&self.options)),
            of(true),
            lines(subscribers::imports(&self.options)),
        )
    }

    fn user(&self, role: NatsRole, public: &str) -> String {
        let quoted = |subjects: &[String]| {
            subjects.iter().map(|subject| format!("\"{subject}\"")).collect::<Vec<_>>().join(", ")
        };
        let heard: Vec<String> = role.subscribes().iter().map(|subject| (*subject).to_owned()).collect();
        format!(
            "      # {}\n      {{ nkey: {public}, permissions: {{\n        publish: {{ allow: [{}] }}\n        \
             subscribe: {{ allow: [{}] }}\n      }} }}\n",
            role.name(),
            quoted(&role.publishes(&self.options)),
            quoted(&heard)
        )
    }

    /// To where the journal is; the server wants the seed itself, not the file with it.
    fn remotes(&self, account: &str, seed: &str) -> String {
        let scheme = if self.tls.is_some() { "tls" } else { "nats-leaf" };
        let urls: Vec<String> = (0..self.servers)
            .map(|index| format!("\"{scheme}://{}:{}\"", self.host(index), self.port(self.ports.leaf, index)))
            .collect();
        let tls = self.tls.as_ref().map(|dir| format!("\n    tls {{ ca_file: \"{dir}/ca.pem\" }}"));
        format!(
            "leafnodes {{\n  remotes: [ {{\n    urls: [{}]\n    account: {account}\n    nkey: {seed}{}\n  }} ]\n}}\n",
            urls.join(", "),
            tls.unwrap_or_default()
        )
    }

    fn mirror(&self, archive: &str, seed: &str) -> String {
        let port = self.port(self.ports.client, 0).saturating_add(100);
        format!(
            "# A server elsewhere that keeps a copy of the journal, in an account that the cluster knows nothing of.\n\
             server_name: \"{}-mirror\"\n\
             listen: \"127.0.0.1:{port}\"\n\
             jetstream {{\n  store_dir: \"{}/{}-mirror\"\n  sync_interval: always\n  domain: mirror\n}}\n\
             accounts {{\n  ARCHIVE {{ jetstream: enabled, users: [ {{ nkey: {archive} }} ] }}\n  SYS {{ }}\n}}\n\
             system_account: SYS\n{}",
            self.cluster,
            self.store,
            self.cluster,
            self.remotes("ARCHIVE", seed)
        )
    }

    fn edge(&self, seed: &str) -> String {
        let port = self.port(self.ports.client, 0).saturating_add(200);
        format!(
            "# A server at the edge, on the machine of the read nodes: it keeps nothing, and lets in who reaches it.\n\
             server_name: \"{}-edge\"\n\
             listen: \"127.0.0.1:{port}\"\n\
             max_payload: 1MB\n\
             accounts {{\n  EDGE {{ users: [ {{ user: edge, password: edge }} ] }}\n  SYS {{ }}\n}}\n\
             system_account: SYS\nno_auth_user: edge\n\
             # What is asked of JetStream here is asked of the cluster.\n\
             default_js_domain: {{ EDGE: {DOMAIN} }}\n{}",
            self.cluster,
            self.remotes("EDGE", seed)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> ServerPlan {
        ServerPlan {
            servers: 3,
            cluster: "c".to_owned(),
            hosts: Vec::new(),
            ports: Ports::default(),
            store: "/var/lib/nats".to_owned(),
            tls: None,
            options: NatsOptions::new(Vec::new()),
        }
    }

    #[test]
    fn what_would_be_another_configuration_is_refused() {
        for servers in [0, 2, 4, 6] {
            assert!(ServerPlan { servers, ..plan() }.files().is_err(), "{servers}");
        }
        for bad in ["", "a\"b", "a\nb", "a\\b", "$HOME"] {
            assert!(ServerPlan { cluster: bad.to_owned(), ..plan() }.files().is_err(), "{bad:?}");
            assert!(ServerPlan { store: bad.to_owned(), ..plan() }.files().is_err(), "{bad:?}");
            assert!(ServerPlan { tls: Some(bad.to_owned()), ..plan() }.files().is_err(), "{bad:?}");
        }
        assert!(ServerPlan { hosts: vec!["a".to_owned()], ..plan() }.files().is_err());
        assert!(plan().files().is_ok());
    }

    #[test]
    fn each_server_reaches_the_others_and_secrets_lie_in_files_of_their_own() {
        let files = plan().files().unwrap();
        let text = |path: &str| files.iter().find(|file| file.path == path).unwrap().text.clone();
        let second = text("server-2.conf");
        assert!(second.contains("127.0.0.1:6222") && second.contains("127.0.0.1:6224"), "{second}");
        assert!(second.contains("sync_interval: always"), "{second}");
        let accounts = text("accounts.conf");
        for role in NatsRole::ALL {
            let seed = text(&format!("keys/{}.nk", role.name()));
            assert!(!accounts.contains(seed.trim()) && seed.starts_with("SU"));
        }
        let apart = ServerPlan { hosts: ["a", "b", "c"].map(str::to_owned).to_vec(), ..plan() };
        assert_eq!(apart.urls(), ["nats://a:4222", "nats://b:4222", "nats://c:4222"]);
        assert_eq!(plan().urls().last().map(String::as_str), Some("nats://127.0.0.1:4224"));
    }
}
