//! Text that is shown to people.

/// A text on one line and without control characters, so that no name or reason can forge output. What is not seen, or
/// changes the order of what is, is written as `\u{202e}`: records of earlier versions may hold it.
pub fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.push(' ');
        } else if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether the standard library's own debug output would not print it either: format, private and unassigned characters, and
/// spaces other than the usual one.
fn is_hidden(c: char) -> bool {
    // Behind a letter, so that combining marks are printed.
    !c.is_ascii() && String::from_iter(['x', c]).escape_debug().count() > 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_not_shown() {
        assert_eq!(clean("a\u{1b}[31m\nb"), "a [31m b");
    }

    #[test]
    fn what_is_not_seen_is_shown_escaped() {
        assert_eq!(clean("ci\u{202e}tob\u{2066}\u{200b}\u{378}"), "ci\\u{202e}tob\\u{2066}\\u{200b}\\u{378}");
        for text in [
            "Zo\u{eb}",
            "Zoe\u{308}",
            "\u{5d3}\u{5d5}\u{5d3}",
            "\u{674e}\u{96f7}",
            "\u{1f680}",
            "a\\b \"c\" 'd'",
        ] {
            assert_eq!(clean(text), text);
        }
    }
}
