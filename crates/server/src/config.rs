//! What `serve` is told.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// How the server runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeConfig {
    /// Where journal and view are kept.
    pub data: PathBuf,
    /// Where requests are taken; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Gets the base URL, with a line break, once requests are taken.
    pub ready_file: Option<PathBuf>,
}

/// Why a configuration does not make sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nothing is there.
    #[error("the data directory {} does not exist: run `grantbook init` first", .0.display())]
    NoData(PathBuf),
    /// Something else is there.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The ready file has no place.
    #[error("the ready file's directory {} does not exist", .0.display())]
    NoPlaceForReadyFile(PathBuf),
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            data: PathBuf::from("grantbook-data"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7878)),
            ready_file: None,
        }
    }
}

impl ServeConfig {
    /// Looks at everything before anything is opened.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !self.data.exists() {
            return Err(ConfigError::NoData(self.data.clone()));
        }
        if !self.data.is_dir() {
            return Err(ConfigError::NotADirectory(self.data.clone()));
        }
        let place = self.ready_file.as_deref().and_then(Path::parent);
        match place.filter(|place| !place.as_os_str().is_empty() && !place.is_dir()) {
            Some(place) => Err(ConfigError::NoPlaceForReadyFile(place.to_owned())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_looked_at_before_anything_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let here = ServeConfig { data: directory.path().to_owned(), ..ServeConfig::default() };
        assert_eq!(here.validate(), Ok(()));
        let absent = directory.path().join("absent");
        let config = ServeConfig { data: absent.clone(), ..here.clone() };
        assert_eq!(config.validate(), Err(ConfigError::NoData(absent.clone())));
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let config = ServeConfig { data: file.clone(), ..here.clone() };
        assert_eq!(config.validate(), Err(ConfigError::NotADirectory(file)));
        let config = ServeConfig { ready_file: Some(absent.join("ready")), ..here.clone() };
        assert_eq!(config.validate(), Err(ConfigError::NoPlaceForReadyFile(absent)));
        for ready in ["ready".into(), directory.path().join("ready")] {
            assert_eq!(ServeConfig { ready_file: Some(ready), ..here.clone() }.validate(), Ok(()));
        }
    }
}
