//! The fixture of the certification scenario, and how a case of a table is run against it.

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    server::Server,
    wire::{Http, Reply},
};
use serde_json::{Value, json};

use crate::authzen::{ACTIONS, EVALUATION, RESOURCES, SUBJECTS};

/// alice and bob, record-1 and record-2, and a service that asks.
pub(super) struct Scenario {
    pub(super) server: Server,
    /// Id of alice.
    pub(super) alice: String,
    /// Id and key of the service token that asks; it may read who has access, and who is who.
    pub(super) pep: String,
    pub(super) pep_key: String,
}

/// Which credential a case presents.
#[derive(Debug, Clone, Copy)]
pub(super) enum Credential {
    Good,
    Absent,
    Corrupt,
}

/// What a case must get.
#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// One of these statuses.
    Status(&'static [u16]),
    /// Exactly this body.
    Body(Value),
    /// So many decisions, these; a context only with an error.
    Decisions(Vec<bool>),
    /// Results of which these are some, each of which evaluates to a yes.
    Finds(Vec<Value>),
    /// No results.
    FindsNothing,
}

/// One request and what it must get.
#[derive(Debug, Clone)]
pub(super) struct Case {
    what: String,
    method: &'static str,
    path: &'static str,
    content_type: Option<&'static str>,
    credential: Credential,
    body: Vec<u8>,
    expected: Expected,
}

/// A case with a JSON body.
pub(super) fn case(what: &str, path: &'static str, body: &Value, expected: Expected) -> Case {
    Case {
        what: what.to_owned(),
        method: "POST",
        path,
        content_type: Some("application/json"),
        credential: Credential::Good,
        body: body.to_string().into_bytes(),
        expected,
    }
}

/// A case that is refused with 400.
pub(super) fn refused(what: &str, path: &'static str, body: &Value) -> Case {
    case(what, path, body, Expected::Status(&[400]))
}

impl Case {
    pub(super) fn raw(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub(super) fn typed(self, content_type: Option<&'static str>) -> Self {
        Self { content_type, ..self }
    }

    pub(super) fn by(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub(super) fn with(self, credential: Credential) -> Self {
        Self { credential, ..self }
    }
}

/// `user`, by external id.
pub(super) fn user(id: &str) -> Value {
    json!({"type": "user", "id": id})
}

/// A record.
pub(super) fn record(id: &str) -> Value {
    json!({"type": "record", "id": id})
}

/// An action.
pub(super) fn named(name: &str) -> Value {
    json!({"name": name})
}

/// The same object with further members.
pub(super) fn and(mut value: Value, more: &Value) -> Value {
    if let (Some(members), Some(more)) = (value.as_object_mut(), more.as_object()) {
        members.extend(more.clone());
    }
    value
}

/// The same object without a member.
pub(super) fn without(mut value: Value, name: &str) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.remove(name);
    }
    value
}

impl Scenario {
    pub(super) fn set() -> Result<Self> {
        Self::set_on(Server::start()?)
    }

    pub(super) fn set_on(server: Server) -> Result<Self> {
        let make =
            |path: &str, body: &Value| -> Result<Value> { server.call("POST", path, body)?.expect(201) };
        let id = |value: &Value| value["id"].as_str().map(str::to_owned).context("an id");
        let catalog =
            json!({"object_types": [{"name": "record", "parent": "organization"}], "permissions": ["write"]});
        let extended = server.call("POST", "/v1/catalog", &catalog)?;
        ensure!(extended.status < 300, "the catalog takes names: {}", extended.status);
        for id in ["record-1", "record-2"] {
            make("/v1/objects", &record(id))?;
        }
        let person = |name: &str| -> Result<String> {
            let body = json!({"email": format!("{name}@example.com"), "external_id": name});
            id(&make("/v1/users", &body)?)
        };
        let (alice, bob) = (person("alice")?, person("bob")?);
        let grant = |to: &Value, permissions: &Value, on: &Value| -> Result<String> {
            id(&make("/v1/grants", &json!({"to": to, "permissions": permissions, "on": on}))?)
        };
        for (to, permissions, object) in [
            (&alice, json!(["read", "write"]), "record-1"),
            (&alice, json!(["read"]), "record-2"),
            (&bob, json!(["read"]), "record-1"),
            (&bob, json!(["read"]), "record-2"),
        ] {
            grant(&json!({"type": "user", "id": to}), &permissions, &json!({"object": record(object)}))?;
        }
        let pep = id(&make("/v1/tokens", &json!({"name": "pep"}))?)?;
        let key = make(&format!("/v1/tokens/{pep}/keys"), &json!({}))?;
        let pep_key = key["secret"].as_str().context("a secret")?.to_owned();
        let to = json!({"type": "token", "id": pep});
        grant(&to, &json!(["read_acls"]), &json!({"organization": true}))?;
        let org = server.init["organization"]["id"].as_str().context("an organization")?.to_owned();
        grant(&to, &json!(["read"]), &json!({"object": {"type": "org_member", "id": org}}))?;
        Ok(Self { server, alice, pep, pep_key })
    }

    /// A connection as the service that asks.
    pub(super) fn asker(&self) -> Result<Http> {
        Ok(self.server.http()?.as_bearer(&self.pep_key))
    }

