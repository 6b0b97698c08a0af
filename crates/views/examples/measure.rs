//! Measures a view: projection rate, bytes per record, and checks through redb, on the workload of the benchmarks.
//!
//! Rates are by the processor time of the one thread that works, single changes by the clock.
//!
//! `cargo run --release -p grantbook-views --example measure -- 10000 8` for 10,000 principals and groups nested up to 8 deep;
//! a third number says how many questions are asked of each kind (0: only the projection is measured).
#![expect(clippy::print_stdout, reason = "it prints its figures")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement that fails says where")]
#![expect(clippy::cast_precision_loss, reason = "three digits are shown")]

use std::{
    env, fs,
    time::{Duration, Instant},
};

use grantbook_domain::{
    access::check::{Question, Target},
    event::Event,
    id::{GrantId, GroupId, KeyId, OrgId, ProjectId, RoleId, TokenId, UserId},
    model::{Effect, Gives, Grant, Group, Key, KeyHash, Membership, Project, Role, RolePermission, Token},
    position::Position,
    principal::{Actor, Grantee, Principal},
    record::{RECORD_SCHEMA, Record, Recorded},
    scope::{Atom, Labels, Scope, Selector},
    state::founding::Founding,
    time::Timestamp,
};
use grantbook_views::{Batch, Snapshot, ViewWriter};

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const PROJECTS: u64 = 1000;
const GROUPS: u64 = 1000;
const RECORDS_IN_BATCH: usize = 4096;

fn main() {
    let mut arguments = env::args().skip(1).map(|number| number.parse().unwrap());
    let principals: u64 = arguments.next().unwrap_or(10_000);
    let depth: u64 = arguments.next().unwrap_or(3);
    let rounds = arguments.next().unwrap_or(100_000);
    let mut load = Load { records: Vec::new(), dice: Dice(42) };
    load.fill(principals, depth);
    let path = env::temp_dir().join(format!("grantbook-measure-{}.redb", std::process::id()));
    let (mut writer, _) = ViewWriter::open(&path, grantbook_domain::id::Id::from_u128(1)).unwrap();
    project(&mut writer, &load.records);
    println!("file: {} bytes a record", fs::metadata(&path).unwrap().len() / load.records.len() as u64);
    if rounds > 0 {
        questions(&mut writer, &mut load, (principals, rounds));
    }
    drop(writer);
    fs::remove_file(path).unwrap();
}

fn questions(writer: &mut ViewWriter, load: &mut Load, (principals, rounds): (u64, u64)) {
    let filled = load.records.last().unwrap().position;
    check(writer, &mut load.dice, (principals, rounds), None);
    ask_image(writer, &mut load.dice, (principals, rounds));
    change(writer, load, principals);
    println!("as of before these changes:");
    check(writer, &mut load.dice, (principals, rounds), Some(filled));
}

