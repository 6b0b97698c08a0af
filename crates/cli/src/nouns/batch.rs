//! `grantbook batch`

use std::{fs, io::Read, path::PathBuf};

use anyhow::Context;
use clap::Args;
use grantbook_api::{
    nouns::batch::{Batch, BatchMethod},
    strict,
};

use crate::shared::{exit::Usage, session::Session};

const EXAMPLES: &str = "\
Example, a project with a grant on it, made together or not at all:
  {\"commands\": [
    {\"method\": \"POST\", \"path\": \"/v1/projects\", \"body\": {\"name\": \"web\"}},
    {\"method\": \"POST\", \"path\": \"/v1/grants\", \"body\": {\"to\": {\"type\": \"group\", \"id\": \"ID\"},
      \"role\": \"Viewer\", \"on\": {\"projects\": {\"include\": [{\"id\": \"$0.id\"}]}}}}
  ]}";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BatchArgs {
    /// The commands as JSON, in the form of `POST /v1/batch`; `-` for stdin.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

pub(crate) async fn run(session: &Session, args: BatchArgs) -> anyhow::Result<()> {
    let text = read(&args.file)?;
    let batch: Batch = strict::parse(&text).map_err(|fault| Usage(format!("no batch: {fault}")))?;
    let answer = session.client.batch(&batch).await?;
    if session.out.is_json() {
        session.out.json(&answer.value)?;
        return Ok(());
    }
    let rows: Vec<_> = batch
        .commands
        .iter()
        .zip(&answer.value.results)
        .map(|(command, result)| {
            let id = result.body.get("id").and_then(serde_json::Value::as_str).unwrap_or("-");
            let status = if result.unchanged { "unchanged".to_owned() } else { result.status.to_string() };
            vec![status, method_word(command.method).to_owned(), command.path.clone(), id.to_owned()]
        })
        .collect();
    session.out.table(&["STATUS", "METHOD", "PATH", "ID"], &rows)?;
    Ok(())
}

fn read(file: &PathBuf) -> anyhow::Result<Vec<u8>> {
    if file.as_os_str() == "-" {
        let mut text = Vec::new();
        std::io::stdin().lock().read_to_end(&mut text).context("reading stdin")?;
        return Ok(text);
    }
    fs::read(file).with_context(|| format!("reading {}", file.display()))
}

fn method_word(method: BatchMethod) -> &'static str {
    match method {
        BatchMethod::Post => "POST",
        BatchMethod::Patch => "PATCH",
        BatchMethod::Delete => "DELETE",
    }
}
