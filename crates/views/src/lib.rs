//! What follows: rows ready to answer, and the whole history.
//!
//! A view is one redb file for all organizations, derived from the journal's records and from nothing else. It is
//! disposable: a file of another format is replaced and filled again. [`ViewWriter`] is the only way in,
//! [`Snapshot`] the only way out. Its answers equal those of the domain's slow fold at every position.
//
// Folders, lowest first: store; access; history; time; image; write.

mod access;
mod history;
mod image;
mod reader;
mod store;
mod time;
mod work;
mod write;

pub use grantbook_domain::access::effective::{AccessRow, EffectiveAccess, ProjectSet};

pub use crate::{
    access::{
        authenticate::Authenticated,
        candidate::{Coverage, Obstacle},
        checker::Checker,
        explain::{Explanation, FoundGrant, FoundMembership, GraphPart, Missing, Path, RoleStep, Step},
        paths::{PATHS_COUNTED_MAX, PathPlace},
        reverse::{Part, Reversed, Way, Ways, Whose},
    },
    history::{
        audit::{AuditFilter, AuditPage, AuditRecords, Order},
        facet::Touched,
        grant_history::{GrantState, Granted, GrantedFilter, GrantedPage, GrantedPlace, Reach},
        report::{Gift, Population, Report, ReportFilter, ReportLine},
    },
    image::Image,
    reader::ViewReader,
    store::{
        digest::ViewDigest,
        document::Document,
        error::ViewError,
        list::{GrantFilter, ListCursor, Listed, Listing, ObjectFilter, Page},
        snapshot::{Organization, Snapshot},
        table::FORMAT_VERSION,
    },
    time::{
        access_listing::{
            Access, AccessParts, CoverPart, Groups, Holder, LISTING_FORM, LISTING_FORMS_READ, ListingError,
            access_lines,
        },
        as_of::Moment,
        diff::{AccessChange, Comparison, Tally},
        record_changes::{Cause, RecordChange, Who},
        timeline::{AccessStep, Timeline, TimelinePart, TimelinePlace},
    },
    work::Work,
    write::{
        dump::{Chunk, Loader, Whole},
        stager::{Batch, StagedBatch, Stager},
        writer::{Opened, Stale, Verified, ViewWriter},
    },
};
