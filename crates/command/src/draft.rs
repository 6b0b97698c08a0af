//! A frame in the making: waiting commands decided one after another, each on what the one before it made.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use grantbook_domain::{
    command::{Author, Request as DomainRequest},
    decide::Decided,
    event::Event,
    limits::Limits,
    model::Personal,
    position::Position,
    record::{Maker, RECORD_SCHEMA, Record},
    refusal::Refusal,
    state::OrgState,
    text::check_prose,
    time::Timestamp,
};
use grantbook_journal::{
    chain::OrgEnd,
    frame::{EncodedRecord, FrameBuilder, FrameError, RECORD_MAX_BYTES},
    hash::Hash,
    stamp::{clock::Clock, ids::IdSource},
};

use crate::{
    PlannedOutcome, Submission, SubmitError, TextFaults,
    fold::{OrgFold, Request, RequestKey, request_key, to_hex},
    meter::WorkMeter,
};

/// Largest record that adds access. It is 16 KiB below the limit, so that the record that later revokes it, with its
/// own reason, always fits.
const GIVING_MAX_BYTES: usize = RECORD_MAX_BYTES - 16 * 1024;

/// A decided command, before anybody knows whether its frame lands.
#[derive(Debug)]
pub(super) enum Decision {
    /// It is the frame's record at `index`.
    Recorded { index: usize, state: OrgState },
    /// It changed nothing, decided on so many of the frame's records.
    Unchanged { after: usize, state: OrgState },
    /// The same request is the frame's record at `index`.
    DuplicateInFrame { index: usize, state: OrgState },
    /// The same request had its effect earlier.
    Replayed { position: Position, state: OrgState },
    /// It was refused.
    Refused(SubmitError),
    /// Its record belongs to the next frame: this one is full.
    Full,
}

/// A frame in the making, with the state that it would lead to.
#[derive(Debug)]
pub(super) struct Draft {
    state: OrgState,
    builder: FrameBuilder,
    records: Vec<Arc<Record>>,
    requests: Vec<Option<Request>>,
    /// The requests among them: record index and hash.
    twins: HashMap<RequestKey, (usize, [u8; 16])>,
    end: OrgEnd,
}

/// A finished frame: its bytes, and what the fold becomes once it is acknowledged.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) bytes: Bytes,
    pub(super) state: OrgState,
    /// With the sequence still to be set.
    pub(super) end: OrgEnd,
    pub(super) records: Vec<Arc<Record>>,
    pub(super) requests: Vec<Option<Request>>,
}

/// What deciding takes from outside.
#[derive(Debug, Clone)]
pub(super) struct Inputs {
    pub(super) clock: Clock,
    pub(super) ids: IdSource,
    pub(super) limits: Limits,
}

/// Comparing two conditions while a command is decided takes about an eighth of the time that a unit takes on each read
/// node that follows the record.
const DECIDING_TO_FOLLOWING: u64 = 8;

impl Draft {
    pub(super) fn new(fold: &OrgFold) -> Self {
        Self {
            state: fold.state.clone(),
            builder: FrameBuilder::new(),
            records: Vec::new(),
            requests: Vec::new(),
            twins: HashMap::new(),
            end: fold.end,
        }
    }

    /// Whether no record has joined: what was decided so far depends on nothing that is not durable.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Decides the next command; `fold` is what the draft was made from. With a `meter` that is used up, a command that may
    /// give access is told to come again; what the command costs is charged to it.
    pub(super) fn decide(
        &mut self,
        fold: &OrgFold,
        submission: &Submission,
        (inputs, meter): (&Inputs, &mut WorkMeter),
    ) -> Decision {
        if !self.is_active(submission.author, inputs) {
            return Decision::Refused(Refusal::Inactive.into());
        }
        let request = request_of(submission, &self.state);
        if let Some(known) = request.and_then(|request| self.known(fold, request)) {
            return known;
        }
        if !self.stands_at(fold, submission.if_position) {
            return Decision::Refused(SubmitError::Moved);
        }
        if matches!(submission.author, Author::Caller(_))
            && let Some(wait) = meter.wait()
            && !self.state.may_only_take(&submission.command)
        {
            return Decision::Refused(SubmitError::Busy { wait });
        }
        let (recorded, units) = self.record(submission, request, inputs);
        meter.charge(units);
        match recorded {
            Ok(Some((record, encoded))) if self.builder.fits(&encoded) => {
                let request = request.filter(|_| record.request_hash.is_some());
                self.join(record, &encoded, request).unwrap_or_else(|error| internal(&error))
            }
            Ok(Some(_)) => Decision::Full,
            Ok(None) => Decision::Unchanged { after: self.records.len(), state: self.state.clone() },
            Err(refused) => Decision::Refused(refused),
        }
    }

