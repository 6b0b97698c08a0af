//! Endpoints are data: one row an operation. The router, the `OpenAPI` document and the commands of batches are made from it.

mod console;
pub(crate) mod health;
pub(crate) mod observe;
mod openapi;
mod router;
mod row;
mod table;

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};

use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    routing::{MethodFilter, MethodRouter, on},
};

use self::openapi::document;
pub(crate) use self::router::reaches_both_sides;
#[cfg(test)]
pub(crate) use self::router::web;
pub use self::router::{noop_router, openapi_json, router, router_until};
use crate::{
    http::problem::Failure,
    state::Web,
    write::{
        forwarded::{Effect, forward},
        parse::{Call, Parse, ParsedWrite},
        request::WriteRequest,
    },
};

/// What an operation does, and so: which process serves it, which headers it takes, and whether a batch may hold it.
#[derive(Debug, Clone)]
pub(crate) enum Handling {
    /// One command, decided by a command service; a batch may hold it.
    Write(Parse),
    /// Several of them, all or none.
    Batch,
    /// What a batch would do. Decided by a command service, and nothing is written.
    Plan,
    /// A question, answered by a node that has a view, as of any moment.
    Question(MethodRouter<Arc<Web>>),
    /// A question about the state that commands are decided on, answered by a command service.
    CommandQuestion(MethodRouter<Arc<Web>>),
    /// What the node that is asked does itself, such as a delivery that is retried: it makes no record.
    Action(MethodRouter<Arc<Web>>),
    /// For those who run the process: answered by every one, without a key.
    Operator(MethodRouter<Arc<Web>>),
}

/// One operation.
pub(crate) struct Endpoint {
    method: Verb,
    path: &'static str,
    handling: Handling,
    description: row::Description,
}

/// The methods that operations have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Get,
    Post,
    Patch,
    Delete,
}

impl Verb {
    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    /// HEAD is answered as GET is.
    const fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::POST => Some(Self::Post),
            Method::PATCH => Some(Self::Patch),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }
}

/// All operations.
static TABLE: LazyLock<Vec<Endpoint>> = LazyLock::new(table::table);

/// The questions among them: every request is looked up here.
static QUESTIONS: LazyLock<HashSet<(Verb, &str)>> = LazyLock::new(|| {
    let is_question = |one: &&Endpoint| {
        matches!(one.handling, Handling::Question(_) | Handling::CommandQuestion(_) | Handling::Operator(_))
    };
    TABLE.iter().filter(is_question).map(|one| (one.method, one.path)).collect()
});

/// Whether the operation is a question: it changes nothing. Every GET is one, also of a path that is no operation's.
pub(crate) fn is_question(method: &Method, template: &str) -> bool {
    let questions: &HashSet<(Verb, &str)> = &QUESTIONS;
    let verb = Verb::of(method);
    verb.is_some_and(|verb| verb == Verb::Get || questions.contains(&(verb, template)))
}

/// The command that a call stands for: of a single write, or in a batch. The path is decoded, segment by segment.
pub(crate) fn parse(method: &Method, path: &[&str], call: Call<'_>) -> Result<ParsedWrite, Failure> {
    let verb = Verb::of(method);
    let writes = TABLE.iter().filter(|one| Some(one.method) == verb);
    let mut found = writes.filter_map(|one| match &one.handling {
        Handling::Write(parse) => Some((*parse, variables(one.path, path)?)),
        Handling::Batch
        | Handling::Plan
        | Handling::Question(_)
        | Handling::CommandQuestion(_)
        | Handling::Action(_)
        | Handling::Operator(_) => None,
    });
    let (parse, variables) = found.next().ok_or_else(Failure::no_route)?;
    if verb == Some(Verb::Delete) && !call.body.is_null() {
        return Err(Failure::invalid_at("", "this request takes no body"));
    }
    parse(Call { variables: &variables, ..call })
}

