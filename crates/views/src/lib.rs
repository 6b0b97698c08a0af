//! What follows: rows ready to answer, and the whole history.
//!
//! A view is one redb file for all organizations, derived from the journal's records and from nothing else. It is
//! disposable: a file of another format is replaced and filled again. [`ViewWriter`] is the only way in,
//! [`Snapshot`] the only way out. Its answers equal those of the domain's slow fold at every position.

mod access;
mod access_listing;
mod affected;
mod as_of;
pub mod audit;
mod authenticate;
mod chains;
mod changes;
mod check;
mod compare;
mod digest;
pub mod document;
mod dump;
mod encode;
mod encode_scope;
pub mod error;
pub mod explain;
mod facet;
mod fold;
mod granted;
mod holdings;
pub mod image;
pub mod list;
mod locate;
mod posting;
mod project_timeline;
mod reach;
pub mod reader;
mod report;
mod reverse;
mod row;
mod row_key;
mod staged;
mod stager;
mod table;
mod things;
mod timeline;
mod versions;
pub mod writer;

pub use grantbook_domain::survey::{AccessRow, EffectiveAccess, ProjectSet};

pub use crate::{
    access_listing::{
        Access, AccessParts, CoverPart, Disorder, Groups, Holder, LISTING_FORM, LISTING_FORMS_READ,
        access_lines,
    },
    as_of::Moment,
    audit::{AuditFilter, AuditPage, AuditRecords, Order},
    authenticate::Authenticated,
    changes::{Cause, RecordChange, Who},
    check::Checker,
    compare::{AccessChange, Comparison},
    digest::ViewDigest,
    document::Document,
    dump::{Chunk, Loader, Whole},
    error::ViewError,
    explain::{Coverage, Explanation, Missing, Obstacle, Path, RoleStep, Step},
    facet::Touched,
    granted::{GrantState, Granted, GrantedFilter, GrantedPage, GrantedPlace, Reach},
    image::Image,
    list::{GrantFilter, ListCursor, Listed, Listing, Page},
    reader::{Snapshot, ViewReader},
    report::{Gift, Population, Report, ReportFilter, ReportLine},
    reverse::{Part, Reversed, Whose},
    stager::{Batch, StagedBatch, Stager},
    table::FORMAT_VERSION,
    timeline::{AccessStep, Timeline},
    writer::{Opened, Stale, Verified, ViewWriter},
};
