//! The answer about a hidden thing is the answer about an id that nobody has: every operation of the API's description, every
//! place in it where a reference can stand, several callers who may do little. docs/access.md, "Not seeing is not being".

mod document;
mod exceptions;
mod requests;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
};

use serde_json::{Value, json};

use self::{
    document::{Document, Operation, places_of},
    exceptions::Exceptions,
    requests::{
        AUTHZEN, CHECKS, LISTS, OBJECTS, PLAIN_PARAMETERS, PLAIN_PARAMETERS_OF, PLAIN_TEXTS, REQUESTS,
        RESOURCES, SCOPED, SCOPES, WITHOUT_REFERENCE,
    },
    world::{Caller, Form, Hidden, World},
};
use crate::given::Answer;

/// What no request holds otherwise, to find where a hole is.
const MARK: &str = "the-place-of-this-hole";

/// A request with holes.
struct Request {
    line: String,
    body: String,
    /// The names of its holes, in their order: `project`.
    holes: Vec<String>,
    operation: String,
    takes_as_of: bool,
    /// Where its holes are.
    places: Vec<String>,
}

/// In which way a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    Plain,
    /// As of a position at which all hidden things were there.
    AsOf,
    /// As a write that holds only at the present position, and is not to be made twice.
    Once,
    /// In a batch that is refused at its end, so that nothing is written.
    Batch,
    Plan,
    DryRun,
}

/// What can be told from an answer.
#[derive(Debug, Clone)]
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
    text: String,
}

/// One comparison.
struct Case<'c> {
    caller: &'c str,
    operation: &'c str,
    place: &'c str,
    way: Way,
    hidden: &'c Hidden,
    about_hidden: &'c Seen,
    about_nobody: &'c Seen,
}

/// What was walked, and what was found.
#[derive(Default)]
struct Walk {
    /// Operations, places, kinds and callers that were walked in one request at least.
    walked: BTreeSet<String>,
    places: BTreeMap<String, BTreeSet<String>>,
    comparisons: usize,
    requests: usize,
    accepted: BTreeSet<String>,
    leaks: BTreeMap<String, Vec<String>>,
    exceptions: Exceptions,
}

/// The text with its holes filled by number and name.
fn filled(text: &str, first: usize, mut value: impl FnMut(usize, &str) -> String) -> String {
    let mut pieces = text.split('@');
    let mut whole = pieces.next().unwrap().to_owned();
    for (index, piece) in pieces.enumerate() {
        let end = piece.find(|one: char| !one.is_ascii_lowercase()).unwrap_or(piece.len());
        let (hole, rest) = piece.split_at(end);
        whole += &value(first + index, hole);
        whole += rest;
    }
    whole
}

impl Request {
    fn new(document: &Document, line: &str, body: &str) -> Self {
        let mut holes = Vec::new();
        for text in [line, body] {
            filled(text, 0, |_, hole| {
                holes.push(hole.to_owned());
                String::new()
            });
        }
        let (method, target) = line.split_once(' ').unwrap();
        let operation = document.operation_of(method, target.split('?').next().unwrap());
        let mut request = Self {
            line: line.to_owned(),
            body: body.to_owned(),
            holes,
            operation: operation.name.clone(),
            takes_as_of: operation.takes_as_of,
            places: Vec::new(),
        };
        for hole in 0..request.holes.len() {
            let (line, body) = request.with(|index, _| if index == hole { MARK.into() } else { "x".into() });
            let places = places_of(operation, &line, &body, MARK);
            assert_eq!(places.len(), 1, "{line} {body}");
            request.places.extend(places);
        }
        request
    }

    fn with(&self, mut value: impl FnMut(usize, &str) -> String) -> (String, Value) {
        let line = filled(&self.line, 0, &mut value);
        let body = filled(&self.body, self.line.matches('@').count(), &mut value);
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() };
        (line, body)
    }

    /// Whether it is a command, which can be part of a batch.
    fn is_command(&self) -> bool {
        let asks = ["/check", "/explain", "/access/", "/test", "/replay", "/dead-letters"];
        !self.line.starts_with("GET") && !asks.iter().any(|word| self.line.contains(word))
    }

    /// The ways in which the request is sent: all if the hole is meant for this kind of things, and was not walked yet in another
    /// request of the operation; else the first.
    fn ways(&self, is_all: bool) -> &'static [Way] {
        match (self.is_command(), self.takes_as_of) {
            (true, _) if is_all => &[Way::Plan, Way::DryRun, Way::Batch, Way::Plain, Way::Once],
            (true, _) => &[Way::Batch],
            (false, true) if is_all => &[Way::Plain, Way::AsOf],
            (false, _) => &[Way::Plain],
        }
    }
}

