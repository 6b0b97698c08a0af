//! The workload in PostgreSQL, as a user would do it without an engine: indexed tables, and one prepared recursive query.
//!
//! A private server on a socket of its own, with the defaults of `initdb` except that its cache holds everything, that it
//! need not survive a crash, and that its planner is told to use the indexes; all of it favours it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use grantbook_domain::{
    event::Event,
    id::ProjectId,
    model::{Effect, Gives, Grant, Project},
    principal::Grantee,
    record::Record,
    scope::{ProjectView, Scope},
};
use postgres::{Client, Config, NoTls, Statement};
use uuid::Uuid;

use crate::{
    Asked,
    workload::{self, role},
};

const SCHEMA: &str = "
create table member (member uuid not null, in_group uuid not null, primary key (member, in_group));
create table given (grantee uuid not null, project uuid not null, role uuid not null, denies bool not null);
create table act (role uuid not null, act text not null, primary key (role, act));
";
const INDEXES: &str = "
create index on given (grantee, project) include (role, denies);
analyze;
";
const QUESTION: &str = "
with recursive reached(id) as (
    select $1::uuid union select member.in_group from reached join member on member.member = reached.id
)
select coalesce(bool_and(not given.denies), false)
from reached join given on given.grantee = reached.id and given.project = $2
join act on act.role = given.role and act.act = $3";
const START_LIMIT: Duration = Duration::from_secs(30);

/// A server of our own; ended and removed when dropped.
pub(crate) struct Engine {
    server: Child,
    dir: tempfile::TempDir,
}

/// A connection with the prepared query.
pub(crate) struct Connection {
    client: Client,
    question: Statement,
}

#[derive(Debug, Default)]
struct Rows {
    members: Vec<(Uuid, Uuid)>,
    given: Vec<(Uuid, Uuid, Uuid, bool)>,
    projects: BTreeMap<ProjectId, Project>,
}

/// Where Debian and Ubuntu keep the server's programs; none if it is not installed.
pub(crate) fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.filter_map(Result::ok).map(|version| version.path().join("bin"));
    programs.filter(|dir| dir.join("initdb").exists()).max()
}

