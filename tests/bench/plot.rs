//! Lines of figures as pictures (SVG), for docs/performance.md: a light background, axes with units, a legend.

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context, Result};

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 360.0;
/// Told apart also by who sees colours otherwise (Okabe and Ito).
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222", "#882255"];

/// A picture of some lines.
#[derive(Debug, Default)]
pub(crate) struct Plot {
    name: &'static str,
    title: &'static str,
    x: Axis,
    y: Axis,
    lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// What an axis counts, and whether each tick is ten times the one before.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Axis {
    label: &'static str,
    log: bool,
    /// Whether it counts nanoseconds.
    time: bool,
}

impl Axis {
    /// Of something with its unit in the label.
    pub(crate) const fn of(label: &'static str) -> Self {
        Self { label, log: false, time: false }
    }

    /// Of a time, given in nanoseconds.
    pub(crate) const fn time(label: &'static str) -> Self {
        Self { label, log: false, time: true }
    }

    /// The same, each tick ten times the one before.
    pub(crate) const fn by_tens(self) -> Self {
        Self { log: true, ..self }
    }

    fn text(self, tick: f64) -> String {
        if !self.time {
            let (value, unit) = shortened(tick, &[(1.0, ""), (1e3, "k"), (1e6, "M")]);
            return format!("{value}{unit}");
        }
        let (value, unit) = shortened(tick, &[(1.0, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s")]);
        format!("{value} {unit}")
    }
}

impl Plot {
    /// An empty picture; `name` is that of its file.
    pub(crate) fn new(name: &'static str, title: &'static str, x: Axis, y: Axis) -> Self {
        Self { name, title, x, y, lines: Vec::new() }
    }

    /// Adds a point to the line of this name.
    pub(crate) fn add(&mut self, line: &str, x: f64, y: f64) {
        match self.lines.iter_mut().find(|(name, _)| name == line) {
            Some((_, points)) => points.push((x, y)),
            None => self.lines.push((line.to_owned(), vec![(x, y)])),
        }
    }

    /// Writes it to docs/plots; a debug build, whose figures mean nothing, to the target directory.
    pub(crate) fn write(&self) -> Result<()> {
        let dir = if cfg!(debug_assertions) {
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("plots")
        } else {
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/plots")
        };
        fs::create_dir_all(&dir)?;
        let path = dir.join(format!("{}.svg", self.name));
        fs::write(&path, self.svg()?).with_context(|| path.display().to_string())
    }

    fn svg(&self) -> Result<String> {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let x = Scale::over(self.x.log, false, points().map(|(x, _)| *x));
        let y = Scale::over(self.y.log, true, points().map(|(_, y)| *y));
        let (across, up) =
            (|at: f64| LEFT + x.part(at) * (RIGHT - LEFT), |at: f64| BOTTOM - y.part(at) * (BOTTOM - TOP));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"13\" fill=\"#222\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
             <text x=\"{LEFT}\" y=\"28\" font-size=\"16\" font-weight=\"bold\">{}</text>\n",
            self.title
        );
        for tick in y.ticks() {
            let at = up(tick);
            writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"#ddd\"/>")?;
            writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                at + 4.0,
                self.y.text(tick)
            )?;
        }
        let ticks = if self.x.log { x.ticks() } else { distinct(points().map(|(x, _)| *x)) };
        for tick in ticks {
            let at = across(tick);
            writeln!(svg, "<path d=\"M{at:.1} {BOTTOM}v5\" stroke=\"#222\"/>")?;
            writeln!(
                svg,
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                BOTTOM + 20.0,
                self.x.text(tick)
            )?;
        }
        writeln!(svg, "<path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" fill=\"none\" stroke=\"#222\"/>")?;
        let (middle, low) = (f64::midpoint(LEFT, RIGHT), HEIGHT - 16.0);
        writeln!(svg, "<text x=\"{middle}\" y=\"{low}\" text-anchor=\"middle\">{}</text>", self.x.label)?;
        let middle = f64::midpoint(TOP, BOTTOM);
        writeln!(
            svg,
            "<text transform=\"translate(18 {middle}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            self.y.label
        )?;
        for ((name, points), (colour, row)) in self.lines.iter().zip(COLOURS.iter().cycle().zip(0_u8..)) {
            let path: Vec<String> =
                points.iter().map(|(x, y)| format!("{:.1} {:.1}", across(*x), up(*y))).collect();
            writeln!(
                svg,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                path.join("L")
            )?;
            for (x, y) in points {
                writeln!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"/>",
                    across(*x),
                    up(*y)
                )?;
            }
            let (at, from) = (TOP + 8.0 + 22.0 * f64::from(row), RIGHT + 18.0);
            writeln!(svg, "<path d=\"M{from} {at}h20\" stroke=\"{colour}\" stroke-width=\"3\"/>")?;
            writeln!(svg, "<text x=\"{}\" y=\"{}\">{name}</text>", from + 28.0, at + 4.0)?;
        }
        svg.push_str("</svg>\n");
        Ok(svg)
    }
}

/// From figures to places between 0 and 1.
#[derive(Debug, Clone, Copy)]
struct Scale {
    log: bool,
    low: f64,
    high: f64,
    step: f64,
}

impl Scale {
    /// One that all of these fit on; `round` widens it to whole ticks, a scale that is not logarithmic down to 0.
    fn over(log: bool, round: bool, values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::MAX, f64::MIN);
        for value in values.map(|value| if log { value.max(1e-9).log10() } else { value }) {
            (low, high) = (low.min(value), high.max(value));
        }
        if log {
            if round || high - low < 1e-9 {
                (low, high) = (low.floor(), high.ceil());
            }
            return Self { log, low, high: high.max(low + 1.0).max(high), step: 1.0 };
        }
        if !round {
            return Self { log, low, high: if high > low { high } else { low + 1.0 }, step: 1.0 };
        }
        let rough = high.max(1e-9) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        Self { log, low: 0.0, high: (high / step).ceil() * step, step }
    }

    fn part(&self, value: f64) -> f64 {
        let value = if self.log { value.max(1e-9).log10() } else { value };
        (value - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> Vec<f64> {
        let mut ticks = Vec::new();
        let mut at = if self.log { self.low.ceil() } else { self.low };
        while at <= self.high + self.step * 1e-6 {
            ticks.push(if self.log { 10_f64.powf(at) } else { at });
            at += self.step;
        }
        ticks
    }
}

fn distinct(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// A number at a tick in the largest unit that it has one of, with few digits.
fn shortened(number: f64, units: &[(f64, &'static str)]) -> (String, &'static str) {
    let fits = units.iter().rev().find(|(size, _)| number >= size * 0.999_999);
    let (size, unit) = fits.or(units.first()).copied().unwrap_or((1.0, ""));
    let text = format!("{:.3}", number / size);
    (text.trim_end_matches('0').trim_end_matches('.').to_owned(), unit)
}
