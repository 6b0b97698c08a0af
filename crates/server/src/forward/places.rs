//! How many requests are passed on at once.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

/// Counts what is under way; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<AtomicUsize>);

/// One request under way, until dropped.
#[derive(Debug)]
pub(crate) struct ForwardPlace(Arc<AtomicUsize>);

/// An answer that holds its place until it is written out.
pub(super) struct HoldingBody {
    body: Body,
    _place: ForwardPlace,
}

impl Places {
    /// One more, unless there are `limit` already.
    pub(super) fn enter(&self, limit: usize) -> Option<ForwardPlace> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        let entered = ForwardPlace(Arc::clone(&self.0));
        (before < limit).then_some(entered)
    }
}

impl Drop for ForwardPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HoldingBody {
    pub(super) const fn new(body: Body, place: ForwardPlace) -> Self {
        Self { body, _place: place }
    }
}

impl HttpBody for HoldingBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::{FORWARDED_MAX, TAKING_MAX};

    #[test]
    fn what_takes_access_away_has_places_of_its_own() {
        let places = Places::default();
        let mut held: Vec<_> = (0..FORWARDED_MAX).map(|_| places.enter(FORWARDED_MAX).unwrap()).collect();
        assert!(places.enter(FORWARDED_MAX).is_none());
        held.extend((0..TAKING_MAX).map(|_| places.enter(FORWARDED_MAX + TAKING_MAX).unwrap()));
        assert!(places.enter(FORWARDED_MAX + TAKING_MAX).is_none());
        drop(held);
        assert!(places.enter(FORWARDED_MAX).is_some());
    }

    #[test]
    fn an_answer_holds_its_place_until_it_is_written_out() {
        let places = Places::default();
        let body = HoldingBody::new(Body::from("x"), places.enter(1).unwrap());
        assert!(places.enter(1).is_none());
        drop(body);
        assert!(places.enter(1).is_some());
    }
}
