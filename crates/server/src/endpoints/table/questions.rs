//! Questions: checks, access, history, AuthZEN, and what those who run it ask.

use grantbook_api::{
    authzen::{
        ActionSearch, Decision, Decisions, EvaluationRequest, EvaluationsRequest, FoundActions,
        FoundEntities, PdpConfiguration, ResourceSearch, SubjectSearch,
    },
    questions::{
        access::{Access, AccessQuery},
        audit::{AuditDays, AuditDaysQuery, AuditItem, AuditLog, AuditQuery},
        check::{CheckAnswer, CheckBatch, CheckBatchAnswer, CheckRequest},
        diff::{Diff, DiffQuery},
        explain::{ExplainQuery, Explanation},
        feed::AccessChange,
        grant_history::{GrantHistoryQuery, GrantedItem},
        readiness::{Health, Readiness},
        report::{Report, ReportQuery, ReportRow},
        reverse::{Accessible, AccessibleQuery, Permissions, PermissionsQuery, WhoCan, WhoCanQuery},
        timeline::{Timeline, TimelineQuery},
        watch::{WatchEnd, WatchQuery, WatchStale},
    },
    whoami::Whoami,
    words::list::AsOfQuery,
};

use crate::{
    authzen::{discovery, evaluation, search},
    endpoints::{
        Endpoint,
        Verb::{Get, Post},
        health,
        row::{any, operator, question, schema, text},
    },
    read::{
        questions::{access, audit, check, diff, explain, grant_history, report, reverse, timeline, whoami},
        watch,
    },
};

pub(crate) fn rows() -> Vec<Endpoint> {
    [check_rows(), access_rows(), reverse_rows(), diff_rows(), audit_rows(), authzen_rows(), health_rows()]
        .into_iter()
        .flatten()
        .collect()
}

fn check_rows() -> Vec<Endpoint> {
    Vec::from([
        question("check", Post, "/v1/check", check::one)
            .tag("check")
            .says(
                "May this principal, or this key, do that? Without either: may the caller, with the \
                 key presented?",
            )
            .query::<AsOfQuery>()
            .body::<CheckRequest>()
            .answers::<CheckAnswer>(200, "Yes or no."),
        question("check_batch", Post, "/v1/check/batch", check::many)
            .tag("check")
            .says("Many checks on one snapshot, answered in their order.")
            .query::<AsOfQuery>()
            .body::<CheckBatch>()
            .answers::<CheckBatchAnswer>(200, "Yes or no, each."),
        question("explain", Post, "/v1/explain", explain::post)
            .tag("check")
            .says(
                "Why a check has its answer: the whole graph of what allows and denies, pages of paths \
                 through it with the records behind them, or what is missing.",
            )
            .query::<ExplainQuery>()
            .body::<CheckRequest>()
            .answers::<Explanation>(200, "The answer, the graph, and one page of paths."),
        question("whoami", Get, "/v1/whoami", whoami::get)
            .tag("whoami")
            .says("Whose key this is.")
            .answers::<Whoami>(200, "The caller."),
    ])
}

fn access_rows() -> Vec<Endpoint> {
    Vec::from([
        question("access", Get, "/v1/access", access::get)
            .tag("access")
            .says("The effective access of a principal, no key considered.")
            .query::<AccessQuery>()
            .answers::<Access>(200, "By permission."),
        question("report", Get, "/v1/report", report::get)
            .tag("access")
            .says(
                "Everybody's access, grant by grant, with who gave it. No key considered. Streamed on \
                 one snapshot; complete if its end is there, else ask again.",
            )
            .query::<ReportQuery>()
            .answers_in(
                200,
                "All of it.",
                &[
                    ("application/json", schema::<Report>),
                    ("application/x-ndjson", schema::<ReportRow>),
                    ("text/csv", text),
                ],
            ),
        question("timeline", Get, "/v1/timeline", timeline::get)
            .tag("access")
            .says(
                "How the access of a principal changed, or everybody's to a project, oldest change \
                 first; no key considered.",
            )
            .query::<TimelineQuery>()
            .answers::<Timeline>(200, "One page."),
    ])
}

fn reverse_rows() -> Vec<Endpoint> {
    Vec::from([
        question("who_can", Get, "/v1/who-can", reverse::who_can)
            .tag("access")
            .says(
                "The users and service tokens that may do it, each with a shortest way on which it is \
                 granted.",
            )
            .query::<WhoCanQuery>()
            .answers::<WhoCan>(200, "One page."),
        question("accessible", Get, "/v1/accessible", reverse::accessible)
            .tag("access")
            .says("The living objects of a type on which a principal has a permission.")
            .query::<AccessibleQuery>()
            .answers::<Accessible>(200, "One page."),
        question("permissions", Get, "/v1/permissions", reverse::permissions)
            .tag("access")
            .says("The permissions that a principal has on an object.")
            .query::<PermissionsQuery>()
            .answers::<Permissions>(200, "In the catalog's order."),
    ])
}

