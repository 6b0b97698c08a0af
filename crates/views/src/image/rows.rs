//! A list of rows by small numbers, in chunks that are shared until they are changed.

use std::sync::Arc;

const CHUNK_BITS: u32 = 7;
const CHUNK: usize = 1 << CHUNK_BITS;

/// A list whose copies share what neither has changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows<T> {
    chunks: Arc<Vec<Arc<Vec<T>>>>,
}

impl<T: Clone> Rows<T> {
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let number = usize::try_from(number).ok()?;
        self.chunks.get(number >> CHUNK_BITS)?.get(number & (CHUNK - 1))
    }

    /// Puts a row in the place of another.
    pub(crate) fn set(&mut self, number: u32, row: T) {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let chunk = Arc::make_mut(&mut self.chunks).get_mut(number >> CHUNK_BITS);
        if let Some(place) = chunk.and_then(|chunk| Arc::make_mut(chunk).get_mut(number & (CHUNK - 1))) {
            *place = row;
        }
    }

    /// Puts a row behind all others.
    pub(crate) fn push(&mut self, row: T) {
        let chunks = Arc::make_mut(&mut self.chunks);
        match chunks.last_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => Arc::make_mut(last).push(row),
            None => chunks.push(Arc::new(vec![row])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_they_were_put_and_copies_do_not_see_changes() {
        let mut rows = Rows::default();
        (0..1000).for_each(|number| rows.push(number));
        let copy = rows.clone();
        rows.set(300, 7);
        rows.push(1000);
        assert_eq!((copy.get(300), rows.get(300)), (Some(&300), Some(&7)));
        assert_eq!((copy.get(1000), rows.get(1000), rows.get(1001)), (None, Some(&1000), None));
    }
}
