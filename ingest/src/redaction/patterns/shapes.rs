//! The expressions. Each hides its group, or all that it matches.

use super::Kind;

pub(super) struct Shape {
    pub(super) kind: Kind,
    pub(super) expression: &'static str,
    /// Whether what would be hidden is worth it.
    pub(super) accepts: fn(&[u8]) -> bool,
}

const fn shape(kind: Kind, expression: &'static str) -> Shape {
    Shape { kind, expression, accepts: |_| true }
}

const fn checked(kind: Kind, expression: &'static str, accepts: fn(&[u8]) -> bool) -> Shape {
    Shape { kind, expression, accepts }
}

/// In this order: a later one does not see what an earlier one hid. JSON may be a text within JSON, with its quotes
/// escaped.
pub(super) static SHAPES: [Shape; 18] = [
    shape(
        Kind::Authorization,
        r"(?im-u)^[ \t]*(?:(?:proxy-)?authorization|x-api-key|x-auth-token|x-amz-security-token)[ \t]*:[ \t]*([^\r\n]+)",
    ),
    shape(
        Kind::Authorization,
        r#"(?i-u)"(?:(?:proxy-)?authorization|x-api-key|x-auth-token|x-amz-security-token)(?:"[ \t]*:[ \t]*"((?:[^"\\]|\\.)+)|\\"[ \t]*:[ \t]*\\"((?:[^"\\]|\\[^"])+))"#,
    ),
    shape(Kind::Cookies, r"(?im-u)^[ \t]*(?:set-)?cookie2?[ \t]*:[ \t]*([^\r\n]+)"),
    shape(
        Kind::Cookies,
        r#"(?i-u)"(?:set-)?cookie2?(?:"[ \t]*:[ \t]*"((?:[^"\\]|\\.)+)|\\"[ \t]*:[ \t]*\\"((?:[^"\\]|\\[^"])+))"#,
    ),
    shape(
        Kind::Tokens,
        r"(?s-u)-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----(.*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|\z))",
    ),
    checked(Kind::Tokens, r"(?i-u)\b(?:bearer|basic)(?:[ \t]|%20|\+)+([a-z0-9._~+/=-]{8,})", is_random),
    // Statements that give somebody a password: `PASSWORD 'x'`, `PASSWORD('x')`, `IDENTIFIED BY 'x'`, also cut off.
    shape(
        Kind::Tokens,
        r#"(?is-u)\b(?:(?:[a-z]+_)?password(?:[ \t\r\n]+for[ \t\r\n]+[^=;]{1,128})?|identified(?:[ \t\r\n]+(?:with|via)[ \t\r\n]+[^ \t\r\n]+)?[ \t\r\n]+(?:by|as|using)(?:[ \t\r\n]+password)?)(?:[ \t\r\n]*[=(]|[ \t\r\n])[ \t\r\n]*(?:password[ \t]*\()?[ \t\r\n]*(?:[en]?'((?:[^'\\]|''|\\.)+)|\\?"((?:[^"\\]|""|\\[^"])+))"#,
    ),
    shape(
        Kind::Tokens,
        r#"(?i-u)\b(?:access_token|refresh_token|id_token|auth_token|api_?key|client_secret|passwd|password)\\?["']?[ \t]*(?:=|:|%3d)[ \t]*\\?["']?([^ \t\r\n"'\\&,;})<>]+)"#,
    ),
    shape(Kind::Tokens, r"(?-u)\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3}"),
    shape(Kind::Tokens, r"(?-u)\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"),
    shape(Kind::Tokens, r"(?-u)\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,})"),
    shape(Kind::Tokens, r"(?-u)\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    shape(Kind::Tokens, r"(?-u)\b(?:[srp]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,})"),
    shape(Kind::Tokens, r"(?-u)\b(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,})"),
    shape(
        Kind::Tokens,
        r"(?-u)\b(?:npm_[A-Za-z0-9]{36}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|hv[sb]\.[A-Za-z0-9_-]{20,})",
    ),
    checked(Kind::Tokens, r"(?-u)\bsk-[A-Za-z0-9_-]{20,}", is_random),
    // Not the digits behind a point.
    checked(Kind::Cards, r"(?-u)(?:^|[^0-9.])([2-6][0-9](?:[ -]?[0-9]){11,17})\b", is_card),
    shape(
        Kind::Emails,
        r"(?i-u)\b[a-z0-9][a-z0-9._%+'-]{0,63}(?:@|%40)(?:[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\.){1,8}[a-z]{2,24}\b",
    ),
];

/// Tokens have digits or punctuation; words in a sentence about them have not.
fn is_random(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.is_ascii_digit() || matches!(byte, b'=' | b'.' | b'/' | b'+'))
        || text.iter().any(u8::is_ascii_uppercase) && text.iter().skip(1).any(u8::is_ascii_uppercase)
}

/// 13 to 19 digits of which the last is right by Luhn's rule, and not all the same.
fn is_card(text: &[u8]) -> bool {
    let digits: Vec<u32> =
        text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0')).collect();
    let doubled = |at: usize, digit: u32| match (at % 2, digit * 2) {
        (0, _) => digit,
        (_, double) => double / 10 + double % 10,
    };
    let sum: u32 = digits.iter().rev().enumerate().map(|(at, digit)| doubled(at, *digit)).sum();
    (13..=19).contains(&digits.len()) && sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}
