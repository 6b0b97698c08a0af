//! Given, when, then: a founded organization, commands by somebody, facts or a refusal.
//!
//! Times are milliseconds since [`START`]; ids are counted, so that a run is the same every time.

mod org;
mod words;

use proptest::test_runner::{Config, FileFailurePersistence};

pub(crate) use org::{Org, START};
pub(crate) use words::{
    Give, all, all_but, as_user, assert_made, by, excluding, ids, label, labelled, labels, named, object,
    on_project, one_of, project_object, webhook, within,
};

/// Where the seeds of failed cases are kept, to be tried first from then on.
const SEEDS: FileFailurePersistence = FileFailurePersistence::Direct("tests/it/failed-seeds.txt");

/// How many cases a property is tried on, unless `PROPTEST_CASES` says otherwise.
pub(crate) fn cases(usual: u32) -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { usual };
    Config { cases, failure_persistence: Some(Box::new(SEEDS)), ..Config::default() }
}
