//! How keys and values of a topic are written: JSON, or Avro with the schemas' numbers. Within the sink all is JSON.

use std::borrow::Cow;

use apache_avro::Error as AvroError;

use super::avro::{Codec, Mismatch, Plan};
use super::records::Record;
use super::registry;
use super::settings::{Format, KafkaSettings};
use crate::endpoint::Fault;
use crate::feed::Shape;

/// For one topic.
pub(super) enum Codecs {
    Json,
    Avro { key: Option<Box<Codec>>, value: Box<Codec> },
}

/// Key and value as they are sent.
pub(super) struct Encoded<'a> {
    pub(super) key: Option<Cow<'a, [u8]>>,
    pub(super) value: Option<Cow<'a, [u8]>>,
}

impl Codecs {
    /// Registers the schemas; blocks.
    pub(super) fn open(settings: &KafkaSettings, shape: &Shape, topic: &str, is_new: bool) -> Result<Self, Fault> {
        let (Format::Avro, Some(registry)) = (settings.format, &settings.registry) else { return Ok(Codecs::Json) };
        let codec = |part: &str, plan: Plan| {
            let number = registry::number(registry, &format!("{topic}-{part}"), &plan.text, is_new)?;
            let wrong = |error: AvroError| Fault::Fatal(format!("the view's columns have no schema: {error}"));
            plan.codec(number).map(Box::new).map_err(wrong)
        };
        let key = match shape.key.as_slice() {
            [] => None,
            key => Some(codec("key", Plan::key(&shape.schema, key))?),
        };
        Ok(Codecs::Avro { key, value: codec("value", Plan::value(&shape.schema, settings.mode))? })
    }

    pub(super) fn encode<'a>(&self, record: &'a Record) -> Result<Encoded<'a>, Mismatch> {
        let (key, value) = self.both();
        Ok(Encoded { key: bytes(record.key.as_deref(), key)?, value: bytes(record.value.as_deref(), value)? })
    }

    /// Key and value as JSON.
    pub(super) fn decode(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Record, Mismatch> {
        let text = |bytes: Option<&[u8]>, codec: Option<&Codec>| match (bytes, codec) {
            (None, _) => Ok(None),
            (Some(bytes), None) => Ok(Some(String::from_utf8_lossy(bytes).into_owned())),
            (Some(bytes), Some(codec)) => codec.decode(bytes).map(Some),
        };
        let (of_key, of_value) = self.both();
        Ok(Record { key: text(key, of_key)?, value: text(value, of_value)? })
    }

    fn both(&self) -> (Option<&Codec>, Option<&Codec>) {
        match self {
            Codecs::Json => (None, None),
            Codecs::Avro { key, value } => (key.as_deref(), Some(value)),
        }
    }
}

fn bytes<'a>(text: Option<&'a str>, codec: Option<&Codec>) -> Result<Option<Cow<'a, [u8]>>, Mismatch> {
    match (text, codec) {
        (None, _) => Ok(None),
        (Some(text), None) => Ok(Some(Cow::Borrowed(text.as_bytes()))),
        (Some(text), Some(codec)) => codec.encode(text).map(|bytes| Some(Cow::Owned(bytes))),
    }
}