    /// One question of the service that asks.
    pub(super) fn ask(&self, path: &str, body: &Value) -> Result<Reply> {
        self.asker()?.send("POST", path, body)
    }

    /// Whether an evaluation is a yes.
    pub(super) fn allows(&self, subject: &Value, action: &str, resource: &Value) -> Result<bool> {
        let body = json!({"subject": subject, "action": {"name": action}, "resource": resource});
        let answer = self.ask(EVALUATION, &body)?.expect(200)?;
        answer["decision"].as_bool().context("a decision")
    }

    /// All pages of a search.
    pub(super) fn all(&self, path: &str, body: &Value, limit: u64) -> Result<Vec<Value>> {
        let mut results = Vec::new();
        let mut page = json!({"limit": limit});
        loop {
            let answer = self.ask(path, &and(body.clone(), &json!({"page": page})))?.expect(200)?;
            let found = answer["results"].as_array().context("results")?;
            ensure!(u64::try_from(found.len())? <= limit, "more results than asked for: {answer}");
            results.extend(found.iter().cloned());
            match answer["page"]["next_token"].as_str().context("a page was asked for")? {
                "" => return Ok(results),
                token => page = json!({"token": token}),
            }
        }
    }

    /// Asks three times: the answers are equal, carry the request's id, and are what was expected.
    pub(super) fn run(&self, case: &Case) -> Result<()> {
        let (first, second, third) = (self.send(case)?, self.send(case)?, self.send(case)?);
        let what = &case.what;
        ensure!(first.status == second.status && second.status == third.status, "{what}: three answers");
        if first.status == 200 {
            ensure!(first.json() == second.json() && second.json() == third.json(), "{what}: three answers");
            ensure!(first.header("content-type") == Some("application/json"), "{what}: JSON");
        } else {
            ensure!(!first.text("/detail").is_empty(), "{what}: errors have words");
        }
        if first.status == 401 {
            ensure!(first.header("www-authenticate").is_some(), "{what}: a challenge");
        }
        self.judge(case, &first).with_context(|| {
            format!(
                "{what} ({} {}): {} {}",
                case.method,
                case.path,
                first.status,
                String::from_utf8_lossy(&first.body)
            )
        })
    }

    fn send(&self, case: &Case) -> Result<Reply> {
        let corrupt = "gb_st_invalid-bogus-credential";
        let mut http = match case.credential {
            Credential::Good => self.asker()?,
            Credential::Absent => self.server.http()?,
            Credential::Corrupt => self.server.http()?.as_bearer(corrupt),
        };
        let id = format!("case {}", case.what.len());
        let mut headers = vec![("x-request-id", id.as_str())];
        headers.extend(case.content_type.map(|content_type| ("content-type", content_type)));
        let reply = http.raw(case.method, case.path, &headers, &case.body)?;
        ensure!(reply.header("x-request-id") == Some(&id), "{}: the request's id is echoed", case.what);
        Ok(reply)
    }

    fn judge(&self, case: &Case, reply: &Reply) -> Result<()> {
        match &case.expected {
            Expected::Status(statuses) => ensure!(statuses.contains(&reply.status), "expected {statuses:?}"),
            Expected::Body(body) => ensure!(reply.status == 200 && reply.json() == *body, "expected {body}"),
            Expected::Decisions(expected) => {
                let body = reply.clone().expect(200)?;
                ensure!(
                    body.as_object().is_some_and(|members| members.len() == 1),
                    "nothing beside evaluations"
                );
                let items = body["evaluations"].as_array().context("evaluations")?;
                let decisions: Vec<_> = items.iter().filter_map(|item| item["decision"].as_bool()).collect();
                ensure!(decisions == *expected, "expected {expected:?}");
                for item in items {
                    let context = &item["context"];
                    ensure!(
                        context.is_null() || context["error"]["status"].is_u64(),
                        "only errors say more: {item}"
                    );
                }
            }
            Expected::Finds(some) => {
                let body = reply.clone().expect(200)?;
                let results = body["results"].as_array().context("results")?;
                ensure!(some.iter().all(|one| results.contains(one)), "some are missing: {some:?}");
                ensure!(body["context"].is_null(), "no context unless asked");
                let asked: Value = serde_json::from_slice(&case.body)?;
                for result in results {
                    ensure!(self.holds(case.path, &asked, result)?, "{result} does not evaluate to a yes");
                }
            }
            Expected::FindsNothing => {
                let body = reply.clone().expect(200)?;
                ensure!(body == json!({"results": []}), "expected no results and nothing else");
            }
        }
        Ok(())
    }

    /// Whether a result of a search evaluates to a yes.
    fn holds(&self, path: &str, asked: &Value, result: &Value) -> Result<bool> {
        let action = |value: &Value| value["name"].as_str().map(str::to_owned).context("a name");
        match path {
            SUBJECTS => self.allows(result, &action(&asked["action"])?, &asked["resource"]),
            RESOURCES => self.allows(&asked["subject"], &action(&asked["action"])?, result),
            ACTIONS => self.allows(&asked["subject"], &action(result)?, &asked["resource"]),
            _ => Ok(false),
        }
    }
}
