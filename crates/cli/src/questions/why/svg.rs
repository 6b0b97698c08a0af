//! The paths of an explanation as a picture: principal, groups, grant, scope, object, from left to right.
//!
//! A way is a row of its own from its grant on; groups that ways have in common stand before them once, as in a tree. So
//! no line crosses a box, however the groups are nested. What is known by colour is also known by dashes and words, and
//! the same explanation always gives the same bytes.

mod draw;
mod ways;

use grantbook_api::questions::explain::Explanation;

use self::{
    draw::{Canvas, Frame, Look},
    ways::{Node, Row, Tree},
};
use crate::shared::output::clean;

/// Most ways drawn.
const ROWS_MAX: usize = 60;
/// The height of a row.
const ROW: usize = 104;
/// The room between columns, for lines.
const GAP: usize = 64;
/// The room around everything.
const MARGIN: usize = 24;
/// Characters in a line of a box of the tree, and of a grant or scope.
const NARROW: usize = 22;
const WIDE: usize = 34;
/// The height of the words above.
const HEAD: usize = 76;

/// The picture, with `headline` above it.
pub(super) fn picture(explanation: &Explanation, headline: &str) -> String {
    let (rows, left_out) = ways::rows(explanation, ROWS_MAX);
    let tree = Tree::of(explanation, &rows);
    let height = HEAD + ROW * rows.len().max(1) + 64;
    let columns = Columns::new(tree.depth());
    let width = columns.object + Frame::width(NARROW) + MARGIN;
    let mut canvas = Canvas::new(width.max(860), height, headline);
    head(&mut canvas, explanation, headline, left_out);
    let middle = HEAD + ROW * rows.len().max(1) / 2;
    let object = object_box(explanation, columns.object, middle);
    if rows.is_empty() {
        let principal = Frame::new(MARGIN, middle, NARROW, &tree.root.lines);
        let line = Look { crossed: true, ..Look::PLAIN };
        canvas.line((principal.right(), middle), (object.left(), middle), line);
        canvas.boxed(&principal, Look::PLAIN);
    } else {
        branch(&mut canvas, &columns, &tree.root, MARGIN);
        for (index, row) in rows.iter().enumerate() {
            let y = tree.place(index);
            leaf(&mut canvas, &columns, row, HEAD + ROW * y + ROW / 2, &object);
        }
    }
    canvas.boxed(&object, Look::PLAIN);
    legend(&mut canvas, height - 28);
    canvas.done()
}

/// Where the columns behind the tree begin.
struct Columns {
    grant: usize,
    scope: usize,
    object: usize,
}

impl Columns {
    fn new(depth: usize) -> Self {
        let grant = MARGIN + depth.max(1) * (Frame::width(NARROW) + GAP);
        let scope = grant + Frame::width(WIDE) + GAP;
        Self { grant, scope, object: scope + Frame::width(WIDE) + GAP }
    }
}

fn head(canvas: &mut Canvas, explanation: &Explanation, headline: &str, left_out: usize) {
    canvas.words((MARGIN, 26), headline, true);
    let mut more = Vec::new();
    more.extend(explanation.missing.as_ref().map(|missing| missing.detail.clone()));
    more.extend(explanation.as_of.as_ref().map(|as_of| format!("as of {as_of}")));
    if left_out > 0 || explanation.truncated {
        let count = if explanation.truncated { "more".to_owned() } else { format!("{left_out} more") };
        more.push(format!("{count} ways are not drawn"));
    }
    canvas.words((MARGIN, 46), &more.join("; "), false);
}

fn object_box(explanation: &Explanation, x: usize, y: usize) -> Frame {
    let object = &explanation.object;
    let mut lines =
        vec![object.object_type.clone(), object.name.clone().unwrap_or_else(|| object.id.clone())];
    if let Some(project) = explanation.project.as_ref().filter(|_| object.object_type != "project") {
        lines.push(format!("in project {}", crate::questions::why::named(project)));
    }
    Frame::new(x, y, NARROW, &lines)
}

