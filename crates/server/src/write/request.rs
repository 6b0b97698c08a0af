//! A write: from the request to a command, from the command's record to the answer.

use std::{collections::HashMap, sync::Arc, thread};

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use grantbook_api::{
    nouns::objects::ObjectProjectQuery,
    words::{header, list::DryRunQuery},
};
use grantbook_domain::{
    command::{Author, Command},
    id::OrgId,
    position::Position,
    record::Record,
    state::OrgState,
    text::{TextFault, check_prose, require_no_key},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    http::{
        body,
        client_address::ClientAddress,
        path,
        problem::Failure,
        query,
        respond::{json, with_position},
        single_header::single,
    },
    schedule::{Class, Party, cancel::CancelOnDrop, workers},
    state::{
        Web,
        authn::{self, Authenticated},
        metrics::CommandOutcome,
        security::Aim,
    },
    wire::position,
    write::{
        answer, batch, idempotency,
        parse::{Call, ParseAny, ParseContext, ParsedWrite, Secrets},
        plan, unchanged,
    },
};
use grantbook_command::{
    Idempotency, Outcome, Submission, SubmitError, TextFaults,
    secret::scan::{self, SecretInText},
};
use grantbook_views::Work;

/// A body that is longer, in bytes, is read and understood on a thread that may take its time.
const LONG: usize = 16 * 1024;

/// A write whose key was recognized, and which is not parsed yet.
#[derive(Debug)]
pub(crate) struct WriteRequest {
    web: Arc<Web>,
    who: Authenticated,
    method: Method,
    path: String,
    query: WriteQuery,
    body: Value,
    /// Of the body as it came, in bytes.
    length: usize,
    idempotency: Option<Idempotency>,
    if_position: Option<Position>,
    reason: Option<String>,
    /// What is wrong with the form of the request id and the reason.
    faults: TextFaults,
    source_ip: Option<String>,
}

impl FromRequest<Arc<Web>> for WriteRequest {
    type Rejection = Failure;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        web.commands()?;
        let who = authn::authenticate(web, &parts.headers).await?;
        let query = WriteQuery::of(&parts.uri)?;
        let mut faults = TextFaults::default();
        let reason = kept(reason(&parts.headers), &mut faults.reason);
        let if_position = if_position(web, &parts.headers)?;
        let bytes = if parts.method == Method::DELETE {
            body::require_none(&parts.headers, body).await?;
            None
        } else {
            Some(body::read(&parts.headers, body).await?)
        };
        let source_ip = parts.extensions.get().map(|ClientAddress(client)| client.to_string());
        let length = bytes.as_ref().map_or(0, bytes::Bytes::len);
        let (parts, body, idempotency) = with_body(web, party(&who), length, move || {
            let body = bytes.map_or(Ok(Value::Null), |bytes| body::value(&bytes))?;
            let whole = parts.uri.path_and_query().map_or(parts.uri.path(), |whole| whole.as_str());
            let idempotency = idempotency::of(&parts.headers, parts.method.as_str(), whole, &body);
            Ok((parts, body, idempotency))
        })
        .await?;
        let idempotency = kept(idempotency, &mut faults.request_id);
        Ok(Self {
            web: Arc::clone(web),
            who,
            path: parts.uri.path().to_owned(),
            method: parts.method,
            query,
            body,
            length,
            idempotency,
            if_position,
            reason,
            faults,
            source_ip,
        })
    }
}

impl WriteRequest {
    /// Carries it out, or says what it would do if that is what was asked for. The path says what it is, and `parse` reads it.
    pub(crate) async fn run(self, parse: ParseAny) -> Response {
        if self.query.dry_run {
            return self.plan(parse).await;
        }
        let (web, org, request) = (Arc::clone(&self.web), self.who.org, Arc::new(self));
        let answered = request.carry_out(parse).await;
        let aim = answered.as_ref().err().map(|failure| Aim::of(&request.body, failure.pointer()));
        drop_aside(request.length, request);
        let mut response = positioned(&web, org, answered);
        if let Some(aim) = aim {
            response.extensions_mut().insert(aim);
        }
        response
    }

    /// Says what it would do, and does nothing.
    pub(crate) async fn plan(self, parse: ParseAny) -> Response {
        let (web, org) = (Arc::clone(&self.web), self.who.org);
        positioned(&web, org, Arc::new(self).answer_plan(parse).await)
    }

