//! Questions: may somebody do something and why; who can; what changed between two moments.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use chrono::NaiveDate;
use grantbook_api::{
    people::{
        explanation::{headline, near_lines, path_lines},
        names::{Kind, NameError},
        picture::picture,
        reference::{AskedArg, ObjectArg, PrincipalArg},
        remedy::command_lines,
        text::clean,
        when::Bound,
    },
    questions::{
        check::CheckRequest,
        diff::DiffQuery,
        explain::{ExplainQuery, Explanation, Remedy},
        reverse::{WaysForm, WhoCan, WhoCanQuery},
    },
    words::secret::Secret,
};

use crate::{
    frame::Frame,
    pages::grants::permissions,
    shown::{
        change::{self, ShownBoth},
        form::{Asked, Fields},
        paging::{self, ITEMS},
    },
    visit::{Stop, Visit, page_of, trouble},
};

const PART: &str = "/console/ask";

/// A line of a way.
struct Line {
    class: &'static str,
    text: String,
}

/// Ways of one kind.
struct Section {
    title: &'static str,
    paths: Vec<Vec<Line>>,
}

/// Something that would turn a denial into an allow.
struct Mend {
    text: String,
    commands: Vec<String>,
}

struct Answer {
    allowed: bool,
    headline: String,
    missing: Option<String>,
    sections: Vec<Section>,
    more: Option<String>,
    mend: Vec<Mend>,
    picture: String,
}

#[derive(Template)]
#[template(path = "ask.html")]
struct AskPage {
    frame: Frame,
    asked: Fields,
    permissions: Vec<String>,
    answer: Option<Answer>,
}

pub(crate) async fn show(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    let is_asked = asked.text("permission").is_some() && asked.text("object").is_some();
    let words = ["principal", "permission", "object"].map(|name| asked.or_empty(name)).join(" ");
    let mut frame = visit.frame("Ask", PART, format!("grantbook why {words}"));
    let mut answer = None;
    if is_asked {
        match explained(&visit, &asked).await {
            Ok(explanation) => {
                frame.position = Some(explanation.position.clone());
                answer = Some(told(&explanation));
            }
            Err(error) => frame.trouble = Some(trouble(&error)?),
        }
    }
    let status = if frame.trouble.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = AskPage { frame, asked, permissions: permissions(&visit.client).await?, answer };
    Ok((status, page_of(&page)).into_response())
}

async fn explained(visit: &Visit, asked: &Fields) -> Result<Explanation, NameError> {
    let client = &visit.client;
    let who: AskedArg =
        asked.text("principal").as_deref().unwrap_or("me").parse().map_err(NameError::Malformed)?;
    let (principal, key) = match who {
        AskedArg::Me => (None, None),
        AskedArg::Principal(arg) => (Some(client.principal_of(&arg).await?), None),
        AskedArg::Key(id) => (None, Some(Secret::new(id))),
    };
    let object: ObjectArg = asked.or_empty("object").parse().map_err(NameError::Malformed)?;
    let object = client.asked_object_of(&object, asked.text("project").as_deref()).await?.object;
    let request = CheckRequest { principal, key, permission: asked.or_empty("permission"), object };
    let query = ExplainQuery { as_of: moment(asked, "as_of")?, ..ExplainQuery::default() };
    Ok(client.explain(&request, &query).await?.value)
}

/// A moment that is looked back to: a day is its last instant.
fn moment(asked: &Fields, field: &str) -> Result<Option<String>, NameError> {
    let Some(text) = asked.text(field) else { return Ok(None) };
    let bound: Bound = text.parse().map_err(NameError::Malformed)?;
    bound.moment().map(Some).map_err(|error| NameError::Malformed(error.to_string()))
}