fn project(writer: &mut ViewWriter, records: &[Recorded]) {
    let start = Cpu::now();
    for (number, records) in records.chunks(RECORDS_IN_BATCH).enumerate() {
        let last_sequence = records.last().unwrap().position.sequence();
        // About once a second, as a projector does.
        let durable = number % 16 == 15;
        writer.apply(&Batch { records, last_sequence, checkpoint: b"" }, durable).unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("projected: {} records, {:.0} a second", records.len(), records.len() as f64 / seconds);
}

/// One snapshot a question, as a read node would; then a hundred questions on one; now, or as of an earlier position.
fn check(writer: &ViewWriter, dice: &mut Dice, (principals, rounds): (u64, u64), as_of: Option<Position>) {
    let reader = writer.reader();
    let snapshot = || {
        let snapshot = reader.snapshot().unwrap();
        as_of.map_or_else(|| snapshot.clone(), |position| snapshot.as_of(position))
    };
    let mut asked: Vec<_> = (0..rounds)
        .map(|_| (token(dice.below(principals)), project_id(dice.below(PROJECTS)).to_string()))
        .collect();
    let ask = |snapshot: &Snapshot, (token, project): &(TokenId, String)| {
        snapshot.check(org(), &question(*token, project), AT).unwrap().allows()
    };
    let start = Cpu::now();
    let allowed = asked.iter().filter(|one| ask(&snapshot(), one)).count();
    let each = start.elapsed().as_secs_f64() * 1e6 / rounds as f64;
    println!("check, a snapshot each: {each:.2} us, {allowed} of {rounds} allowed");
    let start = Cpu::now();
    for hundred in asked.chunks_mut(100) {
        let snapshot = snapshot();
        let mut checker = snapshot.checker(org(), AT).unwrap();
        for (token, project) in hundred {
            checker.check(&question(*token, project)).unwrap();
        }
    }
    println!(
        "check, a hundred on one snapshot: {:.2} us",
        start.elapsed().as_secs_f64() * 1e6 / rounds as f64
    );
}

/// The same questions to the image in memory.
fn ask_image(writer: &mut ViewWriter, dice: &mut Dice, (principals, rounds): (u64, u64)) {
    writer.keep_image().unwrap();
    writer.publish_image();
    let image = writer.reader().image().unwrap();
    let asked: Vec<_> = (0..rounds)
        .map(|_| (token(dice.below(principals)), project_id(dice.below(PROJECTS)).to_string()))
        .collect();
    let start = Cpu::now();
    let allowed =
        asked.iter().filter(|(token, project)| image.check(org(), &question(*token, project), AT).allows());
    let allowed = allowed.count();
    let each = start.elapsed().as_secs_f64() * 1e9 / rounds as f64;
    println!("check, from the image: {each:.0} ns, {allowed} of {rounds} allowed");
}

/// What one change costs: a grant to a group that everybody is in, and a relabelled project.
fn change(writer: &mut ViewWriter, load: &mut Load, principals: u64) {
    let before = load.records.len();
    let group = group_id(GROUPS);
    load.push(Event::GroupCreated { group: named_group(group) });
    for number in 0..principals {
        load.push(Event::MemberAdded { membership: membership(group, Grantee::Token(token(number))) });
    }
    project(writer, &load.records[before..]);
    let before = load.records.len();
    load.push(Event::GrantCreated {
        grant: grant(90_000_000, Grantee::Group(group), Scope::Organization, Effect::Allow),
    });
    load.push(Event::ProjectUpdated { project: labelled(3, "moved") });
    load.push(Event::MemberAdded { membership: membership(group, Grantee::Group(group_id(0))) });
    for (what, record) in
        ["grant to a group of everybody", "project relabelled", "edge above it"].iter().zip(before..)
    {
        let start = Instant::now();
        let records = &load.records[record..=record];
        let last_sequence = records[0].position.sequence();
        writer.apply(&Batch { records, last_sequence, checkpoint: b"" }, false).unwrap();
        println!("{what}: {:.0} us", start.elapsed().as_secs_f64() * 1e6);
    }
}

/// Processor time of this one thread (Linux), so that a busy machine does not change the figures too much.
struct Cpu(Duration);

impl Cpu {
    fn now() -> Self {
        let times = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Self(Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap()))
    }

    fn elapsed(&self) -> Duration {
        Self::now().0.checked_sub(self.0).unwrap()
    }
}

struct Load {
    records: Vec<Recorded>,
    dice: Dice,
}

impl Load {
    fn push(&mut self, event: Event) {
        self.push_all(vec![event]);
    }

    fn push_all(&mut self, events: Vec<Event>) {
        let ordinal = self.records.len() as u64 + 1;
        let record = Record {
            schema: RECORD_SCHEMA,
            ordinal,
            at: AT,
            actor: Actor::User(UserId::from_u128(7)),
            credential: Some(KeyId::from_u128(8)),
            source_ip: None,
            request_id: format!("01900000-0000-7000-8000-{ordinal:012}"),
            request_hash: None,
            reason: None,
            steps: Vec::new(),
            events,
        };
        self.records.push(Recorded { position: Position::of(ordinal, 0), org: org(), record });
    }

    fn fill(&mut self, principals: u64, depth: u64) {
        let id = |number| (RoleId::from_u128(number), GroupId::from_u128(number), GrantId::from_u128(number));
        let founding = Founding {
            org: org(),
            name: "acme".to_owned(),
            owner: UserId::from_u128(7),
            email: "ada@example.com".to_owned(),
            key: KeyId::from_u128(8),
            hash: KeyHash([0; 32]),
            builtins: [id(1), id(2), id(3)],
            at: AT,
        };
        self.push_all(founding.decide().unwrap());
        let permissions = vec![RolePermission { permission: "update".to_owned(), object_type: None }];
        let (id, name, includes) = (role(), "custom".to_owned(), Vec::new());
        self.push(Event::RoleCreated {
            role: Role { id, name, permissions, includes, builtin: None, created_at: AT, ended_at: None },
        });
        for number in 0..PROJECTS {
            let label = if number % 10 == 0 { "production" } else { "staging" };
            self.push(Event::ProjectCreated { project: labelled(number, label) });
        }
        for number in 0..GROUPS {
            self.group(number, depth);
        }
        for number in 0..principals {
            self.principal(number);
        }
    }

