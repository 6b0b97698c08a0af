//! Directories as a backup holds them: copied while nobody writes there, and put back later.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// Copies a directory with everything below it; what is there is not removed.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}

/// Puts a copy in the place of a directory.
pub fn restore(copy_of: &Path, directory: &Path) -> Result<()> {
    fs::remove_dir_all(directory).with_context(|| directory.display().to_string())?;
    copy(copy_of, directory)
}
