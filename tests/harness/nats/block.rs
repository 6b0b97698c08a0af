//! The files in which nats-server keeps messages, as damage meets them.
//!
//! A block is a row of records: length (`u32`, the top bit says that there are headers), sequence (`u64`), time
//! (`i64`), length of the subject (`u16`), subject, then, if there are headers, their length (`u32`), headers, message,
//! and a checksum of 8 bytes; all little-endian (nats-server, `server/filestore.go`). Our streams are not
//! compressed: blocks are plain.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

const LENGTH_MASK: u32 = 0x7fff_ffff;
/// Length, sequence, time, length of the subject.
const HEAD: usize = 4 + 8 + 8 + 2;

/// The block files of a stream below a server's directory.
pub fn block_files(store: &Path, stream: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![store.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "blk")
                && path.components().any(|part| part.as_os_str() == stream)
                && path.components().any(|part| part.as_os_str() == "msgs")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Cuts a message out of a stopped server's files, as if it had never been written.
pub fn remove_message(store: &Path, stream: &str, sequence: u64) -> Result<()> {
    let path = edit(store, stream, sequence, |bytes, start, length| {
        bytes.drain(start..start + length);
    })?;
    forget_index(&path)
}

/// Flips a bit in the last byte of a message, in a stopped server's files. With the index gone too, the server takes
/// the block for torn there and forgets all that follows.
pub fn change_payload(store: &Path, stream: &str, sequence: u64, with_index: bool) -> Result<()> {
    let path = edit(store, stream, sequence, |bytes, start, length| {
        if let Some(byte) = bytes.get_mut(start + length - 9) {
            *byte ^= 1;
        }
    })?;
    if with_index { forget_index(&path) } else { Ok(()) }
}

/// Cuts so many bytes off the end of the stream's last block, in a stopped server's files.
pub fn cut_tail(store: &Path, stream: &str, bytes: u64) -> Result<()> {
    let last = block_files(store, stream)?.pop().context("a block")?;
    let file = fs::File::options().write(true).open(&last)?;
    let length = file.metadata()?.len();
    ensure!(length > bytes, "the block has only {length} bytes");
    file.set_len(length - bytes)?;
    forget_index(&last)
}

/// The server makes its index again from the blocks.
fn forget_index(block: &Path) -> Result<()> {
    let index = block.with_file_name("index.db");
    if index.exists() {
        fs::remove_file(index)?;
    }
    Ok(())
}

fn edit(
    store: &Path,
    stream: &str,
    sequence: u64,
    change: impl Fn(&mut Vec<u8>, usize, usize),
) -> Result<PathBuf> {
    for path in block_files(store, stream)? {
        let mut bytes = fs::read(&path)?;
        let Some((start, length)) = locate(&bytes, sequence)? else { continue };
        change(&mut bytes, start, length);
        fs::write(&path, bytes)?;
        return Ok(path);
    }
    anyhow::bail!("no block of {stream} below {} has message {sequence}", store.display())
}

/// Where the record of a sequence begins, and how long it is.
fn locate(bytes: &[u8], sequence: u64) -> Result<Option<(usize, usize)>> {
    let mut start = 0;
    while let Some(head) = bytes.get(start..start + HEAD) {
        let length = u32::from_le_bytes(head.get(..4).context("a length")?.try_into()?) & LENGTH_MASK;
        let found = u64::from_le_bytes(head.get(4..12).context("a sequence")?.try_into()?);
        let length = usize::try_from(length)?;
        ensure!(length > HEAD && start + length <= bytes.len(), "the block is not as it is described");
        if found == sequence {
            return Ok(Some((start, length)));
        }
        start += length;
    }
    Ok(None)
}
