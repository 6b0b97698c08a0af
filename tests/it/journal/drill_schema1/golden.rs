//! The questions of the fixture, and how an answer of today is held against the one of then.
//!
//! Whatever differs must be one of the deviations that are named here; each is counted.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use grantbook_tests::{server::Server, wire::Reply};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Keys narrowed to an object that was removed afterwards, with the moments from which on that is so. Schema 1 narrowed to
/// the id, so that a key woke up when the id was registered again; now it stays dead (ADR 25).
const OUTLIVED: [(&str, &str, &[&str]); 6] = [
    ("ada-d2", "d2", &["", "removed", "last"]),
    ("ada-d2-turned", "d2", &["removed"]),
    ("app-d2", "d2", &["", "removed", "last"]),
    ("zoe-d2", "d2", &["", "removed", "last"]),
    ("ada-d4", "d4", &["", "last"]),
    ("app-d4", "d4", &["", "last"]),
];
/// Keys that a user administrator issued for principals that were given rights later: the only ones that are flagged.
const CONCERNS: [&str; 2] = ["idle-by-admin", "zoe-by-admin"];

/// What the executable of before left, unpacked.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) dir: tempfile::TempDir,
    pub(super) golden: Golden,
}

#[derive(Debug, Deserialize)]
pub(super) struct Golden {
    pub(super) snapshot_trust: String,
    pub(super) keys: BTreeMap<String, IssuedKey>,
    pub(super) ids: BTreeMap<String, String>,
    /// The project in which each object was registered.
    pub(super) homes: BTreeMap<String, String>,
    positions: BTreeMap<String, String>,
    pub(super) questions: Vec<Asked>,
    /// Writes by every key, that version's answers to which were taken from a copy.
    attempts: Vec<Asked>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IssuedKey {
    id: Option<String>,
    pub(super) secret: String,
}

/// A question, and its answer then.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    by: String,
    method: String,
    path: String,
    body: Value,
    status: u16,
    answer: Value,
}

/// Whether the journal still ends where it did then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Same,
    Later,
}

impl Written {
    /// Unpacks the fixture into a directory that goes with it.
    pub(super) fn unpack() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/schema1/written.tar.xz");
        let mut python = Command::new("python3");
        python.args(["-m", "tarfile", "--extract"]).arg(archive).arg(dir.path());
        ensure!(python.status().context("python3")?.success(), "the fixture is not unpacked");
        let golden = serde_json::from_slice(&std::fs::read(dir.path().join("golden.json"))?)?;
        Ok(Self { dir, golden })
    }

    /// A file or directory of the fixture.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Golden {
    /// Asks everything that was asked then; every answer must be as it was, or deviate in a way that is named here. Gives how
    /// often each happened. Behind later records only the questions about access are asked, and positions may differ.
    pub(super) fn ask_again(&self, server: &Server, head: Head) -> Result<BTreeMap<&'static str, usize>> {
        let comparison = Comparison::new(self, head);
        let mut seen = BTreeMap::new();
        for asked in &self.questions {
            if head == Head::Later && !asked.is_about_access() {
                continue;
            }
            let key = &self.keys.get(&asked.by).context("the key of the question")?.secret;
            let reply = server.http()?.as_bearer(key).send(&asked.method, &asked.path, &asked.body)?;
            comparison.hold(asked, &reply, &mut |what| *seen.entry(what).or_default() += 1).with_context(
                || format!("{} asked {} {} {}", asked.by, asked.method, asked.path, asked.body),
            )?;
        }
        Ok(seen)
    }

    /// Tries to write everything that was tried then. What was refused must be refused today, and what was allowed must be
    /// allowed, but for the deviations that are named here. Gives how often each happened.
    pub(super) fn attempt_again(&self, server: &Server) -> Result<BTreeMap<&'static str, usize>> {
        let mut seen = BTreeMap::new();
        for asked in &self.attempts {
            let key = &self.keys.get(&asked.by).context("the key of the attempt")?.secret;
            let reply = server.http()?.as_bearer(key).send(&asked.method, &asked.path, &asked.body)?;
            let (now, object) = (reply.json(), &asked.body["on"]["object"]);
            let (then, code) = (asked.answer["code"].as_str(), now["code"].as_str());
            let what = match ((asked.status, then), (reply.status, code)) {
                (then, now) if then == now && reply.status == 201 => "allowed as before",
                (then, now) if then == now => "refused as before",
                ((403, Some("forbidden")), (404, Some("not_found"))) if object.is_object() => {
                    "refused as an unknown object, as the caller does not see it"
                }
                ((201, None), (404, Some("not_found")))
                    if OUTLIVED.iter().any(|(key, id, _)| asked.by == *key && object["id"] == *id) =>
                {
                    "refused to a key that is narrowed to a removed object"
                }
                ((201, None), (403, Some("not_held")))
                    if asked.by == "admin" && asked.path.ends_with("/keys") =>
                {
                    "refused a narrowed key of a principal whose access the caller does not see"
                }
                _ => bail!(
                    "{} {} {} by {}: {now}, not {}",
                    asked.method,
                    asked.path,
                    asked.body,
                    asked.by,
                    asked.answer
                ),
            };
            *seen.entry(what).or_default() += 1;
        }
        Ok(seen)
    }
}

