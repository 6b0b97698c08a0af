//! What every call of the API needs: a client and a place to print.

use grantbook_api::client::{Client, Options};

use crate::shared::{exit::Usage, globals::Globals, output::Output};

/// One run against one server with one key.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) out: Output,
    /// `--reason`, which a grant also keeps for itself.
    pub(crate) reason: Option<String>,
}

impl Session {
    pub(crate) fn new(globals: Globals, out: Output) -> anyhow::Result<Self> {
        let Globals { url, command_url, key, json: _, reason, dry_run, idempotency_key, at_least, as_of } =
            globals;
        let as_of = as_of.map(|moment| moment.moment()).transpose()?;
        let key = key.filter(|key| !key.expose().is_empty());
        let Some(key) = key else {
            return Err(Usage("no key: set GRANTBOOK_KEY or give --key".to_owned()).into());
        };
        let options =
            Options { idempotency_key, if_position: None, reason: reason.clone(), dry_run, at_least, as_of };
        let mut client = Client::new(&url, Some(key))?.with(options);
        let command_url = command_url.or_else(|| std::env::var("GRANTBOOK_COMMAND_URL").ok());
        if let Some(url) = command_url.filter(|url| !url.is_empty()) {
            client = client.writing_to(&url)?;
        }
        Ok(Self { client, out, reason })
    }
}