    /// Layers of groups, each in one group of the layer above; each with a role on 20 projects.
    fn group(&mut self, number: u64, depth: u64) {
        let id = group_id(number);
        self.push(Event::GroupCreated { group: named_group(id) });
        let width = GROUPS / depth;
        if number >= width {
            let above = (number / width - 1) * width + self.dice.below(width);
            self.push(Event::MemberAdded { membership: membership(group_id(above), Grantee::Group(id)) });
        }
        let twenty = (0..20).map(|_| Atom::Id(project_id(self.dice.below(PROJECTS)))).collect();
        let mut scope = Scope::Projects(Selector { include: twenty, exclude: Vec::new().into() });
        if number % 200 == 7 {
            let production = Labels::from([("env".to_owned(), "production".to_owned())]);
            scope = Scope::Projects(Selector {
                include: vec![Atom::All].into(),
                exclude: vec![Atom::Label(production)].into(),
            });
        }
        self.push(Event::GrantCreated { grant: grant(number, Grantee::Group(id), scope, Effect::Allow) });
    }

    fn principal(&mut self, number: u64) {
        let id = token(number);
        let (name, description, external_id, expires_at) = (format!("token {number}"), None, None, None);
        self.push(Event::TokenCreated {
            token: Token { id, name, description, external_id, expires_at, created_at: AT, ended_at: None },
        });
        self.push(Event::KeyIssued {
            key: Key {
                id: KeyId::from_u128(u128::from(number) + (5 << 64)),
                principal: Principal::Token(id),
                name: None,
                hash: KeyHash([1; 32]),
                expires_at: None,
                narrow: None,
                replaces: None,
                session: None,
                created_at: AT,
                ended_at: None,
            },
        });
        for _ in 0..3 {
            let group = group_id(self.dice.below(GROUPS));
            self.push(Event::MemberAdded { membership: membership(group, Grantee::Token(id)) });
        }
        if number.is_multiple_of(100) {
            let object = Atom::Id(project_id(self.dice.below(PROJECTS)));
            let on = Scope::Projects(Selector { include: vec![object].into(), exclude: Vec::new().into() });
            let effect = if number.is_multiple_of(1000) { Effect::Deny } else { Effect::Allow };
            self.push(Event::GrantCreated {
                grant: grant(1_000_000 + number, Grantee::Token(id), on, effect),
            });
        }
    }
}

struct Dice(u64);

impl Dice {
    /// Xorshift: the same load every time.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn question(token: TokenId, project: &str) -> Question<'_> {
    let object = Target { object_type: "project", id: project, project: None };
    Question { principal: Some(Principal::Token(token)), key: None, permission: "update", object }
}

fn org() -> OrgId {
    OrgId::from_u128(1)
}
fn role() -> RoleId {
    RoleId::from_u128(9)
}
fn token(number: u64) -> TokenId {
    TokenId::from_u128(u128::from(number) + (1 << 64))
}
fn group_id(number: u64) -> GroupId {
    GroupId::from_u128(u128::from(number) + (2 << 64))
}
fn project_id(number: u64) -> ProjectId {
    ProjectId::from_u128(u128::from(number) + (3 << 64))
}
fn named_group(id: GroupId) -> Group {
    let (name, description) = (format!("group {id}"), None);
    Group { id, name, description, builtin: None, created_at: AT, ended_at: None }
}
fn labelled(number: u64, env: &str) -> Project {
    let labels = Labels::from([("env".to_owned(), env.to_owned())]);
    Project {
        id: project_id(number),
        name: format!("project {number}"),
        labels,
        created_at: AT,
        ended_at: None,
    }
}
fn membership(group: GroupId, member: Grantee) -> Membership {
    Membership { group, member, expires_at: None, created_at: AT, ended_at: None }
}
fn grant(number: u64, to: Grantee, on: Scope, effect: Effect) -> Grant {
    Grant {
        id: GrantId::from_u128(u128::from(number) + (4 << 64)),
        to,
        gives: Gives::Role(role()),
        on,
        effect,
        object_type: None,
        generation: 0,
        expires_at: None,
        reason: None,
        builtin: false,
        created_at: AT,
        ended_at: None,
    }
}
