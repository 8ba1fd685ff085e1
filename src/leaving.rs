//! What leaves the node without being asked for, by sinks and webhooks: rows and JSON, without secrets and personal data.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringViewArray};
use arrow::datatypes::DataType;
use watershed_ingest::redaction::Patterns;

/// The rows with texts as they may be told. In columns of the key, what differed still differs.
pub(crate) fn rows(rows: &RecordBatch, key: &[String], patterns: &Patterns) -> RecordBatch {
    if patterns.is_empty() {
        return rows.clone();
    }
    let fields = rows.schema_ref().fields().iter().zip(rows.columns());
    let columns = fields.map(|(field, column)| column_of(column, key.contains(field.name()), patterns)).collect();
    RecordBatch::try_new(rows.schema(), columns).expect("columns keep their types and lengths")
}

fn column_of(column: &ArrayRef, is_key: bool, patterns: &Patterns) -> ArrayRef {
    let shown = |text: &str| -> String {
        let shown = if is_key { patterns.apply_to_key(text.as_bytes()) } else { patterns.apply(text.as_bytes()) };
        String::from_utf8_lossy(&shown).into_owned()
    };
    match column.data_type() {
        DataType::Utf8 => {
            Arc::new(column.as_string::<i32>().iter().map(|text| text.map(shown)).collect::<StringArray>())
        }
        DataType::Utf8View => {
            Arc::new(column.as_string_view().iter().map(|text| text.map(shown)).collect::<StringViewArray>())
        }
        _ => Arc::clone(column),
    }
}

/// JSON whose texts are as they may be told; numbers stay, so that it is JSON still.
pub(crate) fn json(text: &str, patterns: &Patterns) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once('"') {
        out.push_str(before);
        out.push('"');
        let end = end_of_text(inside);
        out.push_str(&String::from_utf8_lossy(&patterns.apply(&inside.as_bytes()[..end])));
        rest = &inside[end..];
        if let Some(after) = rest.strip_prefix('"') {
            out.push('"');
            rest = after;
        }
    }
    out + rest
}

/// Where the quote is that ends a text.
fn end_of_text(inside: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    inside.len()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
    use watershed_ingest::redaction::{Kind, Patterns};

    #[test]
    fn texts_are_hidden_and_keys_stay_apart() {
        let texts = || Arc::new(StringArray::from(vec!["ann@example.com", "bob@example.com", "plain"]));
        let numbers = Arc::new(Int64Array::from(vec![4_111_111_111_111_111; 3]));
        let rows = RecordBatch::try_from_iter([("key", texts() as _), ("other", texts() as _), ("n", numbers as _)]);
        let shown = super::rows(&rows.expect("three columns"), &["key".to_owned()], &Patterns::of(&Kind::ALL));
        let key = shown["key"].as_string::<i32>();
        assert!(key.value(0).starts_with("<redacted:emails:") && key.value(0) != key.value(1));
        let other: Vec<&str> = shown["other"].as_string::<i32>().iter().flatten().collect();
        assert_eq!(other, ["<redacted:emails>", "<redacted:emails>", "plain"]);
        assert_eq!(shown.num_columns(), 3);
    }

    #[test]
    fn json_stays_json() {
        let text = r#"{"path":"/by/ann@example.com","n":4111111111111111,"body":"{\"password\":\"x\"}","end":"a\\\\"}"#;
        let shown = super::json(text, &Patterns::of(&Kind::ALL));
        let expected = r#"{"path":"/by/<redacted:emails>","n":4111111111111111,"body":"{\"password\":\"<redacted:tokens>\"}","end":"a\\\\"}"#;
        assert_eq!(shown, expected);
        assert!(serde_json::from_str::<serde_json::Value>(&shown).is_ok());
    }
}
