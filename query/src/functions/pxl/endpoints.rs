//! Functions that the bundled views name things with; they are no part of PxL.

use super::rows::map1;
use super::{Entry, S, entry, over};

/// Longest endpoint of a statement, in bytes.
const STATEMENT_BYTES_MAX: usize = 256;

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "sql_endpoint",
        &[over(&[S], S, |a| map1(a, statement))],
        "A statement with literals as `?`, lists of them as one, white space as single blanks, cut at 256 bytes.",
    ),
    entry("first_name", &[over(&[S], S, |a| map1(a, first))], "The first name of a JSON array of names, or the name."),
];

fn first(names: &str) -> String {
    let list: Option<Vec<String>> = names.starts_with('[').then(|| serde_json::from_str(names).ok()).flatten();
    list.and_then(|list| list.into_iter().next()).unwrap_or_else(|| names.to_owned())
}

/// One pass over the text, by runs; comments stay, since they are rare and short.
fn statement(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len().min(STATEMENT_BYTES_MAX));
    let mut rest = sql.trim();
    while let Some(next) = rest.chars().next() {
        let Some(room @ 1..) = STATEMENT_BYTES_MAX.checked_sub(out.len()) else {
            out.push('…');
            break;
        };
        let plain = rest.bytes().take(room).take_while(|byte| is_plain(*byte)).count();
        out.push_str(&rest[..plain]);
        let length = match next {
            _ if plain > 0 => plain,
            '\'' => literal(&mut out, quoted(rest)),
            '0'..='9' if !in_word(&out) => literal(&mut out, number(rest)),
            _ if next.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
                next.len_utf8()
            }
            _ => {
                out.push(next);
                next.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

/// What stays as it is, wherever it stands.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'\'' && !byte.is_ascii_digit()
}

/// Whether a digit would be a part of a word.
fn in_word(out: &str) -> bool {
    out.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == '$')
}

/// Writes `?` for a literal of so many bytes; one that follows another in a list is left out.
fn literal(out: &mut String, length: usize) -> usize {
    let listed = out.trim_end_matches(' ').strip_suffix(',').map(|before| before.trim_end_matches(' '));
    match listed.filter(|before| before.ends_with('?')).map(str::len) {
        Some(end) => out.truncate(end),
        None => out.push('?'),
    }
    length
}

/// Bytes of a quoted text, with doubled or escaped quotes inside; all that is left where it does not end.
fn quoted(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(_)) | (b'\'', Some(b'\'')) => at += 2,
            (b'\'', _) => return at + 1,
            _ => at += 1,
        }
    }
    // An escape may have stepped into a character.
    text.len()
}

fn number(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'.').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_white_space_do_not_tell_statements_apart() {
        for (sql, endpoint) in [
            ("SELECT * FROM t1 WHERE id = 42 AND name='O''Brien'", "SELECT * FROM t1 WHERE id = ? AND name=?"),
            ("select\n\t a  from b where c in (1, 2,3 , 'x')", "select a from b where c in (?)"),
            ("INSERT INTO t VALUES (1.5e3,'it\\'s',0x1F)", "INSERT INTO t VALUES (?)"),
            ("", ""),
            ("SELECT 'no end", "SELECT ?"),
            ("SELECT $1, é FROM ü", "SELECT $1, é FROM ü"),
        ] {
            assert_eq!(statement(sql), endpoint);
        }
        assert!(statement(&"a, ".repeat(1000)).len() <= STATEMENT_BYTES_MAX + '…'.len_utf8());
    }

    #[test]
    fn the_first_of_several_services_names_them() {
        assert_eq!(first(r#"["shop/a","shop/b"]"#), "shop/a");
        assert_eq!((first("shop/a"), first(""), first("[]")), ("shop/a".into(), String::new(), "[]".into()));
    }
}
