//! Checks in process, from the image in memory (P1, P8, P10): every answer of a sample is compared with the rows and
//! with the slow fold.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_domain::{
    event::Event,
    record::{Record, Recorded},
    state::OrgState,
};
use grantbook_views::{Batch, Image, ViewWriter};
use hdrhistogram::Histogram;

use crate::{
    parts::{
        change,
        check::{Asked, COMPARED, questions, zipf_questions},
        durable::identity,
    },
    plot::{Axis, Plot},
    report::{
        float, histogram, nanos, note, per_second, processor_nanos, quantile, rate, resident_mib, row, sizes,
        table,
    },
    workload::{self, AT, ORG, Shape},
};

const QUESTIONS: usize = 200_000;
const ROUNDS: usize = 5;
/// How many principals the group has that is changed.
const MANY: u128 = if cfg!(debug_assertions) { 1_000 } else { 100_000 };

pub(crate) fn run() -> Result<()> {
    let columns =
        ["principals", "depth", "drawn", "mean", "p50", "p99", "allowed", "built in", "bytes a principal"];
    table("Checks in process, one at a time, from the image (P1, P10)", &columns);
    let (x, y) = (Axis::of("how deep groups are nested"), Axis::time("mean of a check").by_tens());
    let mut plot = Plot::new("check-by-depth", "A check in process, 10,000 principals", x, y);
    for principals in sizes(&[1_000, 10_000, 100_000]) {
        series(Shape { principals, depth: 3 }, &["uniform", "zipf 1.1"], None)?;
    }
    for depth in sizes(&[1, 2, 4, 8]) {
        let principals = if cfg!(debug_assertions) { 1_000 } else { 10_000 };
        series(Shape { principals, depth }, &["uniform"], Some(&mut plot))?;
    }
    plot.write()?;
    changes()
}

/// One organization: built, compared, measured.
fn series(shape: Shape, draws: &[&str], mut plot: Option<&mut Plot>) -> Result<()> {
    let view = View::filled(shape)?;
    let snapshot = view.writer.reader().snapshot()?;
    // The first one warms the store's cache; the second shows what an image takes.
    let first = Image::build(&snapshot)?;
    let before = resident_mib();
    let started = Instant::now();
    let image = Image::build(&snapshot)?;
    let built = started.elapsed();
    let bytes = (resident_mib() - before) * 1_048_576.0 / float(shape.principals);
    ensure!(first.position(ORG) == image.position(ORG), "both are of one snapshot");
    for draw in draws {
        let questions = match *draw {
            "uniform" => questions(shape.principals, QUESTIONS),
            _ => zipf_questions(shape.principals, QUESTIONS),
        };
        for question in questions.iter().take(COMPARED) {
            let (said, rows) = (question.of_image(&image), question.ask(&snapshot)?);
            let oracle = question.of_fold(&view.fold);
            ensure!(said == rows && rows == oracle, "{question:?}: image {said}, rows {rows}, fold {oracle}");
        }
        let (mean, allowed) = untimed(&image, &questions)?;
        if let Some(plot) = &mut plot {
            plot.add("image", float(shape.depth), float(mean.into()));
            let (started, some) = (Instant::now(), questions.len() / 20);
            questions.iter().take(some).try_for_each(|question| question.ask(&snapshot).map(drop))?;
            let mean = u64::try_from(started.elapsed().as_nanos())? / u64::try_from(some)?;
            plot.add("redb", float(shape.depth), float(mean.into()));
        }
        let latencies = timed(&questions, || Ok(None), &image)?;
        row(&[
            shape.principals.to_string(),
            shape.depth.to_string(),
            (*draw).to_owned(),
            nanos(mean),
            quantile(&latencies, 0.5),
            quantile(&latencies, 0.99),
            format!("{} %", 100 * allowed / QUESTIONS),
            format!("{} ms", built.as_millis()),
            // Below that the allocator has room left over from before.
            if shape.principals < 100_000 { String::new() } else { format!("{bytes:.0}") },
        ]);
    }
    Ok(())
}

/// The mean of a loop without a clock in it, by processor time, and how many were allowed in one round.
pub(crate) fn untimed(image: &Image, questions: &[Asked]) -> Result<(u64, usize)> {
    let count = |image: &Image| questions.iter().filter(|question| question.of_image(image)).count();
    let allowed = count(image);
    let started = processor_nanos();
    for _ in 0..ROUNDS {
        ensure!(count(std::hint::black_box(image)) == allowed, "the same image answers the same");
    }
    Ok(((processor_nanos() - started) / u64::try_from(ROUNDS * questions.len())?, allowed))
}

/// Each with a clock around it, about 40 ns of its own; with the image that `fresh` gives, if it gives one.
fn timed(
    questions: &[Asked],
    fresh: impl Fn() -> Result<Option<Arc<Image>>>,
    image: &Image,
) -> Result<Histogram<u64>> {
    let mut latencies = histogram();
    for question in questions {
        let asked = Instant::now();
        match fresh()? {
            Some(image) => std::hint::black_box(question.of_image(&image)),
            None => std::hint::black_box(question.of_image(image)),
        };
        note(&mut latencies, asked.elapsed());
    }
    Ok(latencies)
}