/// The variable segments of a path, if it is one of this template.
fn variables<'p>(template: &str, path: &[&'p str]) -> Option<Vec<&'p str>> {
    let mut template = template.split('/').skip(1);
    let mut variables = Vec::new();
    for segment in path {
        let expected = template.next()?;
        if expected.starts_with('{') {
            variables.push(*segment);
        } else if expected != *segment {
            return None;
        }
    }
    template.next().is_none().then_some(variables)
}

/// The router of all operations. A process that forwards passes on what a command side decides.
fn operations(forwards: bool) -> Router<Arc<Web>> {
    let mut router = Router::new();
    for Endpoint { method, path, handling, .. } in TABLE.iter() {
        let served = match handling {
            Handling::Write(_) | Handling::Batch if forwards => passed_on(*method, Effect::Writes),
            Handling::Plan | Handling::CommandQuestion(_) if forwards => passed_on(*method, Effect::Asks),
            Handling::Write(_) | Handling::Batch => {
                on(method.filter(), |request: WriteRequest| request.run(parse))
            }
            Handling::Plan => on(method.filter(), |request: WriteRequest| request.plan(parse)),
            Handling::Question(served)
            | Handling::CommandQuestion(served)
            | Handling::Action(served)
            | Handling::Operator(served) => served.clone(),
        };
        router = router.route(path, served);
    }
    // Where the public URL has a path, the description lies between host and path.
    router.route("/.well-known/authzen-configuration/{*path}", crate::authzen::discovery_below())
}

fn passed_on(method: Verb, effect: Effect) -> MethodRouter<Arc<Web>> {
    on(method.filter(), move |State(web): State<Arc<Web>>, request: Request| forward(web, request, effect))
}

#[cfg(test)]
mod tests {
    use grantbook_api::words::posted;

    use super::*;

    #[test]
    fn variables_are_the_segments_in_braces() {
        let path = ["v1", "groups", "g", "members"];
        assert_eq!(variables("/v1/groups/{id}/members", &path), Some(vec!["g"]));
        for other in ["/v1/groups/{id}", "/v1/groups/{id}/members/{type}", "/v1/roles/{id}/members", "/"] {
            assert_eq!(variables(other, &path), None, "{other}");
        }
        assert_eq!(variables("/v1/batch", &["v1", "batch"]), Some(Vec::new()));
    }

    /// Clients know where to send what by these constants.
    #[test]
    fn the_client_knows_every_post_that_writes_nothing() {
        let posts = TABLE.iter().filter(|one| one.method == Verb::Post && one.path.starts_with("/v1/"));
        let (mut questions, mut actions) = (Vec::new(), Vec::new());
        for one in posts {
            match one.handling {
                Handling::Question(_) => questions.push(one.path),
                Handling::Action(_) => actions.push(one.path),
                Handling::Write(_)
                | Handling::Batch
                | Handling::Plan
                | Handling::CommandQuestion(_)
                | Handling::Operator(_) => {}
            }
        }
        assert_eq!((questions, actions), (posted::QUESTIONS.to_vec(), posted::ACTIONS.to_vec()));
    }

    #[test]
    fn a_question_may_be_posted_and_a_write_is_none() {
        for (method, template, expected) in [
            (Method::POST, "/v1/check", true),
            (Method::POST, "/access/v1/evaluation", true),
            (Method::HEAD, "/v1/tokens", true),
            (Method::GET, "/.well-known/authzen-configuration/{*path}", true),
            (Method::POST, "-", false),
            (Method::POST, "/v1/tokens", false),
            (Method::POST, "/v1/batch", false),
            (Method::POST, "/v1/plan", false),
            (Method::POST, "/v1/webhooks/{id}/test", false),
            (Method::DELETE, "/v1/keys/{id}", false),
        ] {
            assert_eq!(is_question(&method, template), expected, "{method} {template}");
        }
    }
}
