//! `grantbook whoami`

use grantbook_api::people::text::clean;

use crate::shared::session::Session;

pub(crate) async fn run(session: &Session) -> anyhow::Result<()> {
    let answer = session.client.whoami().await?.value;
    if session.out.is_json() {
        session.out.json(&answer)?;
        return Ok(());
    }
    let principal = &answer.principal;
    let name = clean(principal.name.as_deref().unwrap_or(&principal.id));
    session.out.line(&format!("{}:{name}", principal.kind))?;
    session.out.line(&format!("  id            {}", principal.id))?;
    session.out.line(&format!("  key           {}", answer.key.id))?;
    session.out.line(&format!(
        "  organization  {} ({})",
        clean(&answer.organization.name),
        answer.organization.id
    ))?;
    Ok(())
}