    async fn answer_plan(self: Arc<Self>, parse: ParseAny) -> Result<Response, Failure> {
        let (web, commands, caller) = (Arc::clone(&self.web), self.web.commands()?.clone(), self.who.caller);
        let party = self.party();
        commands.confirm().await.map_err(|why| Failure::unconfirmed(&why))?;
        let (submission, ..) = self.understood(parse).await?;
        let place = web.app.scheduler.enter(Class::Questions, party).await?;
        let work = Work::limited(Work::LIMIT);
        let _stops_with_the_caller = CancelOnDrop::of(work.clone());
        let answered = workers::spawn(move || {
            let _held_until_answered = place;
            plan::answer(&web, &commands, &submission, caller, &work)
        });
        answered.await.map_err(|error| Failure::internal(&error))?
    }

    async fn carry_out(self: &Arc<Self>, parse: ParseAny) -> Result<Response, Failure> {
        let (web, commands) = (Arc::clone(&self.web), self.web.commands()?.clone());
        let parsed = match self.understood(parse).await {
            // What it names may have been made elsewhere a moment ago.
            Err(failure) if failure.status() == StatusCode::NOT_FOUND => {
                commands.confirm().await.map_err(|why| Failure::unconfirmed(&why))?;
                self.understood(parse).await
            }
            parsed => parsed,
        };
        let (submission, command, mut secrets) = match parsed {
            Ok(parsed) => parsed,
            Err(failure) => return self.repeat(failure).await,
        };
        // The command may wait for its turn, but what takes access away never does.
        let takes = commands.state(self.who.org).is_some_and(|state| state.may_only_take(&command));
        let class = if takes { Class::Taking } else { Class::Writes };
        let place = web.app.scheduler.enter(class, self.party()).await?;
        let submitted = commands.submit(submission).await;
        drop(place);
        web.metrics.command(counted(&submitted));
        if let Err(SubmitError::Refused(refusal)) = &submitted
            && let Some(limit) = refusal.limit()
        {
            web.metrics.limited(limit);
        }
        let outcome = match submitted {
            Ok(outcome) => outcome,
            Err(error) => {
                drop_aside(self.length, command);
                return Err(error.into());
            }
        };
        if outcome.replayed {
            secrets.shown_before();
        }
        let author = Author::Caller(self.who.caller);
        with_body(&self.web, self.party(), self.length, move || {
            answer(&web, &outcome, (&command, author), &secrets)
        })
        .await
    }

    /// The command that the request stands for.
    async fn understood(
        self: &Arc<Self>,
        parse: ParseAny,
    ) -> Result<(Submission, Command, Secrets), Failure> {
        let request = Arc::clone(self);
        with_body(&self.web, self.party(), self.length, move || request.parse(parse)).await
    }

    /// If this request id was accepted before, repeats its answer: the rules may have changed since. Otherwise
    /// returns the failure.
    async fn repeat(&self, failure: Failure) -> Result<Response, Failure> {
        let (web, idempotency) = (&self.web, self.idempotency.clone());
        if idempotency.is_none() {
            return Err(failure);
        }
        let submission = Submission {
            org: self.who.org,
            author: Author::Caller(self.who.caller),
            // Refused for every caller: only the request id counts.
            command: Command::Batch(Vec::new()),
            idempotency,
            if_position: None,
            source_ip: None,
            reason: None,
            faults: TextFaults::default(),
        };
        match web.commands()?.submit(submission).await {
            Ok(Outcome { record: Some(record), position, .. }) => {
                web.metrics.command(CommandOutcome::Replayed);
                let position = web.position_text(position);
                respond(recorded(&record, &Secrets::default(), &position), &position, true)
            }
            Ok(Outcome { record: None, .. }) | Err(SubmitError::Refused(_)) => Err(failure),
            Err(error) => Err(error.into()),
        }
    }

    /// On whose behalf it is.
    const fn party(&self) -> Party {
        party(&self.who)
    }

