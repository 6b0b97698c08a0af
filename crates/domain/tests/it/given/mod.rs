//! Given, when, then: a founded organization, commands by somebody, facts or a refusal.
//!
//! Times are milliseconds since [`START`]; ids are counted, so that a run is the same every time.

mod org;
mod words;

pub(crate) use org::{Org, START};
pub(crate) use words::{
    Give, all, all_but, as_user, assert_made, by, excluding, ids, label, labelled, labels, named, object,
    on_project, one_of, project_object, webhook, within,
};
