//! Over NATS, with two command services and a read node: along a random history the read node answers every check like
//! the fold of the journal.

use anyhow::{Context, Result, ensure};
use grantbook_command::Fold;
use grantbook_domain::{
    access::check::{Question, Target},
    id::OrgId,
    principal::Principal,
    state::OrgState,
    time::Timestamp,
};
use grantbook_journal::jetstream::{JetStreamJournal, NatsOptions};
use grantbook_tests::{nats::Nats, server::Server, wire::Reply};
use serde_json::{Value, json};

const TOKENS: usize = 8;
const GROUPS: usize = 5;
const PROJECTS: usize = 6;
const STEPS: usize = 240;
/// Between two comparisons of everything.
const EVERY: usize = 12;
const PERMISSIONS: [&str; 3] = ["read", "update", "delete"];

/// Numbers that are the same in every run (an LCG, with Knuth's constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % bound as u64).unwrap_or_default()
    }

    fn of<'a>(&mut self, ids: &'a [String]) -> &'a str {
        let index = self.below(ids.len());
        &ids[index]
    }
}

struct Scene {
    services: [Server; 2],
    node: Server,
    journal: NatsOptions,
    org: OrgId,
    tokens: Vec<String>,
    groups: Vec<String>,
    projects: Vec<String>,
    grants: Vec<String>,
    dice: Dice,
    /// Of the last write.
    position: String,
}

#[test]
fn the_read_node_answers_like_the_fold_along_a_random_history() -> Result<()> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let mut scene = Scene {
        services: [first.another("command")?, first.another("command")?],
        node: first.another("read")?,
        journal: NatsOptions::new(nats.urls()),
        org: first.init["organization"]["id"].as_str().context("an id")?.parse().ok().context("an id")?,
        tokens: Vec::new(),
        groups: Vec::new(),
        projects: Vec::new(),
        grants: Vec::new(),
        dice: Dice(7),
        position: String::new(),
    };
    scene.settle()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (mut compared, mut allowed) = (0, 0);
    for step in 1..=STEPS {
        scene.step()?;
        if step % EVERY == 0 {
            let options = scene.journal.clone();
            let fold = runtime.block_on(async {
                Ok::<_, anyhow::Error>(Fold::replay(&JetStreamJournal::open(&options).await?).await?)
            })?;
            let org = fold.organizations().find(|one| one.state().id() == Some(scene.org)).context("acme")?;
            let (more, yes) = scene.compare(org.state())?;
            (compared, allowed) = (compared + more, allowed + yes);
        }
    }
    ensure!(allowed * 10 > compared && allowed * 10 < compared * 9, "one-sided: {allowed} of {compared}");
    Ok(())
}

impl Scene {
    fn write(&mut self, method: &str, path: &str, body: &Value) -> Result<Reply> {
        let service = &self.services[self.dice.below(2)];
        let reply = service.call(method, path, body)?;
        ensure!(reply.status < 500, "{method} {path}: {}", reply.json());
        let position = reply.header("grantbook-position").context("every answer has a position")?;
        position.clone_into(&mut self.position);
        Ok(reply)
    }

    fn make(&mut self, path: &str, body: &Value) -> Result<String> {
        let made = self.write("POST", path, body)?.expect(201)?;
        Ok(made["id"].as_str().context("an id")?.to_owned())
    }

    fn settle(&mut self) -> Result<()> {
        for number in 0..TOKENS {
            let id = self.make("/v1/tokens", &json!({"name": format!("t{number}")}))?;
            self.tokens.push(id);
        }
        for number in 0..GROUPS {
            let id = self.make("/v1/groups", &json!({"name": format!("g{number}")}))?;
            self.groups.push(id);
        }
        for number in 0..PROJECTS {
            let id = self.make("/v1/projects", &json!({"name": format!("p{number}")}))?;
            self.projects.push(id);
        }
        Ok(())
    }

