//! A disk that forgets what was not synced, and that can be made to fail.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use redb::StorageBackend;

/// What redb asks of a file.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
}

/// Clones share the disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    image: Vec<u8>,
    ops: Vec<Op>,
    broken: Option<Broken>,
}

/// What fails from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    Writes,
    Syncs,
}

impl Disk {
    pub(super) fn with(image: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.lock().image = image;
        disk
    }

    pub(super) fn break_down(&self, broken: Broken) {
        self.lock().broken = Some(broken);
    }

    /// What was done so far.
    pub(super) fn ops(&self) -> Vec<Op> {
        self.lock().ops.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn perform(&mut self, op: Op) -> io::Result<()> {
        let fails = match op {
            Op::Sync => self.broken.is_some(),
            Op::Write(..) | Op::SetLen(_) => self.broken == Some(Broken::Writes),
        };
        if fails {
            return Err(io::Error::other("no space left on device"));
        }
        apply(&mut self.image, &op);
        self.ops.push(op);
        Ok(())
    }
}

/// Does to an image what redb asked for.
pub(super) fn apply(image: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write(offset, data) => {
            let start = usize::try_from(*offset).unwrap();
            let end = start + data.len();
            image.resize(image.len().max(end), 0);
            image[start..end].copy_from_slice(data);
        }
        Op::SetLen(length) => image.resize(usize::try_from(*length).unwrap(), 0),
        Op::Sync => (),
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let state = self.lock();
        let there = state.image.get(start..start + out.len());
        out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.lock().perform(Op::SetLen(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.lock().perform(Op::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.lock().perform(Op::Write(offset, data.to_vec()))
    }
}