    /// Its key may have been revoked while the command waited: then not even an earlier answer is repeated.
    fn is_active(&self, author: Author, inputs: &Inputs) -> bool {
        let Author::Caller(caller) = author else { return true };
        let at = inputs.clock.now().max(self.end.at);
        self.state.active_principal(caller.principal, at).is_ok()
            && caller.key.is_none_or(|key| self.state.active_key(key, at).is_ok())
    }

    /// Whether the organization has no record after this position, if one was named. Positions count through all organizations:
    /// what was read at one holds as long as no later record is the organization's own.
    fn stands_at(&self, fold: &OrgFold, position: Option<Position>) -> bool {
        position.is_none_or(|position| self.is_empty() && fold.last <= position)
    }

    /// What the command would do if it came next. Nothing joins the frame.
    pub(super) fn plan(
        self,
        fold: &OrgFold,
        submission: &Submission,
        inputs: &Inputs,
    ) -> Result<PlannedOutcome, SubmitError> {
        if !self.is_active(submission.author, inputs) {
            return Err(Refusal::Inactive.into());
        }
        if !self.stands_at(fold, submission.if_position) {
            return Err(SubmitError::Moved);
        }
        let record = self.record(submission, None, inputs).0?;
        let at = record.as_ref().map_or(self.end.at, |(record, _)| record.at);
        let events = record.map(|(record, _)| record.events).unwrap_or_default();
        let (before, mut after) = (self.state.clone(), self.state);
        for event in &events {
            after.apply(submission.author.into(), event);
        }
        Ok(PlannedOutcome { position: fold.last, at, before, after, events })
    }

    /// The frame, at its place behind `fold`; none without a record.
    pub(super) fn finish(self, fold: &OrgFold) -> Result<Finished, FrameError> {
        let link = fold.next_link();
        let bytes = self.builder.finish(link)?;
        let end = OrgEnd { ordinal: link.ordinal, hash: Hash::of(&bytes), ..self.end };
        let Self { state, records, requests, .. } = self;
        Ok(Finished { bytes, state, end, records, requests })
    }

    /// What a request id that was used before means.
    fn known(&self, fold: &OrgFold, request: Request) -> Option<Decision> {
        let (hash, known) = match (fold.request(&request.key), self.twins.get(&request.key)) {
            (Some(earlier), _) => {
                let state = fold.state.clone();
                (earlier.hash, Decision::Replayed { position: earlier.position, state })
            }
            (None, Some((index, hash))) => {
                (*hash, Decision::DuplicateInFrame { index: *index, state: self.state.clone() })
            }
            (None, None) => return None,
        };
        let same = hash == request.hash;
        Some(if same { known } else { Decision::Refused(SubmitError::IdempotencyMismatch) })
    }

    /// The record that the command makes of the draft's state, none if it changes nothing; and what that costs, in units
    /// of following a record.
    fn record(
        &self,
        submission: &Submission,
        request: Option<Request>,
        inputs: &Inputs,
    ) -> (Result<Option<(Record, EncodedRecord)>, SubmitError>, u64) {
        let at = inputs.clock.now().max(self.end.at);
        let asked = DomainRequest { author: submission.author, at, command: submission.command.clone() };
        let (decided, cost) = self.state.decide_within(&asked, &inputs.limits);
        let units = (cost.deciding / DECIDING_TO_FOLLOWING).saturating_add(cost.following);
        let record = decided
            .map_err(SubmitError::from)
            .and_then(|decided| self.record_of(submission, request, (at, decided, &inputs.ids)));
        (record, units)
    }