fn diff_rows() -> Vec<Endpoint> {
    Vec::from([question("diff", Get, "/v1/diff", diff::get)
        .tag("access")
        .says("Who gained and lost what between two moments; no key considered.")
        .query::<DiffQuery>()
        .answers::<Diff>(200, "One page.")])
}

fn audit_rows() -> Vec<Endpoint> {
    Vec::from([
        question("audit", Get, "/v1/audit", audit::get)
            .tag("audit")
            .says(
                "The records that meet all filters. `Accept: application/x-ndjson` streams them all, \
                 one a line.",
            )
            .query::<AuditQuery>()
            .answers_in(
                200,
                "One page, or all.",
                &[("application/json", schema::<AuditLog>), ("application/x-ndjson", schema::<AuditItem>)],
            ),
        question("audit_days", Get, "/v1/audit/days", audit::days::get)
            .tag("audit")
            .says("How many records each day has, of those with any; at most 366 days.")
            .query::<AuditDaysQuery>()
            .answers::<AuditDays>(200, "The days, and the first and last of all."),
        question("grant_history", Get, "/v1/grants/history", grant_history::get)
            .tag("audit")
            .says(
                "Everything that was ever granted: by whom, to whom, when, from where, with which \
                 credential, why; and what of it still holds.",
            )
            .query::<GrantHistoryQuery>()
            .answers_page::<GrantedItem>(),
        question("watch", Get, "/v1/watch", watch::get)
            .tag("audit")
            .says(
                "Records and changes of access as they come, server-sent events without an end. \
                 Messages are named `record`, `change`, `stale`, `error` and `end`; the `id` of a \
                 record's last message is its position. A comment comes at least every 15 seconds, \
                 with an `id` up to which nothing was left out. `Last-Event-ID` goes on behind the \
                 message of that id, each message once. The caller's right is asked for again at \
                 every record: an `end` follows once it is gone.",
            )
            .query::<WatchQuery>()
            .header("Last-Event-ID", "The id of the last message received.")
            .answers_in(
                200,
                "Messages, as their data.",
                &[
                    ("text/event-stream", schema::<AuditItem>),
                    ("text/event-stream; event=change", schema::<AccessChange>),
                    ("text/event-stream; event=stale", schema::<WatchStale>),
                    ("text/event-stream; event=end", schema::<WatchEnd>),
                ],
            ),
    ])
}

fn authzen_rows() -> Vec<Endpoint> {
    Vec::from([
        operator("authzen_configuration", "/.well-known/authzen-configuration", discovery::configuration)
            .tag("authzen")
            .says("Where the calls of AuthZEN are; needs a configured public URL, and no key.")
            .answers::<PdpConfiguration>(200, "Where what is."),
        question("authzen_evaluation", Post, "/access/v1/evaluation", evaluation::one)
            .tag("authzen")
            .says(
                "May this subject do this action on that resource? A denial is an answer, not an \
                 error.",
            )
            .body::<EvaluationRequest>()
            .answers::<Decision>(200, "Yes or no."),
        question("authzen_evaluations", Post, "/access/v1/evaluations", evaluation::many)
            .tag("authzen")
            .says("Several evaluations on one snapshot, answered in their order; without any, one.")
            .body::<EvaluationsRequest>()
            .answers::<Decisions>(200, "Yes or no, each; a single decision without `evaluations`."),
        question("authzen_search_subject", Post, "/access/v1/search/subject", search::subject)
            .tag("authzen")
            .says("Which subjects of a type may do the action on the resource?")
            .body::<SubjectSearch>()
            .answers::<FoundEntities>(200, "Those who may."),
        question("authzen_search_resource", Post, "/access/v1/search/resource", search::resource)
            .tag("authzen")
            .says("On which resources of a type may the subject do the action?")
            .body::<ResourceSearch>()
            .answers::<FoundEntities>(200, "Those on which it may."),
        question("authzen_search_action", Post, "/access/v1/search/action", search::action)
            .tag("authzen")
            .says("Which actions may the subject do on the resource?")
            .body::<ActionSearch>()
            .answers::<FoundActions>(200, "Those that it may do."),
    ])
}

fn health_rows() -> Vec<Endpoint> {
    Vec::from([
        operator("healthz", "/healthz", health::healthz)
            .tag("operation")
            .says("The process lives.")
            .answers::<Health>(200, "It does, however it is."),
        operator("readyz", "/readyz", health::readyz)
            .tag("operation")
            .says("Whether the node answers, and how far behind the journal it is.")
            .answers::<Readiness>(200, "It answers.")
            .answers::<Readiness>(503, "It does not; the reason says why."),
        operator("metrics", "/metrics", health::metrics)
            .tag("operation")
            .says("Counters in Prometheus' text format.")
            .answers_in(200, "Counters.", &[("text/plain", text)]),
        operator("openapi", "/openapi.json", health::openapi)
            .tag("operation")
            .says("This document.")
            .answers_in(200, "OpenAPI.", &[("application/json", any)]),
    ])
}
