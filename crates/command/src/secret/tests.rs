//! Keys: their form, their checksum, their randomness, and that they do not show themselves.

#![expect(clippy::string_slice, reason = "keys are ASCII")]

use std::collections::BTreeSet;

use grantbook_domain::id::{TokenId, UserId};
use proptest::prelude::*;

use crate::secret::*;

fn kinds() -> impl Strategy<Value = KeyKind> {
    prop_oneof![Just(KeyKind::Token), Just(KeyKind::User)]
}

/// The published pattern, for leak scanners: `gb_(st|pk)_[0-9A-Za-z]{22}_[0-9A-Za-z]{49}`.
fn matches_the_pattern(text: &str) -> bool {
    let Some((prefix, rest)) = text.split_at_checked(6) else { return false };
    let Some((id, rest)) = rest.split_once('_') else { return false };
    let word =
        |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    ["gb_st_", "gb_pk_"].contains(&prefix) && word(id, 22) && word(rest, 49)
}

proptest! {
    #[test]
    fn a_minted_key_is_recognized(kind in kinds(), id: u128) {
        let id = KeyId::from_u128(id);
        let secret = Secret::mint(kind, id).unwrap();
        let text = secret.expose();
        prop_assert_eq!(text.len(), KEY_LENGTH);
        prop_assert!(matches_the_pattern(text));
        prop_assert_eq!(ParsedKey::parse(text), Ok(ParsedKey { kind, id, hash: secret.hash() }));
        prop_assert!(text.starts_with(preview(kind, id).trim_end_matches("...")));
    }

    #[test]
    fn nothing_else_is_and_nothing_panics(text in ".{0,90}") {
        prop_assert!(ParsedKey::parse(&text).is_err());
    }
}

#[test]
fn what_is_kept_is_the_sha_256_of_the_43_characters() {
    let secret = Secret::mint(KeyKind::Token, KeyId::from_u128(7)).unwrap();
    let inner = &secret.expose().as_bytes()[29..72];
    assert_eq!(secret.hash(), KeyHash(Sha256::digest(inner).into()));
}

/// Every change of one character, and every exchange of two neighbours, is noticed before any look-up.
#[test]
fn a_mistyped_key_has_a_wrong_checksum_or_no_form() {
    let secret = Secret::mint(KeyKind::User, KeyId::from_u128(u128::MAX)).unwrap();
    let good = secret.expose().as_bytes();
    let mut tried = 0;
    for place in 0..good.len() {
        for byte in DIGITS.iter().chain(b"_ -") {
            let mut text = good.to_vec();
            text[place] = *byte;
            assert!(text == good || ParsedKey::parse(str::from_utf8(&text).unwrap()).is_err());
            tried += 1;
        }
        let mut text = good.to_vec();
        text.swap(place, (place + 1) % good.len());
        assert!(text == good || ParsedKey::parse(str::from_utf8(&text).unwrap()).is_err());
    }
    assert_eq!(tried, KEY_LENGTH * 65);
    let mut text = good.to_vec();
    text[40] = if text[40] == b'a' { b'b' } else { b'a' };
    assert_eq!(ParsedKey::parse(str::from_utf8(&text).unwrap()), Err(KeyError::Checksum));
}

#[test]
fn a_key_of_another_form_is_malformed() {
    let secret = Secret::mint(KeyKind::Token, KeyId::from_u128(1)).unwrap();
    let good = secret.expose();
    let sealed =
        |payload: &str| format!("{payload}{}", base62(u128::from(crc32fast::hash(payload.as_bytes())), 6));
    let payload = &good[..KEY_LENGTH - CHECKSUM];
    assert_eq!(sealed(payload), good);
    let cases = [
        String::new(),
        format!("{good}0"),
        good[1..].to_owned(),
        good.replace('_', "-"),
        // With a right checksum, yet not of the form.
        sealed(&payload.replace("gb_st_", "gb_xx_")),
        sealed(&format!("gb_st_{}_{}", "z".repeat(22), &payload[29..])),
        sealed(&format!("{}x{}", &payload[..28], &payload[29..])),
        sealed(&format!("{}_{}", &payload[..60], &payload[61..])),
    ];
    for text in cases {
        assert_eq!(ParsedKey::parse(&text), Err(KeyError::Malformed), "{text}");
    }
}

#[test]
fn secrets_are_spread_evenly_and_never_come_twice() {
    let mut counts = [0_u32; 62];
    let mut seen = BTreeSet::new();
    for _ in 0..4000 {
        let digits = random_digits().unwrap();
        assert_eq!(digits.len(), SECRET);
        for byte in digits.bytes() {
            counts[DIGITS.iter().position(|digit| *digit == byte).unwrap()] += 1;
        }
        assert!(seen.insert(digits));
    }
    let expected = f64::from(4000 * 43) / 62.0;
    let chi_square: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    // 61 degrees of freedom: a fair source passes 140 once in ten million runs; bytes taken modulo 62 reach 3,000.
    assert!(chi_square < 140.0, "{chi_square}");
}

#[test]
fn the_pattern_finds_no_key_in_noise() {
    let mut state = 1_u64;
    let mut text = String::new();
    for _ in 0..1_000_000 {
        text.clear();
        text.push_str("gb_st_");
        for _ in 0..8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bits = usize::try_from(state >> 33).unwrap();
            text.push(char::from(DIGITS[bits % 62]));
        }
        assert!(!matches_the_pattern(&text) && ParsedKey::parse(&text).is_err());
    }
}

#[test]
fn a_secret_does_not_show_itself() {
    let secret = Secret::mint(KeyKind::Token, KeyId::from_u128(1)).unwrap();
    assert_eq!((format!("{secret}"), format!("{secret:?}")), ("****".to_owned(), "Secret(****)".to_owned()));
    let parsed = ParsedKey::parse(secret.expose()).unwrap();
    assert!(format!("{parsed:?}").ends_with("hash: KeyHash(..) }"));
    assert_eq!(preview(KeyKind::Token, KeyId::from_u128(61)), "gb_st_000000000000000000000z_...");
}

#[test]
fn kinds_follow_from_principals() {
    assert_eq!(KeyKind::of(Principal::User(UserId::from_u128(1))), KeyKind::User);
    assert_eq!(KeyKind::of(Principal::Token(TokenId::from_u128(1))), KeyKind::Token);
}