/// A node of the tree, and what follows from it.
fn branch(canvas: &mut Canvas, columns: &Columns, node: &Node, x: usize) {
    let own = Frame::new(x, middle(node), NARROW, &node.lines);
    let next = x + Frame::width(NARROW) + GAP;
    for child in &node.children {
        let look = Look { crossed: child.is_over, ..Look::PLAIN };
        canvas.line((own.right(), middle(node)), (next, middle(child)), look);
        branch(canvas, columns, child, next);
    }
    for leaf in &node.leaves {
        let y = HEAD + ROW * leaf.place + ROW / 2;
        canvas.line((own.right(), middle(node)), (columns.grant, y), leaf.look);
    }
    canvas.boxed(&own, Look { crossed: node.is_over, ..Look::PLAIN });
}

fn middle(node: &Node) -> usize {
    HEAD + ROW * (node.first + node.last) / 2 + ROW / 2
}

/// A grant with its scope, up to the object.
fn leaf(canvas: &mut Canvas, columns: &Columns, row: &Row<'_>, y: usize, object: &Frame) {
    let grant = Frame::new(columns.grant, y, WIDE, &row.grant);
    let scope = Frame::new(columns.scope, y, WIDE, &row.scope);
    let look = Look { crossed: row.other_type, ..row.look };
    canvas.line((grant.right(), y), (scope.left(), y), look);
    let look = Look { crossed: row.not_covered, ..row.look };
    canvas.line_to_object((scope.right(), y), (object.left(), object.middle()), look);
    canvas.boxed(&grant, row.look);
    canvas.boxed(&scope, row.look);
}

fn legend(canvas: &mut Canvas, y: usize) {
    let kinds = [
        (Look::ALLOW, "allows"),
        (Look::DENY, "denies, whatever allows"),
        (Look { crossed: true, ..Look::NEAR }, "does not apply: crossed out where it fails"),
    ];
    let mut x = MARGIN;
    for (look, words) in kinds {
        canvas.line((x, y), (x + GAP, y), look);
        canvas.words((x + GAP + 8, y + 4), words, false);
        x += GAP + 32 + 7 * words.len();
    }
}