    /// What is wrong with the texts of the headers: their form, or that they hold a secret.
    fn faults(&self, state: &OrgState) -> TextFaults {
        let now = self.web.app.clock.now();
        let holds_none = |text: &str| scan::in_text(text, state, now).map_err(|_| TextFault::HoldsKey);
        let told = |name: &str, fault: TextFault| format!("{name} {fault}");
        let key = self.idempotency.as_ref().map_or("", |idempotency| &idempotency.key);
        let of_key = require_no_key(key).and_then(|()| holds_none(key)).err();
        let reason = self.reason.as_deref().unwrap_or_default();
        let of_reason = check_prose(reason).and_then(|()| holds_none(reason)).err();
        let TextFaults { request_id, reason } = self.faults.clone();
        TextFaults {
            request_id: request_id.or_else(|| of_key.map(|fault| told("Idempotency-Key", fault))),
            reason: reason.or_else(|| of_reason.map(|fault| told("Grantbook-Reason", fault))),
        }
    }

    /// That no text of the body holds a secret.
    fn judge_body(&self, state: &OrgState) -> Result<(), Failure> {
        let now = self.web.app.clock.now();
        scan::in_body(&self.body, state, now).map_err(|held| match held {
            SecretInText::Secret(pointer) => Failure::invalid_at(pointer, TextFault::HoldsKey.to_string()),
            SecretInText::TooMuch(pointer) => {
                let detail = "too much text to check for secrets: split the request";
                Failure::invalid_at(pointer, detail)
            }
        })
    }

    /// The same on the thread that calls.
    fn parse(&self, parse: ParseAny) -> Result<(Submission, Command, Secrets), Failure> {
        let (web, who, body) = (&self.web, self.who, &self.body);
        let state = web.commands()?.state(who.org).ok_or_else(Failure::bad_credential)?;
        self.judge_body(&state)?;
        if self.length > LONG {
            // A long body is understood in turns.
            thread::yield_now();
        }
        let webhooks = web.app.webhooks.as_ref().map(|webhooks| &webhooks.configured);
        let context = ParseContext { ids: &web.app.ids, state: &state, issued: &HashMap::new(), webhooks };
        let segments = path::segments(&self.path).ok_or_else(Failure::no_route)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (command, secrets, own_reason) = if matches!(segments.as_slice(), ["v1", "batch" | "plan"]) {
            let (command, secrets) = batch::plan_all(body, &context, parse)?;
            (command, secrets, None)
        } else {
            let ParsedWrite { command, secret, reason, .. } = parse(
                &self.method,
                &segments,
                Call { variables: &[], project: self.query.project.as_deref(), body, context: &context },
            )?;
            let mut secrets = Secrets::default();
            if let Some(made) = secret {
                secrets.add(made);
            }
            (command, secrets, reason)
        };
        let submission = Submission {
            org: who.org,
            author: Author::Caller(who.caller),
            command: command.clone(),
            idempotency: self.idempotency.clone(),
            if_position: self.if_position,
            source_ip: self.source_ip.clone(),
            reason: self.reason.clone().or(own_reason),
            faults: self.faults(&state),
        };
        Ok((submission, command, secrets))
    }
}

/// On whose behalf everything is done that this caller asks for.
const fn party(who: &Authenticated) -> Party {
    Party { org: who.org, principal: Some(who.caller.principal) }
}

/// Does something with a body of so many bytes: at once if it is short, else when it is the caller's turn, on a thread that may
/// take its time.
async fn with_body<T: Send + 'static>(
    web: &Web,
    party: Party,
    length: usize,
    run: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    if length <= LONG {
        return run();
    }
    let place = web.app.scheduler.enter(Class::Bodies, party).await?;
    let done = workers::spawn(move || {
        let _held_until_done = place;
        run()
    });
    done.await.map_err(|error| Failure::internal(&error))?
}

/// Drops what was made of a body of so many bytes. A long one is thousands of small pieces, which are given back where it was
/// understood, so that nobody else's request waits for that.
fn drop_aside<T: Send + 'static>(length: usize, made: T) {
    if length > LONG {
        drop(workers::spawn(move || drop(made)));
    }
}

/// The answer that follows from a record alone.
fn recorded(record: &Record, secrets: &Secrets, position: &str) -> (StatusCode, Value) {
    match record.steps.len() {
        0 => answer::of_events(&record.events, secrets),
        count => (StatusCode::OK, batch::answer(count, Some(record), secrets, position)),
    }
}