/// A moment from which is looked: a day is its first instant.
pub(crate) fn beginning(asked: &Fields, field: &str) -> Result<Option<String>, NameError> {
    let Some(text) = asked.text(field) else { return Ok(None) };
    if NaiveDate::parse_from_str(&text, "%Y-%m-%d").is_ok() {
        return Ok(Some(format!("{text}T00:00:00Z")));
    }
    let bound: Bound = text.parse().map_err(NameError::Malformed)?;
    bound.text().map(Some).map_err(|error| NameError::Malformed(error.to_string()))
}

fn told(explanation: &Explanation) -> Answer {
    let ways = |paths: Vec<Vec<String>>| {
        paths.into_iter().map(|lines| lines.iter().map(|text| line(text)).collect()).collect()
    };
    let mut sections = Vec::new();
    let denied: Vec<_> = explanation.denied_by.iter().map(path_lines).collect();
    sections.extend((!denied.is_empty()).then(|| Section { title: "Denied by", paths: ways(denied) }));
    let paths: Vec<_> = explanation.paths.iter().map(path_lines).collect();
    let title = if explanation.allowed { "Because" } else { "What would allow it otherwise" };
    sections.extend((!paths.is_empty()).then(|| Section { title, paths: ways(paths) }));
    let near = explanation.missing.iter().flat_map(|missing| &missing.near).map(near_lines);
    let near: Vec<_> = near.collect();
    sections
        .extend((!near.is_empty()).then(|| Section { title: "Grants that come close", paths: ways(near) }));
    let listed = explanation.paths.len();
    let more = explanation.next.as_ref();
    let headline = headline(explanation);
    Answer {
        allowed: explanation.allowed,
        picture: picture(explanation, &headline),
        // The verdict stands above it.
        headline: clean(headline.split_once(": ").map_or(headline.as_str(), |(_, rest)| rest)),
        missing: explanation.missing.as_ref().map(|missing| clean(&missing.detail)),
        mend: mends(explanation),
        sections,
        more: more.map(|_| {
            format!(
                "{listed} of {} ways are listed; the picture has every grant once.",
                explanation.paths_total
            )
        }),
    }
}

fn mends(explanation: &Explanation) -> Vec<Mend> {
    let remedies = explanation.missing.iter().flat_map(|missing| &missing.remedies);
    let shown = |remedy: &Remedy| Mend { text: clean(&remedy.detail), commands: command_lines(remedy) };
    remedies.map(shown).collect()
}

fn line(text: &str) -> Line {
    let class = if text.starts_with("  ") { "detail" } else { "step" };
    Line { class, text: clean(text.trim_start()) }
}

/// Somebody who can, and by what.
pub(crate) struct Holder {
    pub(crate) name: String,
    pub(crate) way: String,
}

/// A group in a way; its name is empty where the caller may not see it.
fn group(name: &str) -> String {
    if name.is_empty() { "a group that you may not see".to_owned() } else { format!("group:{name}") }
}

/// Holders with shared ways, in words.
pub(crate) fn holders(found: &WhoCan) -> Vec<Holder> {
    let shown = found.items.iter().map(|holder| {
        let way = holder.way.and_then(|index| found.ways.get(index));
        let first = holder.via.iter().map(|via| group(&via.group.name));
        let rest = way.iter().flat_map(|way| &way.via).map(|via| group(&via.group.name));
        let chain: Vec<String> = first.chain(rest).collect();
        let gives = way.map(|way| {
            let role = way.role.as_ref().map(|role| role.name.clone()).filter(|name| !name.is_empty());
            let gives = role.or_else(|| way.grant.permissions.as_ref().map(|list| list.join(", ")));
            format!(
                "{} on {}",
                gives.unwrap_or_else(|| "a role that you may not see".to_owned()),
                way.matched.scope
            )
        });
        let mut way: Vec<String> = Vec::new();
        way.extend((!chain.is_empty()).then(|| format!("in {}", chain.join(", in "))));
        way.extend(gives);
        Holder { name: change::principal(&holder.principal), way: clean(&way.join(": ")) }
    });
    shown.collect()
}

