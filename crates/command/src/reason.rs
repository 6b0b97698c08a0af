//! Reasons that operators give.

use grantbook_domain::{
    text::{TextFault, check_prose},
    time::Timestamp,
};

use crate::{Fold, OrgFold, secret::scan};

/// Checks that an operator's reason is valid text and contains no active key of any organization. Judged
/// before anything is done that cannot be taken back.
pub fn expect_reason(reason: &str, fold: &Fold, now: Timestamp) -> Result<(), TextFault> {
    check_prose(reason)?;
    let holds_none = |one: &OrgFold| scan::in_text(reason, one.state(), now).is_ok();
    if fold.organizations().all(holds_none) { Ok(()) } else { Err(TextFault::HoldsKey) }
}
