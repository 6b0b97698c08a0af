//! A read: who asks, about which organization, on which rows, and what the caller may see of them.
//!
//! Rows and image are private to this folder. Elsewhere they are reached through a [`Permit`], which only
//! [`Authorizer`] issues: a route that forgets to authorize does not compile.

mod as_of;
pub(crate) mod authz;
mod lookup;
mod naming;
pub(crate) mod paging;
mod permit;
pub(crate) mod streaming;
mod subject;

use std::{sync::Arc, thread};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use grantbook_domain::{id::OrgId, position::Position, principal::Caller, time::Timestamp};
use grantbook_views::{Image, Moment, Snapshot, Work};
use serde::Serialize;
use tokio::{runtime::Handle, task::spawn_blocking};

pub(crate) use self::{as_of::Named, permit::Permit};
use crate::{
    http::{
        cursor::Cursor,
        problem::Failure,
        query,
        respond::{json, with_position},
    },
    schedule::{Class, Party, cancel::CancelOnDrop, workers},
    state::{
        Web, at_least,
        authn::{self, Authenticated},
    },
};

/// Everything that an answer is made from.
#[derive(Debug)]
pub(crate) struct ReadContext {
    /// What every route has.
    pub(crate) web: Arc<Web>,
    /// Whose data.
    pub(crate) org: OrgId,
    /// Who asks.
    pub(crate) caller: Caller,
    /// When; what the caller may ask is judged by this and by the rows of today.
    pub(crate) now: Timestamp,
    /// Where what is read stands in this organization.
    pub(crate) position: Position,
    /// The same as clients see it.
    pub(crate) position_text: String,
    today: Snapshot,
    source: Source,
}

/// What is read.
#[derive(Debug)]
enum Source {
    /// The image, which has the position. The rows may be of a later one: nothing is asked of them but what never changes.
    Image(Arc<Image>),
    /// The rows, as everything is.
    Now,
    /// The rows, as everything was.
    Then {
        rows: Snapshot,
        /// Expiry is judged at this instant.
        at: Timestamp,
        /// The moment as the caller wrote it; none if it is one of several that a question is about.
        as_of: Option<String>,
    },
}

/// An answer about the past, with the moment asked about repeated in it.
#[derive(Debug, Serialize)]
struct Repeating<'a, T> {
    #[serde(flatten)]
    answer: &'a T,
    as_of: &'a str,
}

impl ReadContext {
    /// The rows at the moment asked about.
    const fn rows(&self) -> &Snapshot {
        match &self.source {
            Source::Then { rows, .. } => rows,
            Source::Image(_) | Source::Now => &self.today,
        }
    }

    /// The rows as everything is: what the caller may is judged by them.
    const fn rows_of_today(&self) -> &Snapshot {
        &self.today
    }

    /// The image that checks are answered from, if that is what is read.
    const fn image(&self) -> Option<&Arc<Image>> {
        match &self.source {
            Source::Image(image) => Some(image),
            Source::Now | Source::Then { .. } => None,
        }
    }

    /// The instant asked about: expiry is judged at it.
    pub(crate) const fn at(&self) -> Timestamp {
        match &self.source {
            Source::Then { at, .. } => *at,
            Source::Image(_) | Source::Now => self.now,
        }
    }

    /// The moment asked about, as the caller wrote it; none: now.
    pub(crate) fn as_of(&self) -> Option<&str> {
        match &self.source {
            Source::Then { as_of, .. } => as_of.as_deref(),
            Source::Image(_) | Source::Now => None,
        }
    }

    /// The same at an earlier moment, which the caller wrote like this.
    pub(crate) fn at_moment(self, moment: Moment, as_of: Option<String>) -> Self {
        let position_text = self.web.position_text(moment.position);
        let rows = self.today.as_of(moment.position);
        let source = Source::Then { rows, at: moment.at, as_of };
        Self { source, position: moment.position, position_text, ..self }
    }