impl Asked {
    fn is_about_access(&self) -> bool {
        ["/v1/check", "/v1/explain", "/v1/access", "/v1/who-can", "/v1/permissions", "/access/v1/"]
            .iter()
            .any(|start| self.path.starts_with(start))
    }

    /// The `as_of` of the question; empty if it is about now.
    fn moment(&self) -> &str {
        self.path.split_once("as_of=").map_or("", |(_, position)| position)
    }

    /// The project named for the object of a question in the path.
    fn project(&self) -> Option<&str> {
        let (_, rest) = self.path.split_once("&project=")?;
        rest.split('&').next()
    }
}

/// One check as it stands in a question, and the question's place.
type Place<'a> = (&'a str, &'a str, String);

struct Comparison<'a> {
    golden: &'a Golden,
    head: Head,
    /// Every answer about an object that was never registered, by who asked, where and what.
    unregistered: HashMap<Place<'a>, &'a Value>,
}

impl<'a> Comparison<'a> {
    fn new(golden: &'a Golden, head: Head) -> Self {
        let mut unregistered = HashMap::new();
        for asked in &golden.questions {
            let place = |check: &Value| (asked.by.as_str(), asked.path.as_str(), check.to_string());
            if let Some(checks) = asked.body["checks"].as_array() {
                let results = asked.answer["results"].as_array().into_iter().flatten();
                unregistered.extend(checks.iter().map(place).zip(results));
            } else if asked.body["object"]["id"] == "never" || asked.path.contains("dataset:never&") {
                unregistered.insert(place(&asked.body), &asked.answer);
            }
        }
        Self { golden, head, unregistered }
    }

