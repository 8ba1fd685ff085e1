//! The types that scripts name: as annotations of arguments, and as casts that change what a column means.

use watershed_model::{DataType, Semantic};

use super::time;
use super::value::{Time, Value};

/// A type by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PxType {
    Str,
    Int,
    Float,
    Bool,
    List,
    Time,
    Container,
    Namespace,
    Node,
    Pod,
    Service,
    Bytes,
    DurationNanos,
    Upid,
    Percent,
}

/// The types that are attributes of `px`.
pub(super) const OF_PX: [PxType; 10] = [
    PxType::Time,
    PxType::Container,
    PxType::Namespace,
    PxType::Node,
    PxType::Pod,
    PxType::Service,
    PxType::Bytes,
    PxType::DurationNanos,
    PxType::Upid,
    PxType::Percent,
];

/// The types that need no module.
pub(super) const BUILT_IN: [PxType; 5] = [PxType::Str, PxType::Int, PxType::Float, PxType::Bool, PxType::List];

impl PxType {
    /// Without its module.
    pub(super) fn name(self) -> &'static str {
        match self {
            PxType::Str => "str",
            PxType::Int => "int",
            PxType::Float => "float",
            PxType::Bool => "bool",
            PxType::List => "list",
            PxType::Time => "Time",
            PxType::Container => "Container",
            PxType::Namespace => "Namespace",
            PxType::Node => "Node",
            PxType::Pod => "Pod",
            PxType::Service => "Service",
            PxType::Bytes => "Bytes",
            PxType::DurationNanos => "DurationNanos",
            PxType::Upid => "UPID",
            PxType::Percent => "Percent",
        }
    }

    /// Meaning and types of the columns that it can be given to; `None` for those of Python.
    pub(super) fn meaning(self) -> Option<(Semantic, &'static [DataType])> {
        const TEXT: &[DataType] = &[DataType::String];
        const NUMBER: &[DataType] = &[DataType::Int64, DataType::Float64];
        Some(match self {
            PxType::Str | PxType::Int | PxType::Float | PxType::Bool | PxType::List => return None,
            PxType::Time => (Semantic::TimeNs, &[DataType::Time64Ns, DataType::Int64]),
            PxType::Container => (Semantic::ContainerName, TEXT),
            PxType::Namespace => (Semantic::NamespaceName, TEXT),
            PxType::Node => (Semantic::NodeName, TEXT),
            PxType::Pod => (Semantic::PodName, TEXT),
            PxType::Service => (Semantic::ServiceName, TEXT),
            PxType::Bytes => (Semantic::Bytes, NUMBER),
            PxType::DurationNanos => (Semantic::DurationNs, NUMBER),
            PxType::Upid => (Semantic::Upid, &[DataType::Uint128]),
            PxType::Percent => (Semantic::Percent, NUMBER),
        })
    }

    /// An argument given as text.
    pub(super) fn parse(self, text: &str) -> Result<Value, String> {
        let wrong = |what: &str| format!("`{text}` is no {what}");
        let trimmed = text.trim();
        Ok(match self {
            PxType::Str | PxType::Container | PxType::Namespace | PxType::Node | PxType::Pod | PxType::Service => {
                Value::Text(text.to_owned())
            }
            PxType::Int | PxType::Bytes | PxType::DurationNanos => {
                Value::Int(trimmed.parse().map_err(|_| wrong("integer"))?)
            }
            PxType::Float | PxType::Percent => Value::Float(trimmed.parse().map_err(|_| wrong("number"))?),
            PxType::Bool => match trimmed.to_ascii_lowercase().as_str() {
                "true" | "1" => Value::Bool(true),
                "false" | "0" | "" => Value::Bool(false),
                _ => return Err(wrong("true or false")),
            },
            PxType::Time => match trimmed.parse() {
                Ok(nanoseconds) => Value::Time(Time::At(nanoseconds)),
                Err(_) => Value::Time(time::parse(trimmed)?),
            },
            PxType::List => Value::List(std::rc::Rc::new(list(trimmed))),
            PxType::Upid => super::library::uint128(trimmed).ok_or_else(|| wrong("UPID"))?,
        })
    }
}

/// `["a", "b"]` or `a,b`.
fn list(text: &str) -> Vec<Value> {
    if let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(&text.replace('\'', "\"")) {
        let value = |json: &serde_json::Value| match json {
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(integer) => Value::Int(integer),
                None => Value::Float(number.as_f64().unwrap_or_default()),
            },
            serde_json::Value::String(text) => Value::Text(text.clone()),
            other => Value::Text(other.to_string()),
        };
        return values.iter().map(value).collect();
    }
    let parts = text.trim_matches(['[', ']']).split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| Value::Text(part.to_owned())).collect()
}
