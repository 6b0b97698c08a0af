//! `make bench-rivals`: one generated organization in the image, in cedar-policy, in casbin and in PostgreSQL, in one run; every
//! answer that the slower ones have time for is compared.

mod by_casbin;
mod by_cedar;
mod by_postgres;
#[path = "../bench/report.rs"]
#[expect(dead_code, reason = "shared with the other benchmarks, which use more of it")]
mod report;
#[path = "../bench/workload.rs"]
#[expect(dead_code, reason = "shared with the other benchmarks, which use more of it")]
mod workload;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use grantbook_domain::{
    access::check::{Question, Target},
    id::{Id, InstallationId},
    position::Position,
    record::Recorded,
};
use grantbook_views::{Batch, Image, ViewWriter};

use crate::{
    report::{line, nanos, row, table},
    workload::{AT, Dice, ORG, Shape},
};

const INSTALLATION: InstallationId = Id::from_u128(7);
const PERMISSIONS: [&str; 3] = ["read", "update", "create_acls"];

/// One question: who, what, and on which project, by number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    principal: u128,
    permission: &'static str,
    project: u128,
}

/// What one engine made of the questions.
struct Figures {
    answers: Vec<bool>,
    /// By processor time.
    mean: Duration,
}

fn main() -> Result<()> {
    report::machine();
    let columns = ["principals", "engine", "questions", "mean", "times the image", "allowed"];
    table("Checks in process: the image beside other engines", &columns);
    for principals in [1_000, 10_000] {
        compare(Shape { principals, depth: 3 })?;
    }
    line("");
    line(
        "Allowed is of the questions asked of that engine; every answer of each was compared with the image's.",
    );
    Ok(())
}

fn compare(shape: Shape) -> Result<()> {
    let image = image(shape)?;
    let questions = questions(shape.principals, 100_000);
    // Each by its own prepared form of the question: what is measured is the decision.
    let ids: Vec<_> = (0..1_000).map(|number| workload::project_id(number).to_string()).collect();
    let ours = ask(&questions, |asked| {
        let id = usize::try_from(asked.project).ok().and_then(|at| ids.get(at)).map_or("", String::as_str);
        let object = Target { object_type: "project", id, project: None };
        let principal = Some(workload::principal(asked.principal));
        let question = Question { principal, key: None, permission: asked.permission, object };
        Ok(image.check(ORG, &question, AT).allows())
    })?;
    show(shape, "image", &ours, &ours)?;
    let cedar = by_cedar::Engine::of(workload::shaped(shape, 1))?;
    let few = questions.iter().take(20_000).map(by_cedar::Engine::prepare).collect::<Result<Vec<_>>>()?;
    show(shape, "cedar-policy 4.14", &ask(&few, |request| Ok(cedar.allows(request)))?, &ours)?;
    let casbin = by_casbin::Engine::of(workload::shaped(shape, 1))?;
    let few = questions.iter().take(200);
    show(shape, "casbin 2.20", &ask(few, |asked| casbin.allows(asked))?, &ours)?;
    if let Some(programs) = by_postgres::programs() {
        return ask_postgres(&programs, shape, &questions, &ours);
    }
    line("PostgreSQL is not installed (Debian: apt-get install postgresql): not measured.");
    Ok(())
}

/// One connection, and as many as there are threads to keep two cores busy.
fn ask_postgres(programs: &Path, shape: Shape, questions: &[Asked], ours: &Figures) -> Result<()> {
    let engine = by_postgres::Engine::of(programs, workload::shaped(shape, 1))?;
    let few = questions.get(..20_000.min(questions.len())).unwrap_or_default();
    for connections in [1, 8] {
        let connected = (0..connections).map(|_| engine.connect()).collect::<Result<Vec<_>>>()?;
        let started = Instant::now();
        let answers = std::thread::scope(|scope| {
            let part = few.len().div_ceil(connections);
            let asking: Vec<_> = connected
                .into_iter()
                .zip(few.chunks(part))
                .map(|(mut connection, part)| {
                    scope.spawn(move || {
                        part.iter().map(|asked| connection.allows(asked)).collect::<Result<Vec<_>>>()
                    })
                })
                .collect();
            let joined =
                asking.into_iter().map(|one| one.join().map_err(|_| anyhow::anyhow!("a client panicked"))?);
            anyhow::Ok(joined.collect::<Result<Vec<_>>>()?.concat())
        })?;
        let mean = started.elapsed() / u32::try_from(answers.len())?;
        let name = format!("PostgreSQL over a socket, {connections} connection(s), by the clock");
        show(shape, &name, &Figures { answers, mean }, ours)?;
    }
    Ok(())
}

fn ask<Q>(questions: impl IntoIterator<Item = Q>, answer: impl Fn(Q) -> Result<bool>) -> Result<Figures> {
    let started = report::processor_nanos();
    let answers = questions.into_iter().map(answer).collect::<Result<Vec<_>>>()?;
    let mean = Duration::from_nanos(report::processor_nanos() - started) / u32::try_from(answers.len())?;
    Ok(Figures { answers, mean })
}

fn show(shape: Shape, engine: &str, figures: &Figures, ours: &Figures) -> Result<()> {
    let Figures { answers, mean } = figures;
    let differs = answers.iter().zip(&ours.answers).position(|(its, ours)| its != ours);
    ensure!(differs.is_none(), "{engine} answers question {differs:?} otherwise than the image");
    let allowed = answers.iter().filter(|allowed| **allowed).count();
    row(&[
        shape.principals.to_string(),
        engine.to_owned(),
        answers.len().to_string(),
        nanos(u64::try_from(mean.as_nanos())?),
        format!("{:.1}", mean.as_secs_f64() / ours.mean.as_secs_f64()),
        format!("{} %", 100 * allowed / answers.len()),
    ]);
    Ok(())
}

fn image(shape: Shape) -> Result<Image> {
    let mut writer = ViewWriter::in_memory(INSTALLATION)?;
    let records: Vec<_> = (1..)
        .zip(workload::shaped(shape, 1))
        .map(|(sequence, record)| Recorded { position: Position::of(sequence, 0), org: ORG, record })
        .collect();
    for records in records.chunks(4096) {
        let last_sequence = records.last().map_or(0, |last| last.position.sequence());
        writer.apply(&Batch { records, last_sequence, checkpoint: b"" }, false)?;
    }
    Ok(Image::build(&writer.reader().snapshot()?)?)
}

fn questions(principals: u128, count: usize) -> Vec<Asked> {
    let mut dice = Dice::new(2);
    let permissions = PERMISSIONS.iter().cycle();
    permissions
        .take(count)
        .map(|permission| Asked { principal: dice.below(principals), permission, project: dice.below(1_000) })
        .collect()
}