    fn record_of(
        &self,
        submission: &Submission,
        request: Option<Request>,
        (at, decided, ids): (Timestamp, Decided, &IdSource),
    ) -> Result<Option<(Record, EncodedRecord)>, SubmitError> {
        if decided.events.is_empty() {
            return Ok(None);
        }
        let only_takes = self.state.only_takes(&decided.events);
        let RecordTexts { named, reason } = RecordTexts::of(submission, only_takes)?;
        let Maker { actor, credential } = submission.author.into();
        let request = request.filter(|_| named.is_some());
        let record = Record {
            schema: RECORD_SCHEMA,
            ordinal: self.end.record_ordinal.saturating_add(1),
            at,
            actor,
            credential,
            source_ip: submission.source_ip.clone().map(Personal::Clear),
            request_id: named.unwrap_or_else(|| ids.request_id()),
            request_hash: request.map(|request| to_hex(request.hash)),
            reason,
            steps: decided.steps,
            events: decided.events,
        };
        let revokes = record.events.iter().all(|event| matches!(event, Event::GrantRevoked { .. }));
        let limit = if only_takes || revokes { RECORD_MAX_BYTES } else { GIVING_MAX_BYTES };
        match EncodedRecord::of(&record) {
            Ok(encoded) if encoded.json().len() > limit => {
                Err(SubmitError::RecordTooLarge { bytes: encoded.json().len(), limit })
            }
            Ok(encoded) => Ok(Some((record, encoded))),
            Err(FrameError::RecordTooLarge { bytes }) => Err(SubmitError::RecordTooLarge { bytes, limit }),
            Err(error) => Err(SubmitError::JournalUnavailable(error.to_string())),
        }
    }

    fn join(
        &mut self,
        record: Record,
        encoded: &EncodedRecord,
        request: Option<Request>,
    ) -> Result<Decision, FrameError> {
        self.builder.push(encoded)?;
        self.state.apply_record(&record);
        (self.end.record_ordinal, self.end.at) = (record.ordinal, record.at);
        let index = self.records.len();
        if let Some(Request { key, hash }) = request {
            self.twins.insert(key, (index, hash));
        }
        self.records.push(Arc::new(record));
        self.requests.push(request);
        Ok(Decision::Recorded { index, state: self.state.clone() })
    }
}

/// The texts beside a command that go into its record.
struct RecordTexts {
    named: Option<String>,
    reason: Option<String>,
}

impl RecordTexts {
    /// A command that only revokes access is never refused for a bad text. The text is dropped, and the record's
    /// reason says so.
    fn of(submission: &Submission, only_takes: bool) -> Result<Self, SubmitError> {
        let TextFaults { request_id, reason: fault } = &submission.faults;
        let mut named = submission.idempotency.as_ref().map(|named| named.key.clone());
        let mut reason = submission.reason.clone();
        if let Some(fault) = request_id {
            if !only_takes {
                return Err(SubmitError::BadText(fault.clone()));
            }
            named = None;
        }
        if let Some(fault) = fault {
            if !only_takes {
                return Err(SubmitError::BadText(fault.clone()));
            }
            reason = Some(format!("(left out: {fault})"));
        }
        if let Err(fault) = check_prose(reason.as_deref().unwrap_or_default()) {
            if !only_takes {
                return Err(Refusal::Text { pointer: "/reason".to_owned(), fault }.into());
            }
            reason = Some(format!("(left out: the reason {fault})"));
        }
        Ok(Self { named, reason })
    }
}

fn internal(error: &FrameError) -> Decision {
    Decision::Refused(SubmitError::JournalUnavailable(error.to_string()))
}

fn request_of(submission: &Submission, state: &OrgState) -> Option<Request> {
    let named = submission.idempotency.as_ref()?;
    let maker = Maker::from(submission.author);
    Some(Request { key: request_key(maker, state, &named.key), hash: named.request_hash })
}
