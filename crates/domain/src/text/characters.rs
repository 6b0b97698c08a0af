//! Which characters a text may have: none that is not seen, and none that changes in which order others are seen.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::text::TextFault;

/// The Unicode version that says which characters there are.
pub const TABLE_VERSION: (u64, u64, u64) = unicode_properties::UNICODE_VERSION;

/// The space of Chinese and Japanese text, which is part of names there. All other spaces look like U+0020 and are not.
const IDEOGRAPHIC_SPACE: char = '\u{3000}';

/// Of names, labels, ids and e-mails: everybody who reads them must see what they are. No control, format or unassigned
/// character, and none that is drawn as nothing (UAX 44, `Default_Ignorable_Code_Point`).
pub(super) fn may_be_in_line(c: char) -> Result<(), TextFault> {
    match (c.general_category(), c) {
        (GeneralCategory::Control, _) => Err(TextFault::Control),
        (GeneralCategory::Unassigned, _) => Err(TextFault::Unassigned(c)),
        (category, _) if is_hidden(category) || is_drawn_as_nothing(c) => Err(TextFault::Hidden(c)),
        (_, ' ' | IDEOGRAPHIC_SPACE) => Ok(()),
        (GeneralCategory::SpaceSeparator, _) => Err(TextFault::Hidden(c)),
        _ => Ok(()),
    }
}

/// Of descriptions and reasons: also line breaks, tabs, marks of direction, joiners, and what emoji are made of. They may have
/// characters that are newer than the table, but none that Unicode keeps for characters without a shape.
pub(super) fn may_be_in_prose(c: char) -> Result<(), TextFault> {
    let category = c.general_category();
    let is_kept_for_hidden = matches!(c, '\u{2065}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}');
    match (category, c) {
        (_, '\n' | '\t') => Ok(()),
        _ if is_drawn_as_nothing(c) && !selects_a_variant(c) => Err(TextFault::Hidden(c)),
        (GeneralCategory::NonspacingMark, _) => Ok(()),
        (GeneralCategory::Control, _) => Err(TextFault::Control),
        (GeneralCategory::Format, _) if is_mark_of_prose(c) => Ok(()),
        _ if is_hidden(category) || is_kept_for_hidden => Err(TextFault::Hidden(c)),
        _ => Ok(()),
    }
}

fn is_hidden(category: GeneralCategory) -> bool {
    use GeneralCategory::{Format, LineSeparator, ParagraphSeparator};
    matches!(category, Format | LineSeparator | ParagraphSeparator)
}

/// Format characters that prose needs: soft hyphen, marks of direction (UAX 9), joiner and non-joiner, and those that are seen.
fn is_mark_of_prose(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{200c}'..='\u{200f}'
            | '\u{110bd}'
            | '\u{110cd}'
    )
}

/// The selectors of variants that emoji and Mongolian are written with. There are 240 more, of which whole texts can be made.
fn selects_a_variant(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}')
}

/// Those that are no format characters: the blank of Braille, fillers of Hangul, Khitan and hieroglyphs, vowels of Khmer
/// without a shape, and selectors of variants.
fn is_drawn_as_nothing(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{2800}'
            | '\u{13441}'..='\u{13442}'
            | '\u{16fe4}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{check_email, check_line, check_name, check_object_id, check_prose};

    const RLO: char = '\u{202e}';

    #[test]
    fn the_table_is_the_one_that_was_chosen() {
        assert_eq!(
            TABLE_VERSION,
            (18, 0, 0),
            "another table may refuse names that are there: say so in CHANGELOG.md"
        );
    }

    #[test]
    fn names_have_nothing_that_is_not_seen() {
        for c in [
            '\u{202a}',
            '\u{202b}',
            '\u{202c}',
            '\u{202d}',
            RLO,
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{61c}',
            '\u{ad}',
            '\u{2060}',
            '\u{feff}',
            '\u{2028}',
            '\u{e0041}',
            '\u{34f}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{2800}',
            '\u{16fe4}',
            '\u{13441}',
            '\u{a0}',
            '\u{2003}',
        ] {
            let text = format!("a{c}b");
            let found = Err(TextFault::Hidden(c));
            assert_eq!(check_name(&text), found, "{c:?}");
            assert_eq!(check_line(&text, 256), found, "{c:?}");
            assert_eq!(check_object_id(&text), found, "{c:?}");
            assert_eq!(check_email(&format!("{text}@example.com")), found, "{c:?}");
        }
        for c in ['\u{378}', '\u{ffff}', '\u{e0fff}', '\u{10ffff}'] {
            assert_eq!(check_name(&format!("a{c}b")), Err(TextFault::Unassigned(c)), "{c:?}");
        }
        let said = TextFault::Hidden(RLO).to_string();
        assert!(said.contains("U+202E") && said.is_ascii(), "{said}");
    }

    #[test]
    fn names_of_people_everywhere_are_names() {
        for name in [
            "Zo\u{eb}",
            "Zoe\u{308}",
            "\u{5d3}\u{5d5}\u{5d3}",
            "\u{645}\u{62d}\u{645}\u{62f}",
            "\u{674e}\u{96f7}",
            "\u{0926}\u{0940}\u{092a}",
            "\u{1f680} team",
            "\u{d55c}\u{ae00}",
            "a_b.c-d",
            "\u{5c71}\u{7530}\u{3000}\u{592a}\u{90ce}",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn prose_has_marks_of_direction_and_joined_emoji() {
        for prose in [
            "a\n\tb",
            "\u{200f}\u{5d0}\u{200e} x",
            "\u{61c}\u{645}",
            "\u{1f469}\u{200d}\u{1f4bb}",
            "\u{2764}\u{fe0f}",
            "\u{646}\u{645}\u{6cc}\u{200c}\u{62e}",
            "co\u{ad}op",
            "\u{378}",
        ] {
            assert_eq!(check_prose(prose), Ok(()), "{prose:?}");
        }
        for c in [
            '\u{202a}',
            RLO,
            '\u{2066}',
            '\u{2069}',
            '\u{200b}',
            '\u{2060}',
            '\u{feff}',
            '\u{2028}',
            '\u{e0041}',
            '\u{e0fff}',
            '\u{2065}',
            '\u{fff9}',
            '\u{e0100}',
            '\u{34f}',
            '\u{3164}',
            '\u{2800}',
        ] {
            assert_eq!(check_prose(&format!("a{c}b")), Err(TextFault::Hidden(c)), "{c:?}");
        }
        assert_eq!(check_prose("a\rb"), Err(TextFault::Control));
    }

    #[test]
    fn dots_alone_are_no_id() {
        for id in [".", ".."] {
            assert_eq!(check_object_id(id), Err(TextFault::Dots));
        }
        for id in ["...", ".a", "a..", "a/../b"] {
            assert_eq!(check_object_id(id), Ok(()), "{id}");
        }
    }

    #[test]
    fn a_key_is_found_in_any_case() {
        let id = "0Ab".repeat(8);
        for prefix in ["gb_st_", "GB_ST_", "Gb_Pk_"] {
            assert_eq!(check_prose(&format!("see {prefix}{id} there")), Err(TextFault::HoldsKey), "{prefix}");
            assert_eq!(check_name(&format!("{prefix}{id}")), Err(TextFault::HoldsKey), "{prefix}");
        }
        assert_eq!(check_prose(&format!("WHSEC_{}", "A/b+".repeat(8))), Err(TextFault::HoldsKey));
        assert_eq!(check_prose("gb_st_ is how keys begin"), Ok(()));
    }
}