/// A text on several lines, broken at spaces where there are any; what does not fit ends with three dots.
fn wrapped(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in clean(text).split(' ').filter(|word| !word.is_empty()) {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let used = lines.last().map_or(0, |line| line.chars().count());
            let fits = if used == 0 { width } else { width.saturating_sub(used + 1) };
            if used > 0 && rest.len() > fits {
                lines.push(String::new());
                continue;
            }
            let part: String = rest.drain(..fits.min(rest.len())).collect();
            if let Some(line) = lines.last_mut() {
                if used > 0 {
                    line.push(' ');
                }
                line.push_str(&part);
            }
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(line) = lines.last_mut() {
            let kept: String = line.chars().take(width - 3).collect();
            *line = format!("{}...", kept.trim_end());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn drawn(body: Value) -> String {
        let explanation: Explanation = serde_json::from_value(body).unwrap();
        picture(&explanation, &super::super::headline(&explanation))
    }

    fn golden(name: &str, svg: &str) {
        let path = format!("{}/../../tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var("GOLDEN").is_ok_and(|wish| wish == "accept") {
            std::fs::write(&path, svg).unwrap();
        }
        let known = std::fs::read_to_string(&path).unwrap();
        assert_eq!(known, svg, "review {name}, then run with GOLDEN=accept");
    }

    fn record(about: &str) -> Value {
        json!({"position": "p7", "event": "GrantCreated", "about": about, "credential": "k1",
            "reason": "apps may not touch production", "at": "2026-01-02T03:04:05.006Z",
            "actor": {"type": "user", "id": "u", "name": "ada@example.com"}})
    }

    fn via(steps: &[(&str, &str)]) -> Value {
        let one = |(member, group): &(&str, &str)| {
            let (kind, name) = member.split_once(':').unwrap();
            json!({"member": {"type": kind, "id": name, "name": name}, "expires_at": null,
                "group": {"id": group, "name": group}})
        };
        Value::Array(steps.iter().map(one).collect())
    }

    fn grant(to: &str, effect: &str) -> Value {
        json!({"id": "g1", "to": {"type": "group", "id": to, "name": to}, "role": "r",
            "on": {"projects": {"include": "all"}}, "effect": effect, "object_type": null, "expires_at": null,
            "reason": null, "created_at": "2026-01-02T03:04:05.006Z"})
    }

    fn path(steps: &[(&str, &str)], to: &str, effect: &str) -> Value {
        json!({"grant": grant(to, effect), "role": {"id": "r", "name": "Engineer"}, "via": via(steps),
            "matched": {"scope": "all projects", "covers": {"type": "project", "id": "p", "name": "staging"},
                "why": "every project is included"},
            "records": [record("/grant")]})
    }

    fn near(steps: &[(&str, &str)], to: &str, obstacles: &Value) -> Value {
        json!({"grant": grant(to, "allow"), "role": {"id": "r", "name": "Engineer"}, "via": via(steps),
            "lacks": "scope", "scope": "all projects except those labelled env=production", "why": "excluded",
            "records": [record("/grant")], "obstacles": obstacles})
    }

    fn body(more: &Value) -> Value {
        let mut body = json!({"allowed": false, "reason": "no_grant", "position": "p9", "permission": "update",
            "principal": {"type": "token", "id": "t", "name": "ci-bot"},
            "object": {"type": "project", "id": "p", "name": "staging"}, "paths": [], "truncated": false});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    const APPS: (&str, &str) = ("token:ci-bot", "apps");
    const TEAM: (&str, &str) = ("group:apps", "platform-team");

    #[test]
    fn a_deny_over_what_would_allow() {
        let svg = drawn(body(&json!({"reason": "denied_by_grant",
            "denied_by": [path(&[APPS], "apps", "deny")],
            "paths": [path(&[], "ci-bot", "allow"), path(&[APPS], "apps", "allow"),
                path(&[APPS, TEAM], "platform-team", "allow"),
                path(&[("token:ci-bot", "everybody-with-quite-a-long-name")], "everybody", "allow")]})));
        assert!(svg.contains("stroke-dasharray") && svg.contains("DENY"));
        golden("why-deny.svg", &svg);
    }

    #[test]
    fn what_is_in_the_way_is_crossed_out_where_it_is() {
        let excluded = json!([{"code": "excluded", "about": "/grant/on",
            "detail": "production is excluded: it is labelled env=production"}]);
        let expired = json!([{"code": "membership_expired", "about": "/via/1",
            "detail": "the membership in group platform-team expired at 2026-01-02T03:04:05.006Z"}]);
        let lapsed = json!([{"code": "grant_expired", "about": "/grant",
            "detail": "the grant expired at 2026-01-02T03:04:05.006Z"}]);
        let other = json!([{"code": "object_type", "about": "/grant",
            "detail": "it gives update on other object types"}]);
        let near = json!([
            near(&[APPS], "apps", &excluded),
            near(&[APPS, TEAM], "platform-team", &expired),
            near(&[APPS], "apps", &lapsed),
            near(&[], "ci-bot", &other)
        ]);
        let detail = "no grant that reaches the principal covers this; the nearest ones follow";
        let svg = drawn(body(&json!({"missing": {"detail": detail, "near": near}})));
        // The legend has one more.
        assert_eq!(svg.matches("class=\"cross\"").count(), 4 + 1);
        golden("why-near.svg", &svg);
    }

    #[test]
    fn no_name_can_leave_its_place() {
        let mut evil = path(&[("token:ci-bot", "</text><script>alert(1)</script>")], "a\"b'&<", "allow");
        evil["matched"]["scope"] = json!("<![CDATA[ \u{1b}]]>\n");
        let svg = drawn(body(&json!({"allowed": true, "reason": "granted", "paths": [evil],
            "principal": {"type": "token", "id": "t", "name": "<svg onload=x>"}})));
        for bad in ["<script", "<svg onload", "<![CDATA", "\u{1b}"] {
            assert!(!svg.contains(bad), "{bad} in {svg}");
        }
        assert!(svg.contains("&lt;script"));
    }

    #[test]
    fn nothing_to_draw_is_a_line_that_leads_nowhere() {
        let svg = drawn(body(&json!({"reason": "unknown_key", "principal": null,
            "missing": {"detail": "there is no such key, or its secret is not right"}})));
        assert_eq!(svg.matches("class=\"cross\"").count(), 1 + 1);
    }

    #[test]
    fn long_texts_are_broken_and_cut() {
        assert_eq!(wrapped("all projects except those", 12, 3), ["all projects", "except those"]);
        assert_eq!(wrapped("abcdefghij", 4, 3), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("abcdefghij klm", 6, 1), ["abc..."]);
        assert_eq!(wrapped("", 6, 1), [""]);
    }
}