    /// The same on newer rows, as everything is.
    fn on_newer(self, today: Snapshot) -> Result<Self, Failure> {
        let position = today.position(self.org)?;
        let position_text = self.web.position_text(position);
        Ok(Self { today, source: Source::Now, position, position_text, ..self })
    }

    /// What a cursor is bound to, besides the list itself.
    fn binding(&self, list: &str) -> String {
        // A narrow key does not go on with what a wider one began; a failure to look gives a binding that fits nothing.
        let narrowing = self.caller.key.map(|key| self.today.narrowing_of(key));
        format!("{}\n{:?}\n{narrowing:?}\n{:?}\n{list}", self.org, self.caller.principal, self.as_of())
    }

    /// Where a page of a list goes on, if it is not the first.
    pub(crate) fn cursor(&self, list: &str, text: Option<&str>) -> Result<Option<Cursor>, Failure> {
        let Some(text) = text else { return Ok(None) };
        let cursor = self.web.cursors.decode(text, &self.binding(list), self.now)?;
        // A cursor of another node may come from further ahead, and this one has waited for that position in vain: it must
        // not answer as if there were no more.
        if cursor.at > self.position {
            return Err(Failure::behind(self.position_text.clone()));
        }
        Ok(Some(cursor))
    }

    /// The text of a cursor with which the list goes on.
    pub(crate) fn cursor_text(&self, list: &str, cursor: &Cursor) -> String {
        self.web.cursors.encode(cursor, &self.binding(list), self.now)
    }

    /// Waits for the view, on behalf of a caller who was recognized.
    pub(crate) async fn begin(
        web: &Arc<Web>,
        who: Authenticated,
        headers: &HeaderMap,
    ) -> Result<Self, Failure> {
        if !who.has_waited {
            at_least::wait(web, who.org, headers).await?;
        }
        Self::now(web, who)
    }

    /// On the rows as they are, without waiting for newer ones.
    pub(crate) fn now(web: &Arc<Web>, who: Authenticated) -> Result<Self, Failure> {
        Self::on(web, who, web.node()?.reader.snapshot()?, None)
    }

    /// The same for checks, which are answered from the image in memory if there is one. The snapshot must not be asked
    /// then: it may be of a later position.
    pub(crate) async fn begin_check(
        web: &Arc<Web>,
        who: Authenticated,
        headers: &HeaderMap,
    ) -> Result<Self, Failure> {
        if !who.has_waited {
            at_least::wait(web, who.org, headers).await?;
        }
        let node = web.node()?;
        Self::on(web, who, node.reader.snapshot()?, node.image())
    }

    fn on(
        web: &Arc<Web>,
        who: Authenticated,
        snapshot: Snapshot,
        image: Option<Arc<Image>>,
    ) -> Result<Self, Failure> {
        let position = match &image {
            Some(image) => image.position(who.org),
            None => snapshot.position(who.org)?,
        };
        let now = web.app.clock.now();
        Ok(Self {
            web: Arc::clone(web),
            org: who.org,
            caller: who.caller,
            now,
            today: snapshot,
            source: image.map_or(Source::Now, Source::Image),
            position,
            position_text: web.position_text(position),
        })
    }

    /// Counts from now on what is looked at as units of this work.
    pub(crate) fn meter(&mut self, work: &Work) {
        self.today = self.today.metered(work);
        if let Source::Then { rows, .. } = &mut self.source {
            *rows = rows.metered(work);
        }
    }

    /// Answers at once, on the thread of the request: only for checks from the image, and for what takes a few look-ups whatever
    /// the organization holds. A test lists who may.
    pub(crate) fn respond_at_once<T: Serialize>(
        self,
        ask: impl FnOnce(&Self) -> Result<T, Failure>,
    ) -> Response {
        let asked = ask(&self).and_then(|body| match self.as_of() {
            Some(as_of) => json(StatusCode::OK, &Repeating { answer: &body, as_of }),
            None => json(StatusCode::OK, &body),
        });
        with_position(asked.into_response(), &self.position_text)
    }