fn requests(document: &Document) -> Vec<Request> {
    let mut all: Vec<(String, String)> =
        REQUESTS.iter().map(|(line, body)| ((*line).to_owned(), (*body).to_owned())).collect();
    for (line, body) in SCOPED {
        all.extend(SCOPES.iter().map(|scope| ((*line).to_owned(), body.replace("SCOPE", scope))));
    }
    for object in OBJECTS {
        for check in CHECKS {
            let check = check.replace("OBJECT", object);
            all.push(("POST /v1/check".to_owned(), check.clone()));
            all.push(("POST /v1/explain".to_owned(), check.clone()));
            all.push(("POST /v1/check/batch".to_owned(), format!(r#"{{"checks":[{check}]}}"#)));
        }
    }
    for (line, body) in AUTHZEN {
        let resources = if body.contains("RESOURCE") { RESOURCES } else { &[""] };
        all.extend(resources.iter().map(|one| ((*line).to_owned(), body.replace("RESOURCE", one))));
    }
    all.extend(LISTS.iter().map(|line| ((*line).to_owned(), String::new())));
    all.iter().map(|(line, body)| Request::new(document, line, body)).collect()
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        let told = |one: &Self| (one.status, one.headers.clone(), one.body.clone());
        // What is no JSON is compared as it is.
        told(self) == told(other) && (!self.body.is_null() || self.text == other.text)
    }
}

impl Seen {
    fn of(answer: &Answer, value: &str) -> Self {
        let text = answer.text.replace(value, "<it>").replace(answer.header("x-request-id"), "<request>");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let told = |name: &str| !["x-request-id", "content-length"].contains(&name);
        let headers = answer.headers.iter().filter(|(name, _)| told(name.as_str()));
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        Self { status: answer.status, headers, body, text }
    }

    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    /// Whether the command would have been carried out: refused is what makes the batch fail.
    fn is_accepted(&self) -> bool {
        self.status < 300 || self.body["pointer"].as_str().is_some_and(|at| at.starts_with("/commands/1"))
    }
}

impl World {
    async fn answer(&self, caller: &Caller, way: Way, (line, body): (&str, &Value), value: &str) -> Seen {
        let (method, target) = line.split_once(' ').unwrap();
        let mut headers = Vec::new();
        let name = self.given.name("once");
        let position;
        let with_parameter;
        let (mut line, mut body) = ((method, target), body.clone());
        match way {
            Way::Plain => {}
            Way::AsOf | Way::DryRun => {
                let sign = if target.contains('?') { '&' } else { '?' };
                let parameter =
                    if way == Way::AsOf { format!("as_of={}", self.then) } else { "dry_run=true".to_owned() };
                with_parameter = format!("{target}{sign}{parameter}");
                line.1 = &with_parameter;
            }
            Way::Once => {
                position = self.given.get("/v1/whoami").await.header("grantbook-position").to_owned();
                headers = vec![("grantbook-if-position", &*position), ("idempotency-key", &*name)];
            }
            Way::Batch | Way::Plan => {
                let mut commands = vec![json!({"method": method, "path": target})];
                if !body.is_null() {
                    commands[0]["body"] = body;
                }
                if way == Way::Batch {
                    let path = format!("/v1/projects/{}", self.nobodys(Form::Id).replace("01890", "01891"));
                    commands.push(json!({"method": "DELETE", "path": path}));
                }
                body = json!({"commands": commands});
                line = ("POST", if way == Way::Batch { "/v1/batch" } else { "/v1/plan" });
            }
        }
        let answer = self.given.send(&caller.key, line, &headers, &body).await;
        let mut seen = Seen::of(&answer, value);
        self.without_new(&mut seen.body);
        seen
    }
}

impl Walk {
    /// Everything that can be put into one hole, by one caller.
    async fn hole(&mut self, world: &World, caller: &Caller, request: &Request, hole: usize) {
        let name = &*request.holes[hole];
        let (operation, place) = (&*request.operation, &*request.places[hole]);
        let is_first = self.walked.insert(format!("{operation} {place} {name}"));
        let with = |value: &str| {
            request.with(
                |index, other| {
                    if index == hole { value.to_owned() } else { world.good(caller, other) }
                },
            )
        };
        let mut nobodys: HashMap<(Form, Way), Seen> = HashMap::new();
        for hidden in world.fitting(caller, name) {
            let is_meant = World::is_meant(hidden, name);
            let is_walked = is_meant || (is_first && World::is_sample(hidden));
            let ways = request.ways(is_meant && is_first);
            for way in ways.iter().filter(|_| is_walked) {
                let key = (hidden.form, *way);
                if let Entry::Vacant(vacant) = nobodys.entry(key) {
                    let value = world.nobodys(hidden.form);
                    vacant.insert(self.ask(world, (caller, operation), *way, (with(value), value)).await);
                }
                let about_nobody = &nobodys[&key];
                let about_hidden =
                    &self.ask(world, (caller, operation), *way, (with(&hidden.value), &hidden.value)).await;
                let caller = caller.name;
                let case = Case { caller, operation, place, way: *way, hidden, about_hidden, about_nobody };
                self.compare(&case);
                // What would be written is not: the state stays as it is for all comparisons.
                if *way == Way::Batch && (about_hidden.is_accepted() || about_nobody.is_accepted()) {
                    self.accepted.insert(format!("{operation} {place}"));
                    break;
                }
            }
        }
    }

    /// What names nothing.
    async fn list(&mut self, world: &World, caller: &Caller, request: &Request) {
        let value = world.nobodys(Form::Name);
        for way in request.ways(true) {
            let sent = request.with(|_, _| String::new());
            self.ask(world, (caller, &request.operation), *way, (sent, value)).await;
        }
    }

    fn compare(&mut self, case: &Case<'_>) {
        self.comparisons += 1;
        self.places.entry(case.operation.to_owned()).or_default().insert(case.place.to_owned());
        if case.about_hidden == case.about_nobody || self.exceptions.cover(case) {
            return;
        }
        let Case { caller, operation, place, way, hidden, about_hidden, about_nobody } = case;
        let (one, other) = (&about_hidden.text, &about_nobody.text);
        let what = format!(
            "{caller}: {operation}, {place}, {way:?}: {} {} for {} {}",
            about_hidden.status,
            about_hidden.code(),
            about_nobody.status,
            about_nobody.code(),
        );
        let more = format!("    {}\n      {one}\n      {other}", hidden.what);
        self.leaks.entry(what).or_default().push(more);
    }

    /// Sends a request; its answer may speak of nothing hidden that the request does not name.
    async fn ask(
        &mut self,
        world: &World,
        (caller, operation): (&Caller, &str),
        way: Way,
        ((line, body), value): ((String, Value), &str),
    ) -> Seen {
        let seen = world.answer(caller, way, (&line, &body), value).await;
        self.requests += 1;
        let sent = format!("{line} {body}");
        for hidden in world.hidden.iter().filter(|one| one.is_from(caller)) {
            let is_told = seen.text.contains(&hidden.value) && !sent.contains(&hidden.value);
            if is_told && !self.exceptions.may_mention(caller.name, operation) {
                let what = format!("{}: {operation} mentions the {}", caller.name, hidden.what);
                self.leaks.entry(what).or_default().push(format!("    {sent}\n      {}", seen.text));
            }
        }
        seen
    }

    fn add(&mut self, other: Self) {
        for (operation, places) in other.places {
            self.places.entry(operation).or_default().extend(places);
        }
        self.comparisons += other.comparisons;
        self.requests += other.requests;
        self.accepted.extend(other.accepted);
        self.leaks.extend(other.leaks);
        self.exceptions.add(&other.exceptions);
    }

    fn told(&self) -> Vec<String> {
        let words = |(operation, places): (&String, &BTreeSet<String>)| {
            let places: Vec<_> = places.iter().map(String::as_str).collect();
            format!("{operation}: {}", places.join(", "))
        };
        let mut told: Vec<_> = self.places.iter().map(words).collect();
        told.push(format!("without any reference: {}", WITHOUT_REFERENCE.join(", ")));
        told.push(format!("accepted, and so not written: {:?}", self.accepted));
        told.extend(self.exceptions.told());
        told.push(format!(
            "{} operations with {} places, {} without; {} requests, {} comparisons",
            self.places.len(),
            self.places.values().map(BTreeSet::len).sum::<usize>(),
            WITHOUT_REFERENCE.len(),
            self.requests,
            self.comparisons
        ));
        let leak =
            |(what, cases): (&String, &Vec<String>)| format!("{what}: {} times\n{}", cases.len(), cases[0]);
        told.extend(self.leaks.iter().map(leak));
        told
    }
}

/// Every operation of the description is walked at every text of it, or listed as one that holds no reference.
fn require_whole(document: &Document, walked: &BTreeMap<String, BTreeSet<String>>) {
    let mut missing = Vec::new();
    for Operation { name, parameters, texts, .. } in &document.operations {
        let nothing = BTreeSet::new();
        let places = walked.get(name).unwrap_or(&nothing);
        let is_listed = WITHOUT_REFERENCE.contains(&name.as_str());
        if is_listed != places.is_empty() {
            missing.push(format!("{name}: walked, or without any reference: one of both"));
        }
        if is_listed {
            continue;
        }
        for parameter in parameters {
            let bare = parameter.split_once(' ').unwrap().1;
            let is_plain = PLAIN_PARAMETERS.contains(&bare) || PLAIN_PARAMETERS_OF.contains(&(name, bare));
            if !is_plain && !places.contains(parameter) {
                missing.push(format!("{name}: {parameter}"));
            }
        }
        for (place, (schema, member)) in texts {
            if !PLAIN_TEXTS.contains(&(schema, member)) && !places.contains(place) {
                missing.push(format!("{name}: {place} ({schema}.{member})"));
            }
        }
    }
    assert!(missing.is_empty(), "not walked:\n{}", missing.join("\n"));
}

/// A command in a batch is in its path and its body.
fn in_batches(requests: &[Request]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in requests.iter().filter(|request| request.is_command()) {
        for place in &request.places {
            let place = match place.strip_prefix("body ") {
                Some(inner) => format!("body /commands/*/body{inner}"),
                None => "body /commands/*/path".to_owned(),
            };
            for operation in ["POST /v1/batch", "POST /v1/plan"] {
                found.entry(operation.to_owned()).or_default().insert(place.clone());
            }
        }
    }
    found
}

/// Everything, by one caller. Nothing is written, so callers do not meet.
async fn walk_as(world: Arc<World>, caller: usize, requests: Arc<Vec<Request>>) -> Walk {
    let mut walk = Walk::default();
    for request in &*requests {
        if request.holes.is_empty() {
            walk.list(&world, &world.callers[caller], request).await;
        }
        for hole in 0..request.holes.len() {
            walk.hole(&world, &world.callers[caller], request, hole).await;
        }
        // About a thing that the caller may see: the answer must not mention what is hidden beside it.
        if !request.holes.is_empty() && request.line.starts_with("GET") {
            let caller = &world.callers[caller];
            let value = world.nobodys(Form::Name);
            let sent = request.with(|_, other| world.good(caller, other));
            walk.ask(&world, (caller, &request.operation), Way::Plain, (sent, value)).await;
        }
    }
    walk
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hidden_thing_is_answered_like_one_that_is_not_there() {
    let document = Document::read();
    let requests = Arc::new(requests(&document));
    let world = Arc::new(World::new().await);
    let mut walk = Walk { places: in_batches(&requests), ..Walk::default() };
    let walks: Vec<_> = (0..world.callers.len())
        .map(|caller| tokio::spawn(walk_as(Arc::clone(&world), caller, Arc::clone(&requests))))
        .collect();
    for one in walks {
        walk.add(one.await.unwrap());
    }
    println!("{}", walk.told().join("\n"));
    require_whole(&document, &walk.places);
    assert!(walk.leaks.is_empty(), "{} differences", walk.leaks.len());
    walk.exceptions.require_used();
    assert!(walk.places.len() >= 71 && walk.comparisons > 40_000, "{}", walk.comparisons);
}
