//! The resident memory of each process over time.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::verdict::line;

/// Between two samples.
const EVERY: Duration = Duration::from_secs(5);
/// How often it is looked whether to end.
const LOOK: Duration = Duration::from_millis(100);
/// The median of the last third is at most so many times that of the second third.
const GROWTH_MAX: f64 = 1.25;

/// Takes samples until it is ended.
#[derive(Debug)]
pub(super) struct Memory {
    over: Arc<AtomicBool>,
    taking: JoinHandle<Samples>,
}

/// For each process its resident memory in KiB, every few seconds.
#[derive(Debug, Default)]
pub(super) struct Samples(BTreeMap<&'static str, Vec<u64>>);

impl Memory {
    pub(super) fn watch(processes: Vec<(&'static str, u32)>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&over);
        let taking = thread::spawn(move || {
            let (mut samples, mut next) = (Samples::default(), Instant::now());
            while !flag.load(Ordering::Relaxed) {
                if Instant::now() >= next {
                    next += EVERY;
                    for (name, pid) in &processes {
                        samples.0.entry(*name).or_default().extend(resident(*pid));
                    }
                }
                thread::sleep(LOOK);
            }
            samples
        });
        Self { over, taking }
    }

    pub(super) fn end(self) -> Samples {
        self.over.store(true, Ordering::Relaxed);
        self.taking.join().unwrap_or_default()
    }
}

impl Samples {
    /// Prints the medians of each third; the processes that grew too much.
    pub(super) fn judge(&self) -> Vec<String> {
        line("\n| process | samples | median of the thirds, MiB | most, MiB | last by second third |");
        line("| --- | --- | --- | --- | --- |");
        let mut grown = Vec::new();
        for (name, samples) in &self.0 {
            let third = samples.len().div_ceil(3).max(1);
            let medians: Vec<u64> = samples.chunks(third).map(median).collect();
            let [Some(first), Some(second), Some(last)] = [0, 1, 2].map(|index| medians.get(index).copied())
            else {
                line(&format!("| {name} | {} | too few | - | - |", samples.len()));
                continue;
            };
            let most = samples.iter().max().copied().unwrap_or_default();
            let growth = mib(last) / mib(second).max(1.0);
            line(&format!(
                "| {name} | {} | {:.0}, {:.0}, {:.0} | {:.0} | {growth:.2} |",
                samples.len(),
                mib(first),
                mib(second),
                mib(last),
                mib(most)
            ));
            if growth > GROWTH_MAX {
                grown.push(format!("{name} {growth:.2} times"));
            }
        }
        grown
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// `VmRSS` in KiB (proc(5)).
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn memory_that_grows_is_found_and_memory_that_settled_is_not() {
    let of = |samples: Vec<u64>| Samples(BTreeMap::from([("r0", samples)])).judge();
    let settled = [vec![100_000; 10], vec![300_000; 10], vec![310_000; 10]].concat();
    assert!(of(settled).is_empty(), "the first third is not looked at");
    let grown = of((0..30).map(|number| 100_000 + 10_000 * number).collect());
    assert_eq!(grown, ["r0 1.40 times"]);
}
