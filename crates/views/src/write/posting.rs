//! Lists of positions in blocks: the audit's index.
//!
//! A list is full blocks, each under the list's key and the last position in it, and one block that grows, under the
//! list's key and the highest number there is. So what is in a block depends on the history alone, not on how it was
//! batched; and the first row from (list, *P*) on is the block that holds the first position from *P* on.
//!
//! A block is its last position, then how far each position lies behind the one before it (the first: behind 0), seven
//! bits a byte, the lowest first, all but a number's last byte with the high bit set.

use grantbook_domain::position::Position;

use crate::{
    history::audit::{Order, Span},
    store::{encode::Take, error::ViewError, row_key, snapshot::Snapshot, table::Table},
    write::fold::Fold,
};

/// A block that has so many bytes is full: about a hundred records, if each frame has one and they follow each other.
const BYTES_FULL: usize = 256;
/// What stands for the last position in the key of the block that grows.
const GROWING: Position = Position::from_u64(u64::MAX);
/// Bits of a number in each byte.
const BITS: u32 = 7;
/// In each byte of a number but its last.
const MORE: u8 = 1 << BITS;

impl Fold<'_> {
    /// Adds a record to a list; records come in order.
    pub(crate) fn post(&mut self, facet: &[u8], position: Position) -> Result<(), ViewError> {
        let key = row_key::versioned(facet, GROWING);
        let growing = self.staged.edit(Table::Audit, key)?;
        let full = match growing {
            Some(block) if block.len() >= BYTES_FULL => growing.replace(grown(Vec::new(), position)?),
            _ => {
                let block = growing.take().unwrap_or_default();
                *growing = Some(grown(block, position)?);
                None
            }
        };
        if let Some(full) = full {
            let last = Take::new(Table::Audit, &full).position()?;
            self.staged.add(Table::Audit, row_key::versioned(facet, last), full);
        }
        Ok(())
    }
}

impl Snapshot {
    /// The first position of a list in the span, or the last one if newest come first.
    pub(crate) fn next_in(
        &self,
        facet: &[u8],
        order: Order,
        span: Span,
    ) -> Result<Option<Position>, ViewError> {
        match order {
            Order::Ascending => self.first_in(facet, span),
            Order::Descending => self.last_in(facet, span),
        }
    }

    fn first_in(&self, facet: &[u8], span: Span) -> Result<Option<Position>, ViewError> {
        let mut found = None;
        self.block_from(facet, span.first, |position| {
            found = found.or(Some(position).filter(|position| *position >= span.first));
        })?;
        Ok(found.filter(|found| *found <= span.last))
    }

    fn last_in(&self, facet: &[u8], span: Span) -> Result<Option<Position>, ViewError> {
        let mut found = None;
        self.block_from(facet, span.last, |position| {
            found = Some(position).filter(|position| *position <= span.last).or(found);
        })?;
        if found.is_none() {
            // All of that block lies beyond: the one before it ends below.
            let (start, end) =
                (row_key::versioned(facet, Position::START), row_key::versioned(facet, span.last));
            let before = self.range(Table::Audit, &start, Some(&end))?.next_back();
            let last = before.map(|row| Take::new(Table::Audit, row?.1.value()).position());
            found = last.transpose()?;
        }
        Ok(found.filter(|found| *found >= span.first))
    }

    /// Looks at the positions of the block that holds the first one from `first` on.
    fn block_from(&self, facet: &[u8], first: Position, look: impl FnMut(Position)) -> Result<(), ViewError> {
        let start = row_key::versioned(facet, first);
        let end = row_key::beyond(facet);
        match self.range(Table::Audit, &start, end.as_deref())?.next() {
            None => Ok(()),
            Some(row) => positions(row?.1.value(), look),
        }
    }
}

/// A block with one position more; empty before its first.
fn grown(mut block: Vec<u8>, position: Position) -> Result<Vec<u8>, ViewError> {
    let last = if let Some(last) = block.first_chunk_mut() {
        u64::from_be_bytes(std::mem::replace(last, position.get().to_be_bytes()))
    } else {
        block.reserve(BYTES_FULL.saturating_add(16));
        block.extend_from_slice(&position.get().to_be_bytes());
        0
    };
    let step = position.get().checked_sub(last).filter(|step| *step > 0);
    let mut step = step.ok_or_else(|| ViewError::bad_row("audit", "a position that does not follow"))?;
    loop {
        let [low, ..] = step.to_le_bytes();
        step >>= BITS;
        if step == 0 {
            block.push(low);
            return Ok(block);
        }
        block.push(low | MORE);
    }
}

/// Looks at each position of a block.
fn positions(block: &[u8], mut look: impl FnMut(Position)) -> Result<(), ViewError> {
    let mut take = Take::new(Table::Audit, block);
    let last = take.position()?;
    let (mut position, mut step, mut shift) = (0_u64, 0_u64, 0_u32);
    for byte in take.rest() {
        let bits = u64::from(byte & !MORE).checked_shl(shift).ok_or_else(|| take.bad("number too long"))?;
        step |= bits;
        shift = shift.saturating_add(BITS);
        if byte & MORE == 0 {
            position = position.checked_add(step).ok_or_else(|| take.bad("position too large"))?;
            look(Position::from_u64(position));
            (step, shift) = (0, 0);
        }
    }
    if position == last.get() && shift == 0 {
        Ok(())
    } else {
        Err(take.bad("does not end with its last position"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_of(numbers: &[u64]) -> Vec<u8> {
        let grow = |block, number: &u64| grown(block, Position::from_u64(*number));
        numbers.iter().try_fold(Vec::new(), grow).unwrap_or_default()
    }

    fn read(block: &[u8]) -> Option<Vec<u64>> {
        let mut found = Vec::new();
        positions(block, |position| found.push(position.get())).ok().map(|()| found)
    }

    #[test]
    fn a_block_gives_back_what_was_put_in() {
        for numbers in [&[1][..], &[127, 128, 129, 300, 1 << 20, u64::MAX], &[1024, 1025, 2048, 999_999_999]]
        {
            assert_eq!(read(&block_of(numbers)).as_deref(), Some(numbers));
        }
        assert_eq!(block_of(&[1024, 1025]), [0, 0, 0, 0, 0, 0, 4, 1, 0x80, 8, 1]);
    }

    #[test]
    fn positions_only_rise_and_damage_shows() {
        assert!(grown(block_of(&[5]), Position::from_u64(5)).is_err());
        assert!(grown(Vec::new(), Position::START).is_err());
        let block = block_of(&[1024, 1025]);
        assert_eq!(read(&block[..block.len() - 1]), None);
        let mut other = block.clone();
        other[10] = 2;
        assert_eq!(read(&other), None);
        other[10] = 0x81;
        assert_eq!(read(&other), None);
    }
}
