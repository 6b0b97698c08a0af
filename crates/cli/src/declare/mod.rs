//! `grantbook plan` and `grantbook apply`: access as a file under version control.

mod compare;
pub(crate) mod file;
mod gives;
mod outcome;
mod present;

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use grantbook_api::{
    client::{Client, ClientError, Options},
    nouns::batch::Batch,
    people::{access, changes::others_not_shown},
    questions::plan::{AccessChange, Plan},
    words::reference::NamedPrincipal,
};
use serde_json::json;
use sha2::{Digest, Sha256};

pub(crate) use self::file::Declared;
use self::{
    compare::{Step, Work, compare},
    outcome::Outcome,
    present::Present,
};
use crate::shared::{exit::Usage, output::Output, session::Session};

/// How often everything is read again because somebody else wrote meanwhile.
const ATTEMPTS: usize = 5;
/// Most principals of one change that are named in a table.
const NAMED_MAX: usize = 5;
/// Most commands of one record.
const COMMANDS_MAX: usize = grantbook_api::nouns::batch::COMMANDS_MAX;

const FORM: &str = "\
The file, in YAML; every part may be left out:
  users:
    - {email: ada@example.com, name: Ada}
  projects:
    - {name: staging, labels: {env: staging}}
  tokens:
    - {name: ci-bot, description: builds and deploys}
  roles:
    - {name: deployer, permissions: [read, 'update:dataset'], includes: [Viewer]}
  groups:
    - name: not-production
      members: [token:ci-bot, user:ada@example.com, group:others]
      grants:
        - {role: Engineer, on: {projects: {include: all, exclude: [{label: {env: production}}]}}}
  grants:
    - {to: token:ci-bot, permissions: [read], on: {projects: {include: [{id: staging}]}}}

It says what must be there. What it does not mention is left alone, except inside what it manages: the members and the
grants of a group are exactly those listed, if the group has `members:` or `grants:` at all, and so are a project's labels
and a role's permissions and includes. Names stand where the API has ids. Keys never belong in the file: issue them with
`grantbook token key`.";

