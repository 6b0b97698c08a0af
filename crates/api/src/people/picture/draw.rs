//! Boxes, lines and words as SVG.

use std::fmt::Write as _;

use crate::people::{
    picture::{GAP, wrapped},
    text::clean,
};

/// The height of a line of text, and its distance from a box's edges.
const LINE: usize = 15;
const PAD: usize = 8;
/// How much of a line is straight where it may be crossed out.
const STRAIGHT: usize = 26;

/// How something is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Its kind.
    pub(super) class: &'static str,
    /// Whether it is crossed out.
    pub(super) crossed: bool,
}

impl Look {
    pub(super) const PLAIN: Self = Self { class: "plain", crossed: false };
    pub(super) const ALLOW: Self = Self { class: "allow", crossed: false };
    pub(super) const DENY: Self = Self { class: "deny", crossed: false };
    pub(super) const NEAR: Self = Self { class: "near", crossed: false };

    /// What sets it apart: colour, and dashes for whoever sees none.
    fn stroke(self) -> &'static str {
        match self.class {
            "allow" => r##"stroke="#1a7f37" stroke-width="2""##,
            "deny" => r##"stroke="#c11b17" stroke-width="2.5" stroke-dasharray="9 4""##,
            "near" => r##"stroke="#6e7781" stroke-width="1.5" stroke-dasharray="2 3""##,
            _ => r##"stroke="#24292f" stroke-width="1.5""##,
        }
    }
}

/// A box with lines of text, its middle at a height.
pub(super) struct Frame {
    x: usize,
    y: usize,
    columns: usize,
    lines: Vec<String>,
}

impl Frame {
    pub(super) fn new(x: usize, y: usize, columns: usize, lines: &[String]) -> Self {
        let lines = lines.iter().flat_map(|line| wrapped(line, columns, 2)).take(6).collect();
        Self { x, y, columns, lines }
    }

    /// The width of a box with so many characters a line.
    pub(super) const fn width(columns: usize) -> usize {
        columns * 67 / 10 + 2 * PAD
    }

    pub(super) fn left(&self) -> usize {
        self.x
    }

    pub(super) fn right(&self) -> usize {
        self.x + Self::width(self.columns)
    }

    pub(super) fn middle(&self) -> usize {
        self.y
    }
}

/// The picture so far.
pub(super) struct Canvas {
    text: String,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize, title: &str) -> Self {
        let mut canvas = Self { text: String::new() };
        canvas.put(&format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="11">"#
        ));
        canvas.put(&format!("<title>{}</title>", escaped(title)));
        canvas.put(&format!(r##"<rect width="{width}" height="{height}" fill="#ffffff"/>"##));
        canvas
    }

    pub(super) fn done(mut self) -> String {
        self.put("</svg>");
        self.text
    }

    pub(super) fn words(&mut self, (x, y): (usize, usize), words: &str, strong: bool) {
        let weight = if strong { r#" font-weight="bold" font-size="13""# } else { "" };
        let words = escaped(words);
        self.put(&format!(r##"<text x="{x}" y="{y}" fill="#24292f"{weight}>{words}</text>"##));
    }

    pub(super) fn boxed(&mut self, one: &Frame, look: Look) {
        let (width, height) = (Frame::width(one.columns), one.lines.len() * LINE + 2 * PAD - 3);
        let (x, top) = (one.x, one.y.saturating_sub(height / 2));
        let stroke = look.stroke();
        self.put(&format!(
            r##"<rect x="{x}" y="{top}" width="{width}" height="{height}" rx="5" fill="#f6f8fa" {stroke}/>"##
        ));
        for (index, line) in one.lines.iter().enumerate() {
            let y = top + PAD + 8 + index * LINE;
            self.put(&format!(r##"<text x="{}" y="{y}" fill="#24292f">{}</text>"##, x + PAD, escaped(line)));
        }
    }

    /// A line from a box to one further right; crossed out before its end.
    pub(super) fn line(&mut self, from: (usize, usize), to: (usize, usize), look: Look) {
        // The last stretch of the gap is straight, so that a cross is on the line.
        let straight = (from.0 + GAP).min(to.0).saturating_sub(STRAIGHT);
        let bend = usize::midpoint(from.0, straight);
        let curve = format!("M{} {} C{bend} {} {bend} {} {straight} {}", from.0, from.1, from.1, to.1, to.1);
        self.curve(&format!("{curve} H{}", to.0), to, look, (to.0.saturating_sub(18), to.1));
    }

    /// A line to the object, where many end; crossed out at its beginning.
    pub(super) fn line_to_object(&mut self, from: (usize, usize), to: (usize, usize), look: Look) {
        let start = from.0 + STRAIGHT;
        let bend = usize::midpoint(start, to.0);
        let curve =
            format!("M{} {} H{start} C{bend} {} {bend} {} {} {}", from.0, from.1, from.1, to.1, to.0, to.1);
        self.curve(&curve, to, look, (from.0 + 13, from.1));
    }

    fn curve(&mut self, path: &str, end: (usize, usize), look: Look, cross: (usize, usize)) {
        self.put(&format!(r#"<path d="{path}" fill="none" {}/>"#, look.stroke()));
        let (x, y) = end;
        let (back, above, below) = (x.saturating_sub(8), y.saturating_sub(4), y + 4);
        let solid = look.stroke().split(" stroke-dasharray").next().unwrap_or_default();
        self.put(&format!(r#"<path d="M{back} {above} L{x} {y} L{back} {below}" fill="none" {solid}/>"#));
        if look.crossed {
            let (left, top) = (cross.0.saturating_sub(6), cross.1.saturating_sub(6));
            self.put(&format!(
                r##"<path class="cross" d="M{left} {top} l12 12 m0 -12 l-12 12" fill="none" stroke="#c11b17" stroke-width="3"/>"##
            ));
        }
    }

    fn put(&mut self, element: &str) {
        let _infallible = writeln!(self.text, "{element}");
    }
}

/// Text that stays text.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML knows no such characters.
            '\u{fffe}' | '\u{ffff}' => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
