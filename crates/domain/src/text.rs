//! What a name may look like.

mod characters;

use uuid::Uuid;

pub use self::characters::TABLE_VERSION;
use self::characters::{may_be_in_line, may_be_in_prose};

/// Longest name of a thing, in bytes.
pub const NAME_MAX_BYTES: usize = 256;
/// Longest description or reason, in bytes.
pub const PROSE_MAX_BYTES: usize = 1024;
/// Longest name of a permission or an object type, in bytes.
pub const WORD_MAX_BYTES: usize = 64;
/// Longest id of a registered object, in bytes.
pub const OBJECT_ID_MAX_BYTES: usize = 256;

/// Why a text is not acceptable in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// Nothing is left, or nothing was given.
    #[error("must not be empty")]
    Empty,
    /// More bytes than the limit.
    #[error("must have at most {0} bytes")]
    TooLong(usize),
    /// Leading or trailing white space.
    #[error("must not begin or end with white space")]
    NotTrimmed,
    /// A control character.
    #[error("must not contain control characters")]
    Control,
    /// A character that nobody sees, or that changes in which order others are seen.
    #[error("must not contain {}, which is invisible or changes the order of text", code_point(*.0))]
    Hidden(char),
    /// A character that the Unicode version of [`TABLE_VERSION`] does not have.
    #[error("must not contain {}, which is not an assigned Unicode character", code_point(*.0))]
    Unassigned(char),
    /// `.` or `..`, which paths leave out or take for the place above.
    #[error("must not be `.` or `..`: no path can name it")]
    Dots,
    /// A name that could be taken for an id.
    #[error("must not look like a uuid")]
    LooksLikeId,
    /// A character outside `a-z A-Z 0-9 _ . -`.
    #[error("may contain only a-z A-Z 0-9 _ . -")]
    NotAWord,
    /// A key's text: secrets have no place in what is kept for ever.
    #[error("must not contain a key: secrets are never stored; revoke it")]
    HoldsKey,
    /// Not a URL that a webhook may have.
    #[error(
        "must be https://host[:port][/path][?query] without user, password or fragment; an address in its usual form"
    )]
    NotAUrl,
    /// Not of the form `local@domain`.
    #[error("must be an e-mail address")]
    NotAnEmail,
}

/// Checks the name of a user, token, group, role, project, key or organization.
pub fn check_name(text: &str) -> Result<(), TextFault> {
    check_line(text, NAME_MAX_BYTES)?;
    if Uuid::try_parse(text).is_ok() { Err(TextFault::LooksLikeId) } else { Ok(()) }
}

/// Checks a non-empty, trimmed text of one line.
pub fn check_line(text: &str, max_bytes: usize) -> Result<(), TextFault> {
    if text.is_empty() {
        return Err(TextFault::Empty);
    }
    if text.len() > max_bytes {
        return Err(TextFault::TooLong(max_bytes));
    }
    if text.trim() != text {
        return Err(TextFault::NotTrimmed);
    }
    text.chars().try_for_each(may_be_in_line)?;
    require_no_key(text)
}

/// Checks an id that a caller chose for an object of its own: a line of at most 256 bytes that a path can name.
pub fn check_object_id(text: &str) -> Result<(), TextFault> {
    // RFC 3986, section 5.2.4: clients and proxies remove these segments.
    if matches!(text, "." | "..") {
        return Err(TextFault::Dots);
    }
    check_line(text, OBJECT_ID_MAX_BYTES)
}

/// Refuses a text that contains what looks like a key, `gb_st_` or `gb_pk_` with at least 22 letters and digits behind, or
/// like the signing secret of a webhook, `whsec_` with at least 32 digits of base64 behind; in upper or lower case.
pub fn require_no_key(text: &str) -> Result<(), TextFault> {
    let text = text.to_ascii_lowercase();
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if text.split("whsec_").skip(1).any(|rest| rest.bytes().take_while(base64).count() >= 32) {
        return Err(TextFault::HoldsKey);
    }
    let looks_like_key = |rest: &str| {
        let id = rest.strip_prefix("st_").or_else(|| rest.strip_prefix("pk_")).unwrap_or_default();
        id.bytes().take_while(u8::is_ascii_alphanumeric).count() >= 22
    };
    if text.split("gb_").skip(1).any(looks_like_key) { Err(TextFault::HoldsKey) } else { Ok(()) }
}

/// Checks a description or a reason: may be empty, may have line breaks, tabs, direction marks and joined emoji, no other
/// control characters and nothing else that is invisible or changes the order of text.
pub fn check_prose(text: &str) -> Result<(), TextFault> {
    if text.len() > PROSE_MAX_BYTES {
        return Err(TextFault::TooLong(PROSE_MAX_BYTES));
    }
    text.chars().try_for_each(may_be_in_prose)?;
    require_no_key(text)
}

/// Checks the name of a permission or an object type.
pub fn check_word(text: &str) -> Result<(), TextFault> {
    if text.is_empty() {
        return Err(TextFault::Empty);
    }
    if text.len() > WORD_MAX_BYTES {
        return Err(TextFault::TooLong(WORD_MAX_BYTES));
    }
    if matches!(text, "." | "..") {
        return Err(TextFault::Dots);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if text.chars().all(allowed) { Ok(()) } else { Err(TextFault::NotAWord) }
}

/// Checks an e-mail address: one `@` with something on both sides, no white space.
pub fn check_email(text: &str) -> Result<(), TextFault> {
    check_line(text, NAME_MAX_BYTES)?;
    let plausible = text
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if plausible && !text.chars().any(char::is_whitespace) { Ok(()) } else { Err(TextFault::NotAnEmail) }
}

/// As Unicode writes it: `U+202E`.
fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}