impl Engine {
    pub(crate) fn of(programs: &Path, records: impl Iterator<Item = Record>) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let data = dir.path().join("data");
        let as_user = user_words(dir.path())?;
        let run = |program: &str| {
            let mut words = as_user.clone();
            words.push(programs.join(program).display().to_string());
            let mut command = Command::new(words.first().map_or("", String::as_str));
            command.args(words.get(1..).unwrap_or_default());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let made =
            run("initdb").args(["--auth=trust", "--username=bench", "--pgdata"]).arg(&data).status()?;
        ensure!(made.success(), "initdb ended with {made}");
        let server = run("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(dir.path())
            .args(["-c", "listen_addresses=", "-c", "shared_buffers=1GB", "-c", "fsync=off"])
            // Left to itself the planner expects far more rows than come, scans whole tables and compiles the plan.
            .args(["-c", "jit=off", "-c", "enable_seqscan=off", "-c", "enable_hashjoin=off"])
            .args(["-c", "enable_mergejoin=off", "-c", "plan_cache_mode=force_generic_plan"])
            .spawn()
            .context("postgres does not start")?;
        let engine = Self { server, dir };
        engine.fill(records)?;
        Ok(engine)
    }

    pub(crate) fn connect(&self) -> Result<Connection> {
        let mut config = Config::new();
        config.host_path(self.dir.path()).user("bench").dbname("postgres");
        let deadline = Instant::now() + START_LIMIT;
        let mut client = loop {
            match config.connect(NoTls) {
                Ok(client) => break client,
                Err(error) => ensure!(Instant::now() < deadline, "PostgreSQL does not answer: {error}"),
            }
            thread::sleep(Duration::from_millis(50));
        };
        // There is nothing to prepare before the tables are made.
        let made = client.query_one("select to_regclass('act') is not null", &[])?.get::<_, bool>(0);
        let question = client.prepare(if made { QUESTION } else { "select true" })?;
        Ok(Connection { client, question })
    }

    fn fill(&self, records: impl Iterator<Item = Record>) -> Result<()> {
        let mut rows = Rows::default();
        for event in records.flat_map(|record| record.events) {
            #[expect(clippy::wildcard_enum_match_arm, reason = "the organization compared has nothing else")]
            match event {
                Event::ProjectCreated { project } => drop(rows.projects.insert(project.id, project)),
                Event::MemberAdded { membership } => {
                    let pair = (key(membership.member), key(Grantee::Group(membership.group)));
                    rows.members.push(pair);
                }
                Event::GrantCreated { grant } => rows.give(&grant)?,
                _ => {}
            }
        }
        let mut client = self.connect()?.client;
        client.batch_execute(SCHEMA)?;
        let (members, groups): (Vec<Uuid>, Vec<Uuid>) = rows.members.into_iter().unzip();
        let insert = "insert into member select * from unnest($1::uuid[], $2::uuid[]) on conflict do nothing";
        client.execute(insert, &[&members, &groups])?;
        for part in rows.given.chunks(100_000) {
            let column = |of: fn(&(Uuid, Uuid, Uuid, bool)) -> Uuid| part.iter().map(of).collect::<Vec<_>>();
            let denies: Vec<bool> = part.iter().map(|row| row.3).collect();
            client.execute(
                "insert into given select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bool[])",
                &[&column(|row| row.0), &column(|row| row.1), &column(|row| row.2), &denies],
            )?;
        }
        let gives: [(u128, &[&str]); 3] =
            [(0, &["read"]), (1, &["create", "read", "update", "delete"]), (2, &["read", "update"])];
        for (number, acts) in gives {
            for act in acts {
                client.execute("insert into act values ($1, $2)", &[&role(number).uuid(), act])?;
            }
        }
        client.batch_execute(INDEXES)?;
        Ok(())
    }
}

impl Connection {
    pub(crate) fn allows(&mut self, asked: &Asked) -> Result<bool> {
        let principal = key(workload::principal(asked.principal).into());
        let project = workload::project_id(asked.project).uuid();
        let row = self.client.query_one(&self.question, &[&principal, &project, &asked.permission])?;
        Ok(row.get(0))
    }
}

impl Rows {
    /// A row for each project that the grant covers: tables know no selectors.
    fn give(&mut self, grant: &Grant) -> Result<()> {
        let Gives::Role(given) = grant.gives else { bail!("the workload gives roles") };
        let covered: Vec<ProjectId> = match &grant.on {
            // The built-in groups have no members that are asked about.
            Scope::Organization => Vec::new(),
            Scope::Object(object) => vec![object.id.parse().ok().context("a project")?],
            Scope::Projects(selector) => {
                let view = |one: &&Project| {
                    selector.covers(ProjectView { id: one.id, name: &one.name, labels: &one.labels })
                };
                self.projects.values().filter(view).map(|one| one.id).collect()
            }
        };
        let denies = matches!(grant.effect, Effect::Deny);
        let row = |project: ProjectId| (key(grant.to), project.uuid(), given.uuid(), denies);
        self.given.extend(covered.into_iter().map(row));
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A fast shutdown; the files go with the directory.
        let ended = Command::new("kill").args(["-INT", &self.server.id().to_string()]).status();
        if ended.is_err() {
            let _ended_anyway = self.server.kill();
        }
        let _reaped = self.server.wait();
    }
}

/// PostgreSQL does not run as root: then it runs as its own user, in a directory that is his.
fn user_words(dir: &Path) -> Result<Vec<String>> {
    let id = Command::new("id").arg("-u").output()?;
    if id.stdout != b"0\n" {
        return Ok(Vec::new());
    }
    let given = Command::new("chown").arg("postgres").arg(dir).status()?;
    ensure!(given.success(), "the user postgres is not there");
    let words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
    Ok(words.map(str::to_owned).to_vec())
}

fn key(grantee: Grantee) -> Uuid {
    match grantee {
        Grantee::User(id) => id.uuid(),
        Grantee::Token(id) => id.uuid(),
        Grantee::Group(id) => id.uuid(),
    }
}
