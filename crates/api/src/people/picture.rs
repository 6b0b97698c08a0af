//! The graph of an explanation as a picture: principal, groups, grant, scope, object, from left to right.
//!
//! A grant is a row of its own; groups stand before their grants once, as in a tree, and are named again where
//! others are in them. So no line crosses a box, however the groups are nested. What is known by colour is also known by dashes and words, and
//! the same explanation always gives the same bytes.

mod draw;
mod ways;

use self::{
    draw::{Canvas, Frame, Look},
    ways::{Drawn, Node, Row, Tree},
};
use crate::{
    people::{explanation::named, text::clean},
    questions::explain::Explanation,
};

/// Most grants drawn, with groups that are named again.
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
pub fn picture(explanation: &Explanation, headline: &str) -> String {
    let drawn = Drawn::new(explanation);
    let (rows, left_out) = drawn.rows(ROWS_MAX);
    let tree = Tree::of(&drawn, &rows);
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
    more.extend((left_out > 0).then(|| format!("{left_out} more grants are not drawn")));
    canvas.words((MARGIN, 46), &more.join("; "), false);
}

fn object_box(explanation: &Explanation, x: usize, y: usize) -> Frame {
    let object = &explanation.object;
    let mut lines =
        vec![object.object_type.clone(), object.name.clone().unwrap_or_else(|| object.id.clone())];
    if let Some(project) = explanation.project.as_ref().filter(|_| object.object_type != "project") {
        lines.push(format!("in project {}", named(project)));
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

/// A grant with its scope, up to the object; or a group that is named again.
fn leaf(canvas: &mut Canvas, columns: &Columns, row: &Row<'_>, y: usize, object: &Frame) {
    let grant = Frame::new(columns.grant, y, WIDE, &row.grant);
    if row.scope.is_empty() {
        return canvas.boxed(&grant, row.look);
    }
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
        picture(&explanation, &crate::people::explanation::headline(&explanation))
    }

    fn golden(name: &str, svg: &str) {
        let path = format!("{}/../../tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var("GOLDEN").is_ok_and(|wish| wish == "accept") {
            std::fs::write(&path, svg).unwrap();
        }
        let known = std::fs::read_to_string(&path).unwrap();
        assert_eq!(known, svg, "review {name}, then run with GOLDEN=accept");
    }

    fn node(kind: &str, id: &str) -> Value {
        json!({"type": kind, "id": id, "name": id})
    }

    fn member(from: &str, to: &str) -> Value {
        json!({"type": "membership", "from": from, "to": to, "position": "p3"})
    }

    fn over(from: &str, to: &str) -> Value {
        json!({"type": "membership", "from": from, "to": to, "position": "p3", "expired": true,
            "expires_at": "2026-01-02T03:04:05.006Z"})
    }

    /// A grant, and what leads to it and on.
    fn grant(to: &str, id: &str, more: &Value) -> [Value; 3] {
        let mut grant = json!({"effect": "allow", "applies": true, "scope": "all projects",
            "why": "every project is included"});
        grant.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        [
            json!({"type": "grant", "id": id, "position": "p7", "grant": grant}),
            json!({"type": "grant", "from": to, "to": id}),
            json!({"type": "role", "from": id, "to": "Engineer"}),
        ]
    }

    /// What the picture is made of: groups, memberships, grants.
    fn graph(groups: &[&str], memberships: Vec<Value>, grants: Vec<[Value; 3]>) -> Value {
        let mut nodes = vec![node("token", "ci-bot")];
        nodes.extend(groups.iter().map(|name| node("group", name)));
        let mut edges = memberships;
        for [grant, to, role] in grants {
            nodes.push(grant);
            edges.extend([to, role]);
        }
        nodes.push(node("role", "Engineer"));
        json!({"nodes": nodes, "edges": edges})
    }

    /// A path of the page, which tells who gave a grant.
    fn path(grant: &str) -> Value {
        json!({"grant": {"id": grant, "to": {"type": "token", "id": "ci-bot"}, "role": "r",
                "on": {"projects": {"include": "all"}}, "effect": "allow", "object_type": null, "expires_at": null,
                "reason": null, "created_at": "2026-01-02T03:04:05.006Z"},
            "role": {"id": "Engineer", "name": "Engineer", "via_roles": [{"id": "w", "name": "Writer"}]}, "via": [],
            "matched": {"scope": "all projects", "covers": {"type": "project", "id": "p", "name": "staging"}, "why": ""},
            "records": [{"position": "p7", "event": "GrantCreated", "about": "/grant", "credential": "k1",
                "reason": "apps may not touch production", "at": "2026-01-02T03:04:05.006Z",
                "actor": {"type": "user", "id": "u", "name": "ada@example.com"}}]})
    }

    fn body(graph: &Value, more: &Value) -> Value {
        let mut body = json!({"allowed": false, "reason": "no_grant", "position": "p9", "permission": "update",
            "principal": {"type": "token", "id": "ci-bot", "name": "ci-bot"},
            "object": {"type": "project", "id": "p", "name": "staging"}, "paths": [], "paths_total": 0, "next": null, "graph": graph});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    #[test]
    fn a_deny_over_what_would_allow() {
        let wide = "everybody-with-quite-a-long-name";
        let graph = graph(
            &["apps", wide, "platform-team"],
            vec![member("ci-bot", "apps"), member("ci-bot", wide), member("apps", "platform-team")],
            vec![
                grant("ci-bot", "g1", &json!({})),
                grant("apps", "g2", &json!({})),
                grant("apps", "g3", &json!({"effect": "deny"})),
                grant(wide, "g4", &json!({})),
                grant("platform-team", "g5", &json!({})),
            ],
        );
        let more = json!({"reason": "denied_by_grant", "denied_by": [path("g3")], "paths": [path("g1")]});
        let svg = drawn(body(&graph, &more));
        assert!(svg.contains("stroke-dasharray") && svg.contains("DENY"));
        golden("why-deny.svg", &svg);
    }

    #[test]
    fn what_is_in_the_way_is_crossed_out_where_it_is() {
        let scope = "all projects except those labelled env=production";
        let why = "production is excluded: it is labelled env=production";
        let near = |code: &str| {
            json!({"applies": false, "obstacles": [code], "scope": scope, "why": why,
            "expires_at": "2026-01-02T03:04:05.006Z"})
        };
        let graph = graph(
            &["apps", "platform-team"],
            vec![member("ci-bot", "apps"), over("apps", "platform-team")],
            vec![
                grant("apps", "g1", &near("excluded")),
                grant("platform-team", "g2", &near("membership_expired")),
                grant("apps", "g3", &near("grant_expired")),
                grant("ci-bot", "g4", &near("object_type")),
            ],
        );
        let detail = "no grant that reaches the principal covers this; the nearest ones follow";
        let svg = drawn(body(&graph, &json!({"missing": {"detail": detail, "near": []}})));
        // The legend has one more.
        assert_eq!(svg.matches("class=\"cross\"").count(), 4 + 1);
        assert!(svg.contains("but the membership in group"), "{svg}");
        golden("why-near.svg", &svg);
    }

    /// Two groups in a third, and an expired way that is shorter: each group has one box, each membership one line.
    #[test]
    fn a_group_in_several_groups_is_drawn_once_and_named_again() {
        let graph = graph(
            &["left", "right", "top"],
            vec![
                member("ci-bot", "left"),
                member("ci-bot", "right"),
                over("ci-bot", "top"),
                member("left", "top"),
                member("right", "top"),
            ],
            vec![grant("top", "g1", &json!({})), grant("right", "g2", &json!({}))],
        );
        let svg = drawn(body(&graph, &json!({"allowed": true, "reason": "granted"})));
        assert_eq!(svg.matches(">top<").count(), 3, "{svg}");
        assert_eq!(svg.matches("(drawn once, elsewhere)").count(), 2, "{svg}");
        assert_eq!(
            svg.matches("class=\"cross\"").count(),
            1 + 1,
            "only the expired membership is crossed out"
        );
    }

    #[test]
    fn grants_that_are_not_drawn_are_counted() {
        let names: Vec<String> = (0..400).map(|index| format!("link-{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let below = ["ci-bot"].into_iter().chain(names.iter().copied());
        let chain = below.zip(&names).map(|(member, group)| self::member(member, group)).collect();
        let grants = names.iter().map(|name| grant(name, &format!("on-{name}"), &json!({}))).collect();
        let svg = drawn(body(&graph(&names, chain, grants), &json!({"allowed": true, "reason": "granted"})));
        assert!(svg.contains("340 more grants are not drawn"), "{svg}");
        assert!(svg.contains("link-59") && !svg.contains("link-60"));
    }

    #[test]
    fn no_name_can_leave_its_place() {
        let bad = "</text><script>alert(1)</script>";
        let one = grant(bad, "a\"b'&<", &json!({"scope": "<![CDATA[ \u{1b}]]>\n"}));
        let graph = graph(&[bad], vec![member("ci-bot", bad)], vec![one]);
        let svg = drawn(body(
            &graph,
            &json!({"allowed": true, "reason": "granted",
            "principal": {"type": "token", "id": "t", "name": "<svg onload=x>"}}),
        ));
        for bad in ["<script", "<svg onload", "<![CDATA", "\u{1b}"] {
            assert!(!svg.contains(bad), "{bad} in {svg}");
        }
        assert!(svg.contains("&lt;script"));
    }

    #[test]
    fn nothing_to_draw_is_a_line_that_leads_nowhere() {
        let graph = json!({"nodes": [], "edges": []});
        let svg = drawn(body(
            &graph,
            &json!({"reason": "unknown_key", "principal": null,
            "missing": {"detail": "there is no such key, or its secret is not right"}}),
        ));
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