fn respond((status, body): (StatusCode, Value), position: &str, replayed: bool) -> Result<Response, Failure> {
    let mut response = with_position(json(status, &body)?, position);
    if replayed {
        response.headers_mut().insert(header::IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The answer: a function of the record, so that a repeated request gets it again; of the state if nothing changed.
fn answer(
    web: &Web,
    outcome: &Outcome,
    (command, author): (&Command, Author),
    secrets: &Secrets,
) -> Result<Response, Failure> {
    let asked = (author, web.app.clock.now());
    let position = web.position_text(outcome.position);
    let answer = match (&outcome.record, command) {
        (Some(record), _) => recorded(record, secrets, &position),
        (None, Command::Batch(commands)) => {
            (StatusCode::OK, batch::answer(commands.len(), None, secrets, &position))
        }
        (None, command) => (StatusCode::OK, unchanged::present(&outcome.state, command, asked)),
    };
    respond(answer, &position, outcome.replayed)
}

fn counted(submitted: &Result<Outcome, SubmitError>) -> CommandOutcome {
    match submitted {
        Ok(Outcome { replayed: true, .. }) => CommandOutcome::Replayed,
        Ok(Outcome { record: Some(_), .. }) => CommandOutcome::Recorded,
        Ok(Outcome { record: None, .. }) => CommandOutcome::Unchanged,
        Err(
            SubmitError::Refused(_)
            | SubmitError::Moved
            | SubmitError::IdempotencyMismatch
            | SubmitError::BadText(_)
            | SubmitError::RecordTooLarge { .. },
        ) => CommandOutcome::Refused,
        Err(SubmitError::Busy { .. }) => CommandOutcome::Busy,
        Err(_) => CommandOutcome::Failed,
    }
}

/// The answer, or the failure with the position that is known.
fn positioned(web: &Web, org: OrgId, answered: Result<Response, Failure>) -> Response {
    answered.unwrap_or_else(|failure| {
        let known = web.app.parts.commands().map_or(Position::START, |commands| commands.acknowledged(org));
        with_position(failure.into_response(), &web.position_text(known))
    })
}

/// What the query of a write says.
#[derive(Debug, Default)]
struct WriteQuery {
    /// That of an object in the path.
    project: Option<String>,
    dry_run: bool,
}

impl WriteQuery {
    fn of(uri: &Uri) -> Result<Self, Failure> {
        let segments = path::segments(uri.path()).unwrap_or_default();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            // It writes nothing anyway.
            ["v1", "plan"] => query::require_none(uri).map(|()| Self::default()),
            ["v1", "objects", _, _] => {
                let ObjectWriteQuery { project, dry_run } = query::read(uri)?;
                Ok(Self { project, dry_run })
            }
            _ => query::read(uri).map(|DryRunQuery { dry_run }| Self { project: None, dry_run }),
        }
    }
}

/// [`ObjectProjectQuery`] and [`DryRunQuery`] together.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ObjectWriteQuery {
    project: Option<String>,
    dry_run: bool,
}

/// The project that the query of a command in a batch names: only writes to an object have one, and nothing else.
pub(crate) fn project_of(path: &[&str], query: Option<&str>) -> Result<Option<String>, Failure> {
    let uri = format!("/?{}", query.unwrap_or_default());
    let uri: Uri = uri.parse().map_err(|_| Failure::invalid("the query is not percent-encoded UTF-8"))?;
    if !matches!(path, ["v1", "objects", _, _]) {
        return query::require_none(&uri).map(|()| None);
    }
    query::read::<ObjectProjectQuery>(&uri).map(|query| query.project)
}

fn if_position(web: &Web, headers: &HeaderMap) -> Result<Option<Position>, Failure> {
    let Some(text) = single(headers, header::IF_POSITION)? else { return Ok(None) };
    let position = position::decode(web.app.installation, text);
    position.map(Some).map_err(|error| Failure::invalid(format!("Grantbook-If-Position: {error}")))
}

/// What was read, or nothing and what is wrong with it.
fn kept<T>(read: Result<Option<T>, Failure>, fault: &mut Option<String>) -> Option<T> {
    read.unwrap_or_else(|failure| {
        *fault = Some(failure.detail().to_owned());
        None
    })
}

fn reason(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(text) = single(headers, header::REASON)? else { return Ok(None) };
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
