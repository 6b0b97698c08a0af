//! `grantbook why`: an explanation for people.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use grantbook_api::{
    people::{
        explanation::{headline, item, more, path_lines, story},
        picture::picture,
        text::clean,
    },
    questions::explain::{ExplainQuery, PATHS_DEFAULT},
    words::list::{AsOfQuery, LIMIT_MAX},
};
use grantbook_files as files;

use crate::{questions::check::CheckArgs, shared::session::Session};

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    #[command(flatten)]
    check: CheckArgs,
    /// List at most so many ways, shortest first: 1 to 1000. Very long ways come in pages with fewer.
    #[arg(long, value_name = "N", default_value_t = PATHS_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX)))]
    limit: u32,
    /// Go on where the page before ended: its `next` (see --json).
    #[arg(long, value_name = "CURSOR", conflicts_with_all = ["all", "svg"])]
    cursor: Option<String>,
    /// List all ways, page after page. Where groups are nested closely there may be very many.
    #[arg(long, conflicts_with_all = ["json", "svg"])]
    all: bool,
    /// Draw the principal, its groups and the grants as a picture (SVG) into this file; `-`: to standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    svg: Option<PathBuf>,
}

pub(crate) async fn run(session: &Session, args: WhyArgs) -> anyhow::Result<()> {
    let (request, AsOfQuery { as_of }) = args.check.request(session).await?;
    let mut query = ExplainQuery { limit: Some(args.limit), cursor: args.cursor.clone(), as_of };
    let mut explanation = session.client.explain(&request, &query).await?.value;
    if let Some(path) = &args.svg {
        let picture = picture(&explanation, &headline(&explanation));
        if path.as_os_str() == "-" {
            session.out.line(picture.trim_end())?;
        } else {
            files::replace(path, picture.as_bytes()).with_context(|| path.display().to_string())?;
        }
        return Ok(());
    }
    if session.out.is_json() {
        session.out.json(&explanation)?;
        return Ok(());
    }
    let print = |lines: Vec<String>| lines.iter().try_for_each(|line| session.out.line(&clean(line)));
    print(story(&explanation))?;
    let mut listed = explanation.paths.len();
    if !args.all && args.cursor.is_none() {
        print(more(&explanation).into_iter().flat_map(|line| [String::new(), line]).collect())?;
    }
    while let Some(next) = explanation.next.take().filter(|_| args.all) {
        query.cursor = Some(next);
        explanation = session.client.explain(&request, &query).await?.value;
        let lines =
            explanation.paths.iter().zip(listed..).flat_map(|(path, number)| item(number, path_lines(path)));
        print(lines.collect())?;
        listed += explanation.paths.len();
    }
    Ok(())
}
