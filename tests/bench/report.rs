//! Markdown tables on standard output.

use std::time::Duration;

use hdrhistogram::Histogram;

/// One line.
#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// A heading and the head of a table.
pub(crate) fn table(title: &str, columns: &[&str]) {
    line(&format!("\n### {title}\n"));
    line(&format!("| {} |", columns.join(" | ")));
    line(&format!("| {} |", columns.iter().map(|_| "---").collect::<Vec<_>>().join(" | ")));
}

/// A row of the table.
pub(crate) fn row(cells: &[String]) {
    line(&format!("| {} |", cells.join(" | ")));
}

/// On what the figures were taken.
pub(crate) fn machine() {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    line(&format!("{cores} cores, Linux {}, profile {}", kernel.trim(), profile()));
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug: figures mean nothing" } else { "release" }
}

/// Resident memory of this process in MiB.
pub(crate) fn resident_mib() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0);
    pages * 4096.0 / 1_048_576.0
}

/// The processor time of this one thread in nanoseconds (Linux): what others do on a busy machine hardly shows in it.
pub(crate) fn processor_nanos() -> u64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    times.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

/// A histogram of nanoseconds with three digits.
#[expect(clippy::expect_used, reason = "the number of digits is a constant that fits")]
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are possible")
}

/// Records a duration in nanoseconds.
#[expect(clippy::expect_used, reason = "a histogram of no fixed size takes every value")]
pub(crate) fn note(histogram: &mut Histogram<u64>, elapsed: Duration) {
    let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    histogram.record(nanos).expect("the histogram grows as needed");
}

/// A quantile in readable units.
pub(crate) fn quantile(histogram: &Histogram<u64>, quantile: f64) -> String {
    nanos(histogram.value_at_quantile(quantile))
}

/// Nanoseconds in readable units.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn nanos(nanos: u64) -> String {
    let nanos = nanos as f64;
    match nanos {
        n if n < 1_000.0 => format!("{n:.0} ns"),
        n if n < 1_000_000.0 => format!("{:.2} us", n / 1_000.0),
        n => format!("{:.2} ms", n / 1_000_000.0),
    }
}

/// The sizes to take figures of: all of these, in a debug build the smallest.
pub(crate) fn sizes(all: &[u128]) -> Vec<u128> {
    let smallest = all.iter().copied().min();
    if cfg!(debug_assertions) { smallest.into_iter().collect() } else { all.to_vec() }
}

/// A number with as many digits as are shown.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn float(number: u128) -> f64 {
    number as f64
}

/// How many a second.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn rate(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

/// A rate in readable form.
pub(crate) fn per_second(rate: f64) -> String {
    if rate >= 10_000.0 { format!("{:.1}k/s", rate / 1_000.0) } else { format!("{rate:.0}/s") }
}