#[derive(Debug, Args)]
#[command(after_help = FORM)]
pub(crate) struct PlanArgs {
    /// What must be there; `-` for stdin.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = FORM)]
pub(crate) struct ApplyArgs {
    /// What must be there; `-` for stdin.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// What was reviewed: the output of `plan --json`. Refuse if the outcome would be another by now.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

/// What the file asks for, and what that would do, both at one position.
struct Planned {
    work: Work,
    plan: Plan,
}

pub(crate) async fn plan(session: &Session, args: PlanArgs) -> anyhow::Result<()> {
    let (_, declared) = file::read(&args.file)?;
    plan_of(session, &declared).await
}

/// Shows what it takes until everything is there.
pub(crate) async fn plan_of(session: &Session, declared: &Declared) -> anyhow::Result<()> {
    let Planned { work, plan } = planned(session, declared).await?;
    note_left(session, &work);
    if session.out.is_json() {
        session.out.json(&plan)?;
        return Ok(());
    }
    if work.commands.is_empty() {
        session.out.note("nothing to do: everything is so already");
        return Ok(());
    }
    show(session, &work.steps, &plan)?;
    session.out.note(&format!("planned at position {}; nothing is written", plan.position));
    Ok(())
}

pub(crate) async fn apply(session: &Session, args: ApplyArgs) -> anyhow::Result<()> {
    let (bytes, declared) = file::read(&args.file)?;
    let expected = args.plan.as_ref().map(reviewed).transpose()?;
    apply_all(session, &declared, (&bytes, expected)).await
}

/// Makes everything be there, as one record. `bytes` are what was declared, and what was reviewed if anything was.
pub(crate) async fn apply_all(
    session: &Session,
    declared: &Declared,
    (bytes, mut expected): (&[u8], Option<Outcome>),
) -> anyhow::Result<()> {
    for _ in 0..ATTEMPTS {
        let Planned { work, plan } = planned(session, declared).await?;
        if plan.records == 0 {
            return nothing(session, &plan);
        }
        let outcome = Outcome::of(&plan);
        if expected.as_ref().is_some_and(|expected| *expected != outcome) {
            bail!("others have changed something, and the outcome would be another than planned: plan again");
        }
        expected = Some(outcome);
        let batch = Batch { commands: work.commands.clone() };
        match bound(session, bytes, &plan.position).batch(&batch).await {
            Ok(answer) => {
                let position = answer.value.position;
                if session.out.is_json() {
                    let done = json!({"applied": true, "position": position, "plan": plan});
                    session.out.json(&done)?;
                    return Ok(());
                }
                note_left(session, &work);
                show(session, &work.steps, &plan)?;
                session.out.note(&format!("applied as one record at position {position}"));
                return Ok(());
            }
            Err(error) if error.code() == Some("moved") => {}
            Err(error) => return Err(explained(error, &work.steps)),
        }
    }
    bail!("others write all the time: nothing was applied; try again")
}

fn note_left(session: &Session, work: &Work) {
    for text in &work.left {
        session.out.note(text);
    }
}

fn nothing(session: &Session, plan: &Plan) -> anyhow::Result<()> {
    if session.out.is_json() {
        session.out.json(&json!({"applied": false, "position": plan.position, "plan": plan}))?;
    }
    session.out.note("nothing to do: everything is so already");
    Ok(())
}

fn reviewed(path: &PathBuf) -> anyhow::Result<Outcome> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let plan: Plan = serde_json::from_slice(&bytes)
        .map_err(|fault| Usage(format!("{} is no output of `plan --json`: {fault}", path.display())))?;
    Ok(Outcome::of(&plan))
}

/// The client for the write: only at this position, and the same request if it is repeated there.
fn bound(session: &Session, bytes: &[u8], position: &str) -> Client {
    let own = || {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let hash = digest.iter().take(16).fold(0_u128, |hash, byte| hash << 8 | u128::from(*byte));
        format!("apply-{hash:032x}-{position}")
    };
    let options = session.client.options().clone();
    let idempotency_key = Some(options.idempotency_key.clone().unwrap_or_else(own));
    session.client.with(Options { idempotency_key, if_position: Some(position.to_owned()), ..options })
}

/// Compares and plans until both were of one position.
async fn planned(session: &Session, declared: &Declared) -> anyhow::Result<Planned> {
    let mut at_least = session.client.options().at_least.clone();
    for _ in 0..ATTEMPTS {
        let options = session.client.options().clone();
        let client = session.client.with(Options { at_least: at_least.clone(), ..options });
        let read_at = client.whoami().await?.position;
        let present = Present::read(&client, declared).await?;
        let work = compare(declared, &present);
        let plan = match &work {
            Ok(work) if work.commands.len() > COMMANDS_MAX => bail!(
                "the file asks for {} changes, and one record takes {COMMANDS_MAX}: apply it in parts",
                work.commands.len()
            ),
            Ok(work) if !work.commands.is_empty() => {
                let batch = Batch { commands: work.commands.clone() };
                client.plan(&batch).await.map_err(|error| explained(error, &work.steps))?.value
            }
            // What is wrong, or so already, is so only if all was read at one moment.
            Ok(_) | Err(_) => unchanged(client.whoami().await?.position.unwrap_or_default()),
        };
        if read_at.as_deref() == Some(&plan.position) {
            return Ok(Planned { work: work?, plan });
        }
        at_least = Some(plan.position);
    }
    bail!("others write all the time, and the lists never were of one moment: try again")
}

fn unchanged(position: String) -> Plan {
    let (events, gained, lost) = (Vec::new(), Vec::new(), Vec::new());
    Plan {
        position,
        records: 0,
        events,
        gained,
        lost,
        keys_of_concern: Vec::new(),
        warnings: Vec::new(),
        unaffected: 0,
        others_not_shown: 0,
    }
}

/// A refusal of one of the commands, told by its place in the file.
fn explained(error: ClientError, steps: &[Step]) -> anyhow::Error {
    let problem = if let ClientError::Problem(problem) = &error { problem.pointer.as_deref() } else { None };
    let step = problem.and_then(|pointer| {
        let index = pointer.strip_prefix("/commands/")?.split('/').next()?;
        steps.get(index.parse::<usize>().ok()?)
    });
    match step {
        Some(Step { words, place }) => {
            anyhow::Error::from(error).context(format!("cannot {words} (at {place} in the file)"))
        }
        None => error.into(),
    }
}

/// What a write would do that was only tried (`--dry-run`).
pub(crate) fn tried(out: Output, plan: &Plan) -> anyhow::Result<()> {
    if out.is_json() {
        out.json(plan)?;
        return Ok(());
    }
    if plan.records == 0 {
        out.note("nothing to do: everything is so already");
        return Ok(());
    }
    show_access(out, plan)?;
    out.note(&format!("planned at position {}; nothing is written", plan.position));
    Ok(())
}

fn show(session: &Session, steps: &[Step], plan: &Plan) -> anyhow::Result<()> {
    for Step { words, .. } in steps {
        session.out.line(&grantbook_api::people::text::clean(words))?;
    }
    session.out.line("")?;
    show_access(session.out, plan)
}

/// Who gains and loses what.
fn show_access(out: Output, plan: &Plan) -> anyhow::Result<()> {
    let gained = plan.gained.iter().flat_map(|change| rows("gains", change));
    let rows: Vec<_> = gained.chain(plan.lost.iter().flat_map(|change| rows("loses", change))).collect();
    for warning in &plan.warnings {
        out.note(&format!("warning: {}", warning.detail));
    }
    for one in &plan.keys_of_concern {
        let whose = one.principal.name.as_ref().unwrap_or(&one.principal.id);
        out.note(&format!(
            "warning: key {} of {whose} would have more access than its issuer could grant: issue another key and revoke this one",
            one.key
        ));
    }
    if let Some(others) = others_not_shown(plan.others_not_shown) {
        out.note(&others);
    } else if rows.is_empty() {
        out.note("nobody gains or loses access");
    }
    if rows.is_empty() {
        return Ok(());
    }
    let titles = ["PRINCIPALS", "", "PERMISSIONS", "ON TYPES", "ORGANIZATION", "PROJECTS", "OBJECTS"];
    out.table(&titles, &rows)?;
    Ok(())
}

/// The lines of a change, for each of the first few whose access it is, and how many share it.
fn rows(how: &'static str, change: &AccessChange) -> impl Iterator<Item = Vec<String>> {
    let named = |one: &NamedPrincipal| format!("{}:{}", one.kind, one.name.as_ref().unwrap_or(&one.id));
    let mut who: Vec<String> = change.principals.iter().take(NAMED_MAX).map(named).collect();
    if let Some(others @ 1..) = change.principals.len().checked_sub(NAMED_MAX) {
        who.push(format!("and {others} others"));
    }
    let who = who.join(", ");
    change.access.iter().map(move |line| {
        vec![
            who.clone(),
            how.to_owned(),
            line.permissions.join(", "),
            access::types(&line.object_types),
            if line.organization { "yes" } else { "-" }.to_owned(),
            access::projects(&line.projects),
            access::objects(&line.objects, &line.except_objects),
        ]
    })
}