    /// Moves members, grants and labels about. What is refused, as a cycle is, changes nothing.
    fn step(&mut self) -> Result<()> {
        let (group, other) = (self.dice.of(&self.groups).to_owned(), self.dice.of(&self.groups).to_owned());
        let token = self.dice.of(&self.tokens).to_owned();
        let (path, member) = (format!("/v1/groups/{group}/members"), json!({"type": "token", "id": token}));
        match self.dice.below(10) {
            0..=2 => self.write("POST", &path, &json!({"member": member}))?,
            3 => self.write("DELETE", &format!("{path}/token/{token}"), &Value::Null)?,
            4 => self.write("POST", &path, &json!({"member": {"type": "group", "id": other}}))?,
            5 => self.write("DELETE", &format!("{path}/group/{other}"), &Value::Null)?,
            6 | 7 => return self.grant(&group, &token),
            8 if !self.grants.is_empty() => {
                let grant = self.dice.of(&self.grants).to_owned();
                self.write("DELETE", &format!("/v1/grants/{grant}"), &Value::Null)?
            }
            _ => {
                let project = self.dice.of(&self.projects).to_owned();
                let labels = [json!({}), json!({"env": "production"}), json!({"env": "staging"})];
                let body = json!({"labels": labels[self.dice.below(3)]});
                self.write("PATCH", &format!("/v1/projects/{project}"), &body)?
            }
        };
        Ok(())
    }

    fn grant(&mut self, group: &str, token: &str) -> Result<()> {
        let to = match self.dice.below(4) {
            0 => json!({"type": "token", "id": token}),
            _ => json!({"type": "group", "id": group}),
        };
        let production = json!([{"label": {"env": "production"}}]);
        let on = match self.dice.below(4) {
            0 => json!({"projects": {"include": "all", "exclude": production}}),
            1 => json!({"projects": {"include": production}}),
            2 => json!({"projects": {"include": [{"name": "p1*"}, {"id": self.dice.of(&self.projects)}]}}),
            _ => json!({"object": {"type": "project", "id": self.dice.of(&self.projects)}}),
        };
        let effect = if self.dice.below(6) == 0 { "deny" } else { "allow" };
        let permissions = [json!(["read"]), json!(["read", "update"]), json!(["delete"])];
        let body =
            json!({"to": to, "permissions": permissions[self.dice.below(3)], "on": on, "effect": effect});
        let grant = self.make("/v1/grants", &body)?;
        self.grants.push(grant);
        Ok(())
    }

    /// Everything that can be asked; how much that was, and how often the answer was yes.
    fn compare(&self, fold: &OrgState) -> Result<(usize, usize)> {
        let (mut checks, mut expected) = (Vec::new(), Vec::new());
        // Nothing here expires.
        let at = Timestamp::from_millis(4_000_000_000_000);
        for token in &self.tokens {
            for project in &self.projects {
                for permission in PERMISSIONS {
                    checks
                        .push(json!({"principal": {"type": "token", "id": token}, "permission": permission,
                        "object": {"type": "project", "id": project}}));
                    let question = Question {
                        principal: Some(Principal::Token(token.parse().ok().context("an id")?)),
                        key: None,
                        permission,
                        object: Target { object_type: "project", id: project, project: None },
                    };
                    expected.push(fold.check(&question, at).allows());
                }
            }
        }
        let mut http = self.node.http()?.as_bearer(&self.node.owner_key);
        let checks = json!({"checks": checks});
        let answer = http.send_at(&self.position, "POST", "/v1/check/batch", &checks)?.expect(200)?;
        let results = answer["results"].as_array().context("results")?;
        let answered: Vec<bool> = results.iter().map(|one| one["allowed"] == true).collect();
        assert_eq!(answered, expected, "at {}", self.position);
        Ok((expected.len(), expected.iter().filter(|allowed| **allowed).count()))
    }
}
