//! What organizations hold beyond the limits.

use grantbook_server::{
    admin::limits::{LimitUse, OrganizationUse, use_of_organizations},
    app::config::Limits,
    journal::follow::open::JournalAddress,
};

use crate::operator::doctor::{Finding, Status, finding};

/// One finding for each limit that an organization is beyond; one that says so for an organization that is within all.
pub(crate) async fn organizations(address: &JournalAddress, which: &str) -> Vec<Finding> {
    let which = Some(which).filter(|which| *which != "all");
    match use_of_organizations(address, &Limits::DEFAULT, which).await {
        Ok(found) if found.is_empty() => {
            vec![finding(
                "limits",
                Status::Unsafe,
                "no organization has this name or id",
                "name another one, or `all`",
            )]
        }
        Ok(found) => found.iter().flat_map(limits).collect(),
        Err(error) => {
            let advice = "stop the server to look at its journal, or ask it: GET /v1/limits";
            vec![finding("limits", Status::Unknown, error.to_string(), advice)]
        }
    }
}

fn limits(organization: &OrganizationUse) -> Vec<Finding> {
    let OrganizationUse { id, name, used } = organization;
    let beyond: Vec<_> = used.iter().filter(|one| one.is_beyond()).collect();
    if beyond.is_empty() {
        return vec![finding("limits", Status::Ok, format!("{name} ({id}): within every limit"), "")];
    }
    let one = |LimitUse { limit, used, most }: &LimitUse| {
        let found = format!("{name} ({id}): {used} {}, at most {most} can be made", limit.counts());
        finding("limits", Status::Warn, found, limit.advice())
    };
    beyond.into_iter().map(one).collect()
}
