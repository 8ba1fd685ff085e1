//! Keys, rows and envelopes in Avro, as the wire format of schema registries has it: a zero, the schema's number, the
//! datum. What is written in Avro reads back as the same JSON. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use apache_avro::types::Value;
use apache_avro::{Schema, from_avro_datum, to_avro_datum};
use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};
use serde_json::json;
use serde_json::value::RawValue;
use watershed_model::cells::Cell;
use watershed_model::json;

use super::records::Mode;

/// Bytes before the datum.
const HEAD: usize = 5;

/// One schema of a topic, with the number that the registry gave it.
#[derive(Debug)]
pub(super) struct Codec {
    schema: Schema,
    kind: Kind,
    pub(super) number: u32,
}

/// What a datum is.
#[derive(Debug)]
enum Kind {
    Row(Vec<Column>),
    Envelope(Vec<Column>),
}

#[derive(Debug)]
struct Column {
    /// Name in JSON.
    name: String,
    /// Name in Avro, which allows fewer letters.
    avro: String,
    scalar: Scalar,
    is_nullable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scalar {
    Boolean,
    Long,
    Double,
    /// Integers that may be no long, in digits.
    Digits,
    Text,
}

/// Why bytes are none of this schema, or text does not fit it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Mismatch {
    /// Written with another schema.
    #[error("the topic holds rows of another schema; name another topic")]
    Schema,
    /// Not Avro as registries have it.
    #[error("{0}")]
    Datum(String),
}

/// The schemas of a topic's keys and values as JSON, with what is needed to write them.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) text: String,
    kind: Kind,
}

impl Plan {
    /// Keys: the columns that identify a row.
    pub(super) fn key(schema: &SchemaRef, key: &[String]) -> Self {
        let fields = key.iter().filter_map(|name| schema.field_with_name(name).ok());
        let columns = columns(fields);
        Self { text: record("Key", &columns).to_string(), kind: Kind::Row(columns) }
    }

    /// Values: rows, or envelopes with the row before and after.
    pub(super) fn value(schema: &SchemaRef, mode: Mode) -> Self {
        let columns = columns(schema.fields().iter().map(AsRef::as_ref));
        let row = record("Row", &columns);
        match mode {
            Mode::Upsert => Self { text: row.to_string(), kind: Kind::Row(columns) },
            Mode::Changes => {
                let source = json!({"type": "record", "name": "Source", "fields": [
                    {"name": "node", "type": "string"}, {"name": "view", "type": "string"},
                    {"name": "time", "type": "long"}]});
                let envelope = json!({"type": "record", "name": "Envelope", "namespace": "watershed", "fields": [
                    {"name": "before", "type": ["null", row]}, {"name": "after", "type": ["null", "Row"]},
                    {"name": "op", "type": "string"}, {"name": "ts_ms", "type": "long"},
                    {"name": "source", "type": source}]});
                Self { text: envelope.to_string(), kind: Kind::Envelope(columns) }
            }
        }
    }

    /// Ready to write, with the number of its schema.
    pub(super) fn codec(self, number: u32) -> Result<Codec, apache_avro::Error> {
        Ok(Codec { schema: Schema::parse_str(&self.text)?, kind: self.kind, number })
    }
}

fn columns<'a>(fields: impl Iterator<Item = &'a Field>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for field in fields {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut avro = field.name().replace(|c: char| !is_plain(c), "_");
        if !avro.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            avro.insert(0, '_');
        }
        while columns.iter().any(|column| column.avro == avro) {
            avro.push('_');
        }
        let scalar = Scalar::of(field.data_type());
        columns.push(Column { name: field.name().clone(), avro, scalar, is_nullable: field.is_nullable() });
    }
    columns
}

fn record(name: &str, columns: &[Column]) -> serde_json::Value {
    let field = |column: &Column| {
        let scalar = match column.scalar {
            Scalar::Boolean => "boolean",
            Scalar::Long => "long",
            Scalar::Double => "double",
            Scalar::Digits | Scalar::Text => "string",
        };
        let of = if column.is_nullable { json!(["null", scalar]) } else { json!(scalar) };
        json!({"name": column.avro, "type": of})
    };
    json!({"type": "record", "name": name, "namespace": "watershed",
           "fields": columns.iter().map(field).collect::<Vec<_>>()})
}

type Object<'a> = BTreeMap<String, &'a RawValue>;

impl Codec {
    /// JSON as bytes.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u8>, Mismatch> {
        let wrong = |error: &dyn std::fmt::Display| Mismatch::Datum(error.to_string());
        let object: Object<'_> = serde_json::from_str(text).map_err(|error| wrong(&error))?;
        let value = match &self.kind {
            Kind::Row(columns) => row(columns, &object),
            Kind::Envelope(columns) => envelope(columns, &object),
        };
        let value = value.ok_or_else(|| wrong(&"a row that does not fit the view's columns"))?;
        let datum = to_avro_datum(&self.schema, value).map_err(|error| wrong(&error))?;
        Ok([&[0], &self.number.to_be_bytes()[..], &datum].concat())
    }

    /// Bytes as the JSON that they were written from.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<String, Mismatch> {
        let wrong = |why: &str| Mismatch::Datum(why.to_owned());
        let (head, mut datum) = bytes.split_at_checked(HEAD).ok_or_else(|| wrong("too short"))?;
        let [0, number @ ..] = head else { return Err(wrong("no number of a schema")) };
        if number != self.number.to_be_bytes() {
            return Err(Mismatch::Schema);
        }
        let value = from_avro_datum(&self.schema, &mut datum, None).map_err(|error| wrong(&error.to_string()))?;
        let text = match &self.kind {
            Kind::Row(columns) => row_text(columns, &value),
            Kind::Envelope(columns) => envelope_text(columns, &value),
        };
        text.ok_or_else(|| wrong("a datum of another shape"))
    }
}

