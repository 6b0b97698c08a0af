//! One address before several servers: a small proxy that takes them in turn, and Debian's nginx where it is installed.

pub mod tls;

use std::{
    io::{BufRead, BufReader, Read, Write, copy},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

const START_LIMIT: Duration = Duration::from_secs(30);

/// A proxy on loopback: each request goes to the next server and gets the address of its sender appended to `X-Forwarded-For`.
/// Takes connections until dropped.
#[derive(Debug)]
pub struct RoundRobin {
    port: u16,
    servers: Arc<Mutex<Servers>>,
}

#[derive(Debug, Default)]
struct Servers {
    hosts: Vec<String>,
    next: usize,
    /// How many answers from now on are lost on their way.
    losing: usize,
    ended: bool,
}

impl RoundRobin {
    /// Before servers with these base URLs. While there are none, connections end without an answer.
    pub fn before(bases: &[&str]) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let servers = Arc::new(Mutex::new(Servers::default()));
        let proxy = Self { port, servers: Arc::clone(&servers) };
        proxy.lead_to(bases)?;
        thread::spawn(move || take(&listener, &servers));
        Ok(proxy)
    }

    /// From now on before these.
    pub fn lead_to(&self, bases: &[&str]) -> Result<()> {
        let hosts = bases.iter().map(|base| host(base).map(str::to_owned)).collect::<Result<_>>()?;
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).hosts = hosts;
        Ok(())
    }

    /// Loses the next answers: the servers act, and their clients see that the connection ends.
    pub fn lose_answers(&self, count: usize) {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).losing = count;
    }

    /// The one address.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for RoundRobin {
    fn drop(&mut self) {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        // Wakes the thread that takes connections, which then ends.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn host(base: &str) -> Result<&str> {
    base.strip_prefix("http://").context("plain http only")
}

fn take(listener: &TcpListener, servers: &Mutex<Servers>) {
    for client in listener.incoming() {
        let mut servers = servers.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.ended {
            return;
        }
        let turn = servers.next;
        let Some(host) = servers.hosts.get(turn % servers.hosts.len().max(1)).cloned() else { continue };
        servers.next = turn + 1;
        let loses = servers.losing > 0;
        servers.losing = servers.losing.saturating_sub(1);
        drop(servers);
        // Whoever cannot be served sees that the connection ends.
        thread::spawn(move || client.map_err(Into::into).and_then(|client| pass_on(&client, &host, loses)));
    }
}

/// One request and its answer; then the connection ends.
fn pass_on(client: &TcpStream, host: &str, loses: bool) -> Result<()> {
    let mut request = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(request.read_line(&mut head)? > 0, "the request ended early");
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<u64>().ok())?
    });
    let server = TcpStream::connect(host)?;
    let own = format!("x-forwarded-for: {}\r\nconnection: close\r\n\r\n", client.peer_addr()?.ip());
    let head = format!("{}\r\n{own}", head.trim_end());
    (&server).write_all(head.as_bytes())?;
    copy(&mut request.take(length.unwrap_or(0)), &mut &server)?;
    if loses {
        copy(&mut &server, &mut std::io::sink())?;
    } else {
        copy(&mut &server, &mut &*client)?;
    }
    client.shutdown(Shutdown::Both)?;
    Ok(())
}

/// A real nginx before several servers; killed when dropped.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Nginx {
    /// With the configuration of docs/deploying.md, as `$NGINX` or the one in the path. None where there is none.
    pub fn before(bases: &[&str]) -> Result<Option<Self>> {
        let executable = std::env::var_os("NGINX").map_or_else(|| PathBuf::from("nginx"), PathBuf::from);
        let there = Command::new(&executable).arg("-v").stderr(Stdio::null()).status();
        if !there.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let dir = tempfile::tempdir()?;
        // Nobody else gets the port in between, unless the system gives it out again at once.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        std::fs::write(dir.path().join("nginx.conf"), configuration(bases, port)?)?;
        let mut command = Command::new(executable);
        command.arg("-p").arg(dir.path()).args(["-c", "nginx.conf", "-e", "error.log"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut nginx = Self { child, port, dir };
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let log = std::fs::read_to_string(nginx.dir.path().join("error.log")).unwrap_or_default();
            if let Some(status) = nginx.child.try_wait()? {
                bail!("nginx ended with {status}: {log}");
            }
            ensure!(Instant::now() < deadline, "nginx does not listen: {log}");
            thread::yield_now();
        }
        Ok(Some(nginx))
    }

    /// The one address.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ended_anyway = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn configuration(bases: &[&str], port: u16) -> Result<String> {
    let servers =
        bases.iter().map(|base| Ok(format!("server {};", host(base)?))).collect::<Result<Vec<_>>>()?;
    // One process, so that killing it ends all, and so that it takes the servers strictly in turn.
    Ok(format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    upstream grantbook {{ {} keepalive 16; keepalive_timeout 5s; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://grantbook;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header Forwarded \"\";
            proxy_buffering off;
            proxy_read_timeout 60s;
        }}
    }}
}}
",
        servers.join(" ")
    ))
}
