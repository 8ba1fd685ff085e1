//! Stored columns to the columns that plans see: addresses as text, header blocks as JSON, bytes as text.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::Ipv6Addr;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, RecordBatch, RecordBatchOptions, StringArray, StringBuilder,
};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use watershed_model::{Storage, Table};

/// The chosen columns of a batch in storage schema, rendered; no other column is touched.
pub fn render_columns(table: &Table, batch: &RecordBatch, columns: &[usize]) -> Result<RecordBatch, ArrowError> {
    let rendered = columns.iter().map(|position| {
        let missing = || ArrowError::SchemaError(format!("{} has no column {position}", table.name));
        let column = table.columns.get(*position).ok_or_else(missing)?;
        let stored = batch.columns().get(*position).ok_or_else(missing)?;
        Ok((column.field(), render_column(column.storage, stored)?))
    });
    let (fields, arrays): (Vec<_>, Vec<_>) = rendered.collect::<Result<Vec<_>, ArrowError>>()?.into_iter().unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
}

/// One stored column, rendered.
pub fn render_column(storage: Storage, array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let mut text = StringBuilder::new();
    match storage {
        Storage::Plain => return Ok(Arc::clone(array)),
        Storage::Address => {
            let stored = array
                .as_fixed_size_binary_opt()
                .ok_or_else(|| ArrowError::SchemaError("an address is stored as 16 bytes".into()))?;
            // A batch has few ends: each is written out once.
            let mut known: HashMap<&[u8], String, foldhash::fast::RandomState> = HashMap::default();
            for row in 0..stored.len() {
                text.append_value(known.entry(stored.value(row)).or_insert_with_key(|bytes| address(bytes)));
            }
        }
        Storage::HttpHeaders => {
            let stored = raw(array)?;
            (0..stored.len()).for_each(|row| text.append_value(headers(stored.value(row))));
        }
        Storage::Bytes => {
            let stored = raw(array)?;
            // Nearly always all of it is text already.
            if let Ok(text) = StringArray::try_new(stored.offsets().clone(), stored.values().clone(), None) {
                return Ok(Arc::new(text));
            }
            (0..stored.len()).for_each(|row| text.append_value(String::from_utf8_lossy(stored.value(row))));
        }
    }
    Ok(Arc::new(text.finish()))
}

fn raw(array: &ArrayRef) -> Result<&BinaryArray, ArrowError> {
    array.as_binary_opt().ok_or_else(|| ArrowError::SchemaError("raw text is stored as bytes".into()))
}

fn address(bytes: &[u8]) -> String {
    let Ok(octets) = <[u8; 16]>::try_from(bytes) else { return "-".into() };
    if octets == [0; 16] {
        return "-".into();
    }
    let address = Ipv6Addr::from(octets);
    address.to_ipv4_mapped().map_or_else(|| address.to_string(), |mapped| mapped.to_string())
}

fn headers(block: &[u8]) -> String {
    let block = String::from_utf8_lossy(block);
    let mut json = String::from("{");
    for (name, value) in block.lines().filter_map(|line| line.split_once(':')) {
        if json.len() > 1 {
            json.push(',');
        }
        quote(&mut json, name.trim());
        json.push(':');
        quote(&mut json, value.trim());
    }
    json.push('}');
    json
}

fn quote(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control < ' ' => {
                write!(json, "\\u{:04x}", u32::from(control)).expect("writing to a String cannot fail");
            }
            other => json.push(other),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(rows: &[&[u8]]) -> Vec<String> {
        let stored: ArrayRef = Arc::new(BinaryArray::from_iter_values(rows));
        let text = render_column(Storage::Bytes, &stored);
        text.iter().flat_map(|text| text.as_string::<i32>().iter().flatten().map(str::to_owned)).collect()
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_in_their_row_alone() {
        assert_eq!(rendered(&[b"/a", b"", "ü".as_bytes()]), ["/a", "", "ü"]);
        assert_eq!(rendered(&[b"/a", b"\xff", b"b"]), ["/a", "\u{fffd}", "b"]);
        // Text as a whole, but not in each row.
        assert_eq!(rendered(&[b"\xc3", b"\xbc"]), ["\u{fffd}", "\u{fffd}"]);
    }
}