    fn hold(&self, asked: &Asked, reply: &Reply, seen: &mut impl FnMut(&'static str)) -> Result<()> {
        let now = reply.json();
        let (path, _) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        if let Some(checks) = asked.body["checks"].as_array().filter(|_| reply.status == 200) {
            ensure!(asked.status == 200, "{} then", asked.status);
            let (then, results) = (&asked.answer["results"], &now["results"]);
            for (index, check) in checks.iter().enumerate() {
                let expected = self.expected(asked, check, &then[index], seen)?;
                ensure!(results[index] == expected, "{check}: {}, not {expected}", results[index]);
                seen("checks answered as expected");
            }
            return self.positions(asked, &now);
        }
        let named = asked.body["object"]["project"].as_str().or_else(|| asked.project());
        if path == "/v1/explain" && self.deviates(asked, &asked.body)? {
            let then = json!({"allowed": asked.answer["allowed"], "reason": asked.answer["reason"]});
            let expected = self.expected(asked, &asked.body, &then, seen)?;
            for member in ["allowed", "reason"] {
                ensure!(
                    now[member] == expected[member],
                    "{member}: {}, not {}",
                    now[member],
                    expected[member]
                );
            }
            return self.positions(asked, &now);
        }
        let id = asked
            .path
            .split_once("object=dataset:")
            .map_or("", |(_, rest)| rest.split('&').next().unwrap_or(""));
        if let Some(project) = named.filter(|project| self.is_elsewhere(id, project)) {
            ensure!(reply.status == 200, "{} {now}", reply.status);
            seen("an object in another project counts as not registered there");
            let never = asked.path.replacen(&format!("dataset:{id}&"), "dataset:never&", 1);
            let then = self.unregistered.get(&(&asked.by, &never, Value::Null.to_string()));
            let then = then.with_context(|| format!("{never} was asked, of {project}"))?;
            return self.equal(asked, then, &now, seen);
        }
        ensure!(
            reply.status == asked.status,
            "{} {now}, not {} {}",
            reply.status,
            asked.status,
            asked.answer
        );
        self.equal(asked, &asked.answer, &now, seen)?;
        seen("other answers equal");
        Ok(())
    }

    /// Whether an object that was registered in one project is asked about in another.
    fn is_elsewhere(&self, id: &str, project: &str) -> bool {
        self.golden.homes.get(id).is_some_and(|home| home != project)
    }

    /// The key of a check that is narrowed to something that had ended by then.
    fn outlived(&self, asked: &Asked, check: &Value) -> bool {
        let moment = asked.moment();
        OUTLIVED.iter().any(|(name, object, from)| {
            let key = self.golden.keys.get(*name);
            let id = key.and_then(|key| key.id.as_deref());
            let by_it = match check["key"].as_str() {
                Some(asked_for) => Some(asked_for) == id,
                None => check["principal"].is_null() && asked.by == *name,
            };
            by_it
                && check["object"]["id"] == **object
                && from
                    .iter()
                    .any(|name| self.golden.positions.get(*name).map_or("", String::as_str) == moment)
        })
    }

    fn deviates(&self, asked: &Asked, check: &Value) -> Result<bool> {
        let id = check["object"]["id"].as_str().context("an id")?;
        let elsewhere =
            check["object"]["project"].as_str().is_some_and(|project| self.is_elsewhere(id, project));
        Ok(elsewhere || self.outlived(asked, check))
    }

    /// What a check must say today.
    fn expected(
        &self,
        asked: &Asked,
        check: &Value,
        then: &Value,
        seen: &mut impl FnMut(&'static str),
    ) -> Result<Value> {
        let id = check["object"]["id"].as_str().context("an id")?;
        if check["object"]["project"].as_str().is_some_and(|project| self.is_elsewhere(id, project)) {
            let mut never = check.clone();
            never["object"]["id"] = json!("never");
            let answer = self.unregistered.get(&(&asked.by, &asked.path, never.to_string()));
            let answer = answer.with_context(|| format!("{never} was asked"))?;
            seen("an object in another project counts as not registered there");
            return Ok(json!({"allowed": answer["allowed"], "reason": answer["reason"]}));
        }
        let reason = then["reason"].as_str().context("a reason")?;
        if self.outlived(asked, check) && ["granted", "no_grant", "denied_by_grant"].contains(&reason) {
            seen("a key narrowed to a removed object stays dead");
            let own = check["key"].is_null();
            return Ok(json!({"allowed": false, "reason": if own { "denied" } else { "key_narrowed" }}));
        }
        Ok(then.clone())
    }

    fn positions(&self, asked: &Asked, now: &Value) -> Result<()> {
        let same = now["position"] == asked.answer["position"];
        ensure!(same || self.head == Head::Later, "position {}", now["position"]);
        Ok(())
    }

    fn equal(
        &self,
        asked: &Asked,
        then: &Value,
        now: &Value,
        seen: &mut impl FnMut(&'static str),
    ) -> Result<()> {
        let (mut then, mut now) = (then.clone(), now.clone());
        let named = asked.body["object"]["project"].as_str().or_else(|| asked.project());
        self.strip(&mut now, named, seen)?;
        self.strip(&mut then, named, &mut |_| ())?;
        lines_of_rows(&mut then, &mut now);
        for value in [&mut then, &mut now] {
            // When it was asked, and the words of an error, of which the code stays.
            for (object, member) in [
                ("", "request_id"),
                ("", "detail"),
                ("/report", "at"),
                ("/report", "generated_at"),
                ("/to", "at"),
            ] {
                if let Some(object) = value.pointer_mut(object).and_then(Value::as_object_mut) {
                    object.remove(member);
                }
            }
            if let Some(object) = value.as_object_mut() {
                if self.head == Head::Later {
                    object.remove("position");
                }
                // Since then, effective access has pages.
                if asked.path.starts_with("/v1/access?") {
                    let next = object.remove("next");
                    ensure!(next.is_none_or(|next| next.is_null()), "it fits on a page");
                }
                if asked.path.starts_with("/v1/permissions") {
                    object.remove("object");
                }
                // Since then, an explanation says that its list of paths is cut by where it goes on, has a graph, and says what
                // would mend a denial.
                if asked.path.starts_with("/v1/explain") {
                    let cut = object.remove("truncated").into_iter().chain(object.remove("next"));
                    for cut in cut {
                        ensure!(cut.is_null() || cut == json!(false), "the paths are cut");
                    }
                    if let Some(missing) = object.get_mut("missing").and_then(Value::as_object_mut) {
                        missing.remove("remedies");
                    }
                    for added in ["graph", "paths_total", "denied_by_total"] {
                        object.remove(added);
                    }
                }
            }
        }
        if let Some(path) = difference(&then, &now, String::new()) {
            bail!("differs at {path}: then {then}\nnow {now}");
        }
        Ok(())
    }

    /// Removes what is said today and was not then: the project of an object, which must be the one it was registered in or
    /// the one asked about; the name of an object that has none; keys of concern.
    fn strip(
        &self,
        value: &mut Value,
        named: Option<&str>,
        seen: &mut impl FnMut(&'static str),
    ) -> Result<()> {
        match value {
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.strip(item, named, seen)),
            Value::Object(members) => {
                self.strip_object(members, named, seen)?;
                members.values_mut().try_for_each(|member| self.strip(member, named, seen))
            }
            _ => Ok(()),
        }
    }

    fn strip_object(
        &self,
        members: &mut Map<String, Value>,
        named: Option<&str>,
        seen: &mut impl FnMut(&'static str),
    ) -> Result<()> {
        let is_registered = members
            .get("type")
            .is_some_and(|kind| ["dataset", "table", "printer"].iter().any(|one| kind == one));
        if is_registered && members.contains_key("id") && !members.contains_key("created_at") {
            members.retain(|name, value| name != "name" || !value.is_null());
            if let Some(project) = members.remove("project").filter(|project| !project.is_null()) {
                let home = members["id"].as_str().and_then(|id| self.golden.homes.get(id));
                let project = project.as_str().context("a project's id")?;
                ensure!(
                    Some(project) == named || home.is_some_and(|home| home == project),
                    "{members:?} is said to lie in {project}"
                );
                seen("an object says its project");
            }
        }
        if is_registered {
            members.retain(|name, value| name != "name" || !value.is_null());
        }
        // Since then, reads say how a thing is.
        if members.contains_key("created_at") {
            members.remove("state");
        }
        for concern in members.remove("keys_of_concern").iter().filter_map(Value::as_array).flatten() {
            let known = CONCERNS.iter().filter_map(|name| self.golden.keys.get(*name)?.id.as_deref());
            ensure!(known.into_iter().any(|id| concern["key"] == id), "{concern} is of no concern");
            seen("a key of concern is flagged");
        }
        Ok(())
    }
}

/// The first place at which two values differ.
fn difference(then: &Value, now: &Value, place: String) -> Option<String> {
    match (then, now) {
        (Value::Object(one), Value::Object(other)) => {
            let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
            names.filter(|name| one.get(*name) != other.get(*name)).find_map(|name| {
                let inside = format!("{place}/{name}");
                match (one.get(name), other.get(name)) {
                    (Some(one), Some(other)) => difference(one, other, inside),
                    _ => Some(inside),
                }
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let both = one.iter().zip(other).enumerate();
            both.filter(|(_, (one, other))| one != other)
                .find_map(|(index, (one, other))| difference(one, other, format!("{place}/{index}")))
        }
        _ => (then != now).then_some(place),
    }
}

/// Since then, what was gained and lost has one line for the permissions that are held alike, in `diff` and `timeline`: here
/// each line is taken apart into the rows of then. A line of every type says so: then, the types are not compared.
fn lines_of_rows(then: &mut Value, now: &mut Value) {
    match (then, now) {
        (Value::Array(then), Value::Array(now)) => {
            then.iter_mut().zip(now).for_each(|(then, now)| lines_of_rows(then, now));
        }
        (Value::Object(then), Value::Object(now)) => {
            for (name, then) in then {
                let Some(now) = now.get_mut(name) else { continue };
                if matches!(name.as_str(), "gained" | "lost") {
                    take_apart(then, now);
                } else {
                    lines_of_rows(then, now);
                }
            }
        }
        _ => {}
    }
}

fn take_apart(then: &mut Value, now: &mut Value) {
    let (Some(then), Some(lines)) = (then.as_array_mut(), now.as_array_mut()) else { return };
    let mut rows = Vec::new();
    for mut line in lines.drain(..) {
        let permissions = line.as_object_mut().and_then(|line| line.remove("permissions"));
        for permission in permissions.as_ref().and_then(Value::as_array).into_iter().flatten() {
            let mut row = line.clone();
            row["permission"] = permission.clone();
            rows.push(row);
        }
    }
    let is_every_type = |row: &Value| row["object_types"] == json!({"all_but": []});
    let every: Vec<Value> =
        rows.iter().filter(|row| is_every_type(row)).map(|row| row["permission"].clone()).collect();
    for row in then.iter_mut().chain(&mut rows) {
        if every.contains(&row["permission"]) {
            row["object_types"] = Value::Null;
        }
    }
    let key = |row: &Value| row.to_string();
    then.sort_by_key(key);
    rows.sort_by_key(key);
    *lines = rows;
}