    /// Answers one check: at once from the image, otherwise as other questions are answered.
    pub(crate) async fn respond_check<T: Serialize + 'static>(
        self,
        ask: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Response {
        if self.image().is_some() {
            self.respond_at_once(ask)
        } else {
            self.respond_in(Class::Checks, ask).await
        }
    }

    /// Answers on a thread that may take its time: for what looks at many things. The thread stops at the next row once
    /// the caller has gone.
    pub(crate) async fn respond_blocking<T: Serialize + 'static>(
        self,
        ask: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Response {
        self.respond_in(Class::Questions, ask).await
    }

    /// The same for a single thing, or a page of a list, which waits for no question that looks at many things.
    pub(crate) async fn respond_list<T: Serialize + 'static>(
        self,
        ask: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Response {
        self.respond_in(Class::Lists, ask).await
    }

    /// The same for things that may have selectors of thousands of conditions. The threads have a lower priority, so that
    /// nobody else's request waits while such a thing is read and written out.
    pub(crate) async fn respond_long_list<T: Serialize + 'static>(
        self,
        ask: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Response {
        self.respond_on((Class::Lists, true), ask).await
    }

    /// The same, in the places of a class.
    pub(crate) async fn respond_in<T: Serialize + 'static>(
        self,
        class: Class,
        ask: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Response {
        self.respond_on((class, class.is_long()), ask).await
    }

    async fn respond_on<T: Serialize + 'static>(
        self,
        place: (Class, bool),
        ask: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Response {
        let position = self.position_text.clone();
        let ask = move |reading: &Self| {
            let answer = ask(reading);
            // A long answer is written out in a turn of its own.
            thread::yield_now();
            answer
        };
        let answered = self.on_thread_of(place, move |reading| Ok(reading.respond_at_once(ask))).await;
        answered.unwrap_or_else(|failure| with_position(failure.into_response(), &position))
    }

    /// Does something on a thread that may take its time, once it is this caller's turn. Work is counted, and ends at the
    /// next row once the caller has gone.
    pub(crate) async fn on_thread<T: Send + 'static>(
        self,
        class: Class,
        run: impl FnOnce(Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.on_thread_of((class, class.is_long()), run).await
    }

    /// The same in a place of this class, on a thread of a lower priority if it may take long.
    async fn on_thread_of<T: Send + 'static>(
        mut self,
        (class, is_long): (Class, bool),
        run: impl FnOnce(Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let place = self.web.app.scheduler.enter(class, self.party()).await?;
        let work = Work::limited(Work::LIMIT);
        self.meter(&work);
        let stops_with_the_caller = CancelOnDrop::of(work);
        let run = move || {
            let _held_until_done = place;
            run(self)
        };
        let done = if is_long { workers::spawn(run) } else { spawn_blocking(run) };
        let done = done.await.map_err(|error| Failure::internal(&error))?;
        stops_with_the_caller.disarm();
        done
    }

    /// Understands a question on such a thread, where that may have to wait for the journal.
    pub(crate) async fn understood<T, F>(
        self,
        understand: impl FnOnce(Self) -> F + Send + 'static,
    ) -> Result<(Self, T), Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<(Self, T), Failure>>,
    {
        self.on_thread(Class::Questions, |reading| Handle::current().block_on(understand(reading))).await
    }

    /// On whose behalf everything is done.
    pub(crate) const fn party(&self) -> Party {
        Party { org: self.org, principal: Some(self.caller.principal) }
    }
}

impl FromRequestParts<Arc<Web>> for ReadContext {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Failure> {
        web.node()?;
        let who = authn::authenticate(web, &parts.headers).await?;
        let as_of = query::as_of(&parts.uri)?;
        at_least::reach_cursor(web, who.org, query::cursor(&parts.uri)?.as_deref()).await?;
        Self::begin(web, who, &parts.headers).await?.asked_as_of(as_of).await
    }
}

#[cfg(test)]
mod tests;
