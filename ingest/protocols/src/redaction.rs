//! What proves who somebody is, in the handshakes of protocols: it is in no row, whatever the rules of the agent say.

/// Stands in place of a secret.
pub const HIDDEN: &[u8] = b"<redacted>";

/// A JSON object without the values of some members, which are texts; of another text, the same.
pub(crate) fn without_members(json: &[u8], members: &[&[u8]], out: &mut Vec<u8>) {
    let mut rest = json;
    let mut hides = false;
    while let Some(at) = rest.iter().position(|byte| *byte == b'"') {
        let (before, quoted) = rest.split_at(at);
        out.extend_from_slice(before);
        let text = quoted_text(quoted);
        let (quoted, after) = quoted.split_at(text);
        let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        let is_key = after.trim_ascii_start().first() == Some(&b':');
        if hides && !is_key {
            out.push(b'"');
            out.extend_from_slice(HIDDEN);
            out.push(b'"');
        } else {
            out.extend_from_slice(quoted);
        }
        hides = is_key && members.contains(&inside);
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Bytes of the text in quotes at the beginning, to the end if it is cut.
fn quoted_text(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    fn shown(json: &str) -> String {
        let mut out = Vec::new();
        super::without_members(json.as_bytes(), &[b"pass", b"jwt"], &mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    #[test]
    fn members_lose_their_texts_and_nothing_else() {
        for (json, expected) in [
            (r#"{"user":"a","pass":"x\"y","n":1}"#, r#"{"user":"a","pass":"<redacted>","n":1}"#),
            (r#"{"user":"pass" , "jwt" : "x"}"#, r#"{"user":"pass" , "jwt" : "<redacted>"}"#),
            (r#"{"pass":null,"user":"a"}"#, r#"{"pass":null,"user":"a"}"#),
            (r#"{"pass":"cut"#, r#"{"pass":"<redacted>""#),
            (r#"{"pass":""#, r#"{"pass":"<redacted>""#),
            ("no json", "no json"),
            ("", ""),
        ] {
            assert_eq!(shown(json), expected, "{json}");
        }
    }
}