/// A kind of change: what, and the one with this number.
type Kind = (&'static str, fn(u128) -> Event);

/// What a change costs, and checks while a thousand changes a second are published.
fn changes() -> Result<()> {
    let shape = Shape { principals: MANY, depth: 3 };
    let (mut bare, mut kept) = (View::filled(shape)?, View::filled(shape)?);
    kept.writer.keep_image()?;
    kept.writer.publish_image();
    for view in [&mut bare, &mut kept] {
        let members = (0..MANY).map(|number| workload::member(workload::principal(number).into(), 999));
        let members: Vec<Event> = members.collect();
        members.chunks(4096).try_for_each(|events| view.apply(events.to_vec()).map(drop))?;
    }
    let columns = ["change", "rows alone, p50", "rows and image, p50", "p99"];
    table("A change, each a commit without fsync and an image published (P8); 100,000 principals", &columns);
    let kinds: [Kind; 5] = [
        ("membership of one principal", |number| {
            workload::member(workload::principal(number).into(), number % 999)
        }),
        ("grant to the group of 100,000", |number| change::grant_to_group(2_000_000 + number, 999, number)),
        ("grant to a group with groups below", |number| {
            change::grant_to_group(3_000_000 + number, number % 333 * 3, number)
        }),
        ("project relabelled", |number| change::relabelled(number % 1_000, number)),
        ("role changed, which a third of the groups have", change::custom_role_changed),
    ];
    for (what, event) in kinds {
        let (mut rows, mut both) = (histogram(), histogram());
        for number in 0..200 {
            note(&mut rows, bare.apply(vec![event(number)])?);
            note(&mut both, kept.apply(vec![event(number)])?);
        }
        row(&[what.to_owned(), quantile(&rows, 0.5), quantile(&both, 0.5), quantile(&both, 0.99)]);
    }
    agree(&kept)?;
    while_changing(kept, MANY)
}

/// The image kept up through all these changes answers like one built from the rows, and like the fold.
fn agree(kept: &View) -> Result<()> {
    let image = kept.writer.reader().image().context("an image was published")?;
    let built = Image::build(&kept.writer.reader().snapshot()?)?;
    for question in questions(MANY, COMPARED) {
        let (said, again, oracle) =
            (question.of_image(&image), question.of_image(&built), question.of_fold(&kept.fold));
        ensure!(said == again && again == oracle, "{question:?}: kept {said}, built {again}, fold {oracle}");
    }
    Ok(())
}

fn while_changing(kept: View, principals: u128) -> Result<()> {
    let columns = ["checks while", "checks/s", "p50", "p99", "p99.9", "max"];
    table("Checks from the image last published, one thread, each with a clock around it", &columns);
    let questions = questions(principals, QUESTIONS);
    let reader = kept.writer.reader();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| -> Result<()> {
        let show = |what: &str| -> Result<()> {
            let image = reader.image().context("an image was published")?;
            let started = Instant::now();
            let mut latencies = histogram();
            while started.elapsed() < Duration::from_secs(3) {
                latencies.add(timed(&questions, || Ok(reader.image()), &image)?)?;
            }
            let count = usize::try_from(latencies.len())?;
            row(&[
                what.to_owned(),
                per_second(rate(count, started.elapsed())),
                quantile(&latencies, 0.5),
                quantile(&latencies, 0.99),
                quantile(&latencies, 0.999),
                quantile(&latencies, 1.0),
            ]);
            Ok(())
        };
        show("nothing changes")?;
        let changer = scope.spawn(|| change_until(&ended, kept));
        let shown = show("1,000 changes a second are applied and published");
        ended.store(true, Ordering::Relaxed);
        let (count, elapsed) = changer.join().map_err(|_| anyhow::anyhow!("the changer panicked"))??;
        shown?;
        row(&["(changes that were published)".to_owned(), per_second(rate(count, elapsed))]);
        Ok(())
    })
}

/// Adds a membership every millisecond, or as soon as it can.
fn change_until(ended: &AtomicBool, mut kept: View) -> Result<(usize, Duration)> {
    let started = Instant::now();
    let mut count = 0_u32;
    while !ended.load(Ordering::Relaxed) {
        let number = u128::from(count) * 7919 % MANY;
        kept.apply(vec![workload::member(workload::principal(number).into(), u128::from(count % 999))])?;
        count += 1;
        let due = Duration::from_millis(1) * count;
        thread::sleep(due.saturating_sub(started.elapsed()));
    }
    Ok((usize::try_from(count)?, started.elapsed()))
}

/// A view in a file, and the fold of the same records.
struct View {
    writer: ViewWriter,
    fold: OrgState,
    ordinal: u64,
    sequence: u64,
    _dir: tempfile::TempDir,
}

impl View {
    fn filled(shape: Shape) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (mut writer, _) = ViewWriter::open(&dir.path().join("view.redb"), identity().installation)?;
        let mut fold = OrgState::default();
        crate::parts::check::fill(&mut writer, &mut fold, shape)?;
        let sequence = writer.sequence();
        Ok(Self { writer, fold, ordinal: sequence, sequence, _dir: dir })
    }

    /// Applies one record and publishes, if an image is kept; how long that took.
    fn apply(&mut self, events: Vec<Event>) -> Result<Duration> {
        (self.ordinal, self.sequence) = (self.ordinal + 1, self.sequence + 1);
        let record = Record { ordinal: self.ordinal, ..workload::record(events) };
        self.fold.apply_record(&record);
        let position = grantbook_domain::position::Position::of(self.sequence, 0);
        let records = [Recorded { position, org: ORG, record }];
        let started = Instant::now();
        self.writer
            .apply(&Batch { records: &records, last_sequence: self.sequence, checkpoint: b"" }, false)?;
        self.writer.publish_image();
        Ok(started.elapsed())
    }
}

impl Asked {
    pub(crate) fn of_image(&self, image: &Image) -> bool {
        image.check(ORG, &self.question(), AT).allows()
    }
}
