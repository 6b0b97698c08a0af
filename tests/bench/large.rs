//! `make bench-large`: up to a million principals, through a file under the target directory. Each organization is built,
//! asked and given up before the next, so that the largest is all that memory must hold: some 4 GiB.

use std::{path::Path, time::Instant};

use anyhow::{Result, ensure};
use grantbook_domain::state::OrgState;
use grantbook_views::{Image, ViewWriter};

use crate::{
    parts::{
        check::{COMPARED, fill, questions, zipf_questions},
        durable::{identity, size},
        image::untimed,
    },
    plot::{Axis, Plot},
    report::{float, histogram, nanos, note, per_second, quantile, rate, resident_mib, row, sizes, table},
    workload::{ORG, Shape},
};

const QUESTIONS: usize = 200_000;
/// Asked of the rows, which are slower.
const OF_ROWS: usize = 20_000;

pub(crate) fn run() -> Result<()> {
    let (x, time) = (Axis::of("principals").by_tens(), Axis::time("time").by_tens());
    let mut checks = Plot::new("check-by-size", "A check in process, mean", x, time);
    let mut memory = Plot::new("memory-by-size", "The image in memory", x, Axis::of("bytes a principal"));
    let mut loading = Plot::new("load-by-size", "Starting a read node whose view is there", x, time);
    for principals in sizes(&[1_000, 10_000, 100_000, 1_000_000]) {
        organization(principals, [&mut checks, &mut memory, &mut loading])?;
    }
    [checks, memory, loading].iter().try_for_each(Plot::write)
}

fn organization(principals: u128, [checks, memory, loading]: [&mut Plot; 3]) -> Result<()> {
    let title = format!("An organization of {principals} principals");
    table(&title, &["what", "figure", ""]);
    let show = |what: &str, figure: String, rest: String| row(&[what.to_owned(), figure, rest]);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = dir.path().join("view.redb");
    let (mut fold, started) = (OrgState::default(), Instant::now());
    let (mut writer, _) = ViewWriter::open(&file, identity().installation)?;
    fill(&mut writer, &mut fold, Shape { principals, depth: 3 })?;
    let records = writer.sequence();
    show(
        "view and fold from records",
        per_second(rate(usize::try_from(records)?, started.elapsed())),
        format!("{records} records, {} MiB of file, {} B a record", size(&file) >> 20, size(&file) / records),
    );
    let expected: Vec<bool> =
        questions(principals, COMPARED).iter().map(|question| question.of_fold(&fold)).collect();
    drop((fold, writer));
    let (opened, built, image, reader) = load(&file)?;
    show("file opened", format!("{opened:.1} ms"), String::new());
    loading.add("file opened", float(principals), opened * 1e6);
    show("image built from it", format!("{built:.1} ms"), String::new());
    loading.add("image built from it", float(principals), built * 1e6);
    let said: Vec<bool> =
        questions(principals, COMPARED).iter().map(|question| question.of_image(&image)).collect();
    ensure!(said == expected, "the image answers like the fold");
    // Below that the allocator has room left over from before.
    if principals >= 100_000 || cfg!(debug_assertions) {
        let snapshot = reader.snapshot()?;
        let before = resident_mib();
        let again = Image::build(&snapshot)?;
        let bytes = (resident_mib() - before) * 1_048_576.0 / float(principals);
        ensure!(again.position(ORG) == image.position(ORG), "both are of one snapshot");
        show("image in memory (P10)", format!("{bytes:.0} B a principal"), String::new());
        memory.add("image", float(principals), bytes);
    }
    for (draw, questions) in
        [("uniform", questions(principals, QUESTIONS)), ("zipf 1.1", zipf_questions(principals, QUESTIONS))]
    {
        let (mean, allowed) = untimed(&image, &questions)?;
        let mut latencies = histogram();
        for question in &questions {
            let asked = Instant::now();
            std::hint::black_box(question.of_image(&image));
            note(&mut latencies, asked.elapsed());
        }
        let rest = format!(
            "p50 {}, p99 {}, {} % allowed",
            quantile(&latencies, 0.5),
            quantile(&latencies, 0.99),
            100 * allowed / QUESTIONS
        );
        show(&format!("check from the image, {draw} (P1)"), nanos(mean), rest);
        checks.add(&format!("image, {draw}"), float(principals), float(mean.into()));
    }
    let snapshot = reader.snapshot()?;
    let asked = questions(principals, OF_ROWS);
    let started = Instant::now();
    asked.iter().try_for_each(|question| question.ask(&snapshot).map(drop))?;
    let mean = u64::try_from(started.elapsed().as_nanos())? / OF_ROWS as u64;
    show("check through redb, uniform", nanos(mean), String::new());
    checks.add("redb, uniform", float(principals), float(mean.into()));
    Ok(())
}

/// How long it took to open a view and to build its image, in milliseconds; the image; and who reads the view.
fn load(file: &Path) -> Result<(f64, f64, Image, grantbook_views::ViewReader)> {
    let started = Instant::now();
    let (writer, _) = ViewWriter::open(file, identity().installation)?;
    let opened = started.elapsed().as_secs_f64() * 1e3;
    let reader = writer.reader();
    let started = Instant::now();
    let image = Image::build(&reader.snapshot()?)?;
    Ok((opened, started.elapsed().as_secs_f64() * 1e3, image, reader))
}