#[derive(Template)]
#[template(path = "who.html")]
struct WhoPage {
    frame: Frame,
    asked: Fields,
    is_answered: bool,
    holders: Vec<Holder>,
    next: Option<String>,
}

pub(crate) async fn who(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    let words = ["permission", "object"].map(|name| asked.or_empty(name)).join(" ");
    let mut frame = visit.frame("Who can", PART, format!("grantbook who-can {words}"));
    let (mut found, is_asked) = (None, asked.text("permission").is_some() && asked.text("object").is_some());
    if is_asked {
        match who_can(&visit, &asked).await {
            Ok(answer) => found = Some(answer),
            Err(error) => frame.trouble = Some(trouble(&error)?),
        }
    }
    let status = if frame.trouble.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    frame.position = found.as_ref().map(|found| found.position.clone());
    let cursor = found.as_mut().and_then(|found| found.next.take());
    let next = paging::next("/console/ask/who", &asked, &["permission", "object", "as_of"], cursor);
    let page = WhoPage {
        frame,
        asked,
        is_answered: found.is_some(),
        holders: found.as_ref().map(holders).unwrap_or_default(),
        next,
    };
    Ok((status, page_of(&page)).into_response())
}

async fn who_can(visit: &Visit, asked: &Fields) -> Result<WhoCan, NameError> {
    let arg: ObjectArg = asked.or_empty("object").parse().map_err(NameError::Malformed)?;
    let object = visit.client.asked_object_of(&arg, asked.text("project").as_deref()).await?.object;
    let query = WhoCanQuery {
        permission: asked.or_empty("permission"),
        object: format!("{}:{}", object.object_type, object.id),
        project: object.project,
        ways: Some(WaysForm::Shared),
        limit: Some(ITEMS),
        cursor: asked.text("cursor"),
        as_of: moment(asked, "as_of")?,
    };
    Ok(visit.client.who_can(&query).await?.value)
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    frame: Frame,
    asked: Fields,
    is_answered: bool,
    changes: Vec<ShownBoth>,
    next: Option<String>,
}

pub(crate) async fn compare(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    let words = ["from", "to"].map(|name| asked.or_empty(name)).join(" ");
    let mut frame = visit.frame("Compare two days", PART, format!("grantbook diff {words}"));
    let mut found = None;
    if asked.text("from").is_some() {
        match compared(&visit, &asked).await {
            Ok(answer) => found = Some(answer),
            Err(error) => frame.trouble = Some(trouble(&error)?),
        }
    }
    let status = if frame.trouble.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    frame.position = found.as_ref().map(|found| found.to.position.clone());
    let cursor = found.as_mut().and_then(|found| found.next.take());
    let page = ComparePage {
        frame,
        next: paging::next("/console/ask/compare", &asked, &["from", "to", "principal"], cursor),
        asked,
        is_answered: found.is_some(),
        changes: found.iter().flat_map(|found| &found.items).map(change::both).collect(),
    };
    Ok((status, page_of(&page)).into_response())
}

async fn compared(visit: &Visit, asked: &Fields) -> Result<grantbook_api::questions::diff::Diff, NameError> {
    let principal = match asked.text("principal") {
        Some(text) => {
            let arg: PrincipalArg = text.parse().map_err(NameError::Malformed)?;
            let found = visit.client.principal_of(&arg).await?;
            Some(format!("{}:{}", found.kind, found.id))
        }
        None => None,
    };
    let project = match asked.text("project") {
        Some(name) => Some(visit.client.id_of(Kind::Project, &name).await?),
        None => None,
    };
    let query = DiffQuery {
        from: moment(asked, "from")?.unwrap_or_default(),
        to: moment(asked, "to")?,
        principal,
        project,
        limit: Some(ITEMS),
        cursor: asked.text("cursor"),
    };
    Ok(visit.client.diff(&query).await?.value)
}