fn row(columns: &[Column], object: &Object<'_>) -> Option<Value> {
    let field = |column: &Column| Some((column.avro.clone(), column.value(object.get(&column.name)?.get())?));
    Some(Value::Record(columns.iter().map(field).collect::<Option<_>>()?))
}

fn envelope(columns: &[Column], object: &Object<'_>) -> Option<Value> {
    let side = |name: &str| {
        let text = object.get(name)?.get();
        if text == "null" {
            return Some(Value::Union(0, Value::Null.into()));
        }
        Some(Value::Union(1, row(columns, &serde_json::from_str(text).ok()?)?.into()))
    };
    let text = |object: &Object<'_>, name: &str| {
        Some((name.to_owned(), Value::String(serde_json::from_str(object.get(name)?.get()).ok()?)))
    };
    let number =
        |object: &Object<'_>, name: &str| Some((name.to_owned(), Value::Long(object.get(name)?.get().parse().ok()?)));
    let source: Object<'_> = serde_json::from_str(object.get("source")?.get()).ok()?;
    let source = vec![text(&source, "node")?, text(&source, "view")?, number(&source, "time")?];
    Some(Value::Record(vec![
        ("before".to_owned(), side("before")?),
        ("after".to_owned(), side("after")?),
        text(object, "op")?,
        number(object, "ts_ms")?,
        ("source".to_owned(), Value::Record(source)),
    ]))
}

impl Column {
    /// A value from its JSON.
    fn value(&self, text: &str) -> Option<Value> {
        if self.is_nullable {
            return Some(match text {
                "null" => Value::Union(0, Value::Null.into()),
                _ => Value::Union(1, self.scalar.value(text)?.into()),
            });
        }
        self.scalar.value(text)
    }
}

impl Scalar {
    /// As [`watershed_model::cells::Cells`] reads such columns.
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Scalar::Boolean,
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Scalar::Long,
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => Scalar::Long,
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Scalar::Long,
            DataType::Duration(TimeUnit::Microsecond | TimeUnit::Nanosecond) => Scalar::Long,
            DataType::UInt64 => Scalar::Digits,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Scalar::Double,
            DataType::Dictionary(_, values) => Scalar::of(values),
            _ => Scalar::Text,
        }
    }

    fn value(self, text: &str) -> Option<Value> {
        Some(match self {
            Scalar::Boolean => Value::Boolean(text.parse().ok()?),
            // Large ones are quoted.
            Scalar::Long => Value::Long(text.trim_matches('"').parse().ok()?),
            Scalar::Double if text == "null" => Value::Double(f64::NAN),
            Scalar::Double => Value::Double(text.parse().ok()?),
            Scalar::Digits => Value::String(text.trim_matches('"').to_owned()),
            Scalar::Text => Value::String(serde_json::from_str(text).ok()?),
        })
    }
}

impl Scalar {
    fn cell(self, value: &Value) -> Option<Cell<'_>> {
        Some(match value {
            Value::Null => Cell::Null,
            Value::Boolean(value) => Cell::Boolean(*value),
            Value::Long(value) => Cell::Integer((*value).into()),
            Value::Double(value) => Cell::Float(*value),
            Value::String(digits) if self == Scalar::Digits => Cell::Integer(digits.parse().ok()?),
            Value::String(value) => Cell::Text(value),
            _ => return None,
        })
    }
}

fn row_text(columns: &[Column], value: &Value) -> Option<String> {
    let Value::Record(fields) = value else { return None };
    let mut text = String::from("{");
    for (position, (column, (_, value))) in columns.iter().zip(fields).enumerate() {
        json::separate(&mut text, position);
        json::quote(&mut text, &column.name);
        text.push(':');
        let value = if let Value::Union(_, value) = value { value.as_ref() } else { value };
        json::value(&mut text, column.scalar.cell(value)?);
    }
    text.push('}');
    Some(text)
}

/// Only what readers of the topic look at.
fn envelope_text(columns: &[Column], value: &Value) -> Option<String> {
    let Value::Record(fields) = value else { return None };
    let mut text = String::from("{");
    for (position, (name, value)) in fields.iter().take(2).enumerate() {
        json::separate(&mut text, position);
        let Value::Union(_, side) = value else { return None };
        let side = if **side == Value::Null { "null".to_owned() } else { row_text(columns, side)? };
        write!(text, "\"{name}\":{side}").expect("text grows");
    }
    text.push('}');
    Some(text)
}

#[cfg(test)]
mod tests;
