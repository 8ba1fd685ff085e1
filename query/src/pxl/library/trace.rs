//! Checks of exports and tracepoints, and the columns that a tracepoint's table has.

use watershed_model::DataType;

use super::super::frame::Frame;
use super::super::spec::{Spec, SpecValue};
use super::super::time;
use crate::tracepoint::Tracepoint;

/// Whether a part of an export or a tracepoint is complete in itself.
pub(super) fn check(spec: &Spec) -> Result<(), String> {
    let is_text = |name: &str| matches!(spec.field(name), None | Some(SpecValue::Text(_) | SpecValue::Column(_)));
    match spec.kind.as_str() {
        "otel.Data" => match spec.field("resource") {
            Some(SpecValue::Dict(entries)) => {
                let named = |key: &SpecValue| matches!(key, SpecValue::Text(key) if key == "service.name");
                match entries.iter().any(|(key, _)| named(key)) {
                    true => Ok(()),
                    false => Err("the resource must have 'service.name'".into()),
                }
            }
            _ => Err("the resource is a dict".into()),
        },
        "otel.metric.Summary" => match spec.field("quantile_values") {
            Some(SpecValue::Dict(entries)) if !entries.is_empty() => Ok(()),
            _ => Err("quantile_values is a dict with at least one quantile".into()),
        },
        "pxtrace.UpsertTracepoint" => {
            for name in ["name", "table_name"] {
                if !is_text(name) {
                    return Err(format!("{name} is a string"));
                }
            }
            let ttl = match spec.field("ttl") {
                Some(SpecValue::Text(ttl)) => time::duration(ttl),
                _ => None,
            };
            if ttl.is_none_or(|ttl| ttl <= 0) {
                return Err("ttl is a duration such as '10m'".into());
            }
            match spec.field("probe_fn") {
                Some(SpecValue::Text(_) | SpecValue::Spec(_) | SpecValue::List(_)) => Ok(()),
                _ => Err("probe_fn is a function with @pxtrace.probe, a program, or a list of programs".into()),
            }
        }
        "pxtrace.DeleteTracepoint" if !is_text("name") => Err("the name of a tracepoint is a string".into()),
        _ => Ok(()),
    }
}

/// Whether an export fits the table that it exports.
pub(super) fn check_export(frame: &Frame, data: &Spec) -> Result<(), String> {
    let Some(SpecValue::List(parts)) = data.field("data") else { return Err("data is a list".into()) };
    data.columns().into_iter().try_for_each(|name| frame.known(name).map(drop))?;
    for part in parts {
        let SpecValue::Spec(part) = part else {
            return Err("data lists px.otel.metric.Gauge, px.otel.metric.Summary and px.otel.trace.Span".into());
        };
        if part.kind.starts_with("otel.metric.") {
            let time = frame.field("time_").map(|field| field.data_type);
            if time != Some(DataType::Time64Ns) {
                return Err("a metric needs the column `time_` of TIME64NS".into());
            }
        }
        let types: &[(&str, &str, &[DataType])] = match part.kind.as_str() {
            "otel.metric.Gauge" => &[("value", "number", &[DataType::Int64, DataType::Float64])],
            "otel.metric.Summary" => &[
                ("count", "number", &[DataType::Int64, DataType::Float64]),
                ("sum", "number", &[DataType::Int64, DataType::Float64]),
            ],
            "otel.trace.Span" => &[
                ("start_time", "time", &[DataType::Time64Ns]),
                ("end_time", "time", &[DataType::Time64Ns]),
                ("trace_id", "string", &[DataType::String]),
                ("span_id", "string", &[DataType::String]),
                ("parent_span_id", "string", &[DataType::String]),
            ],
            _ => &[],
        };
        for (field, what, allowed) in types {
            match part.field(field) {
                None | Some(SpecValue::None) => {}
                Some(SpecValue::Column(column)) if allowed.contains(&frame.known(column)?.data_type) => {}
                Some(SpecValue::Column(column)) => {
                    return Err(format!(
                        "{field} is a {what}, `{column}` is {}",
                        frame.known(column)?.data_type.name()
                    ));
                }
                Some(_) => return Err(format!("{field} is a column")),
            }
        }
    }
    Ok(())
}

/// The columns of the table that one of the tracepoints writes, as far as its program tells them.
pub(super) fn table_of(tracepoints: &[Tracepoint], name: &str) -> Option<Vec<(String, DataType)>> {
    let columns = |tracepoint: &Tracepoint| match tracepoint {
        Tracepoint::Upsert(definition) if definition.table == name => Some(definition.columns.clone()),
        Tracepoint::Upsert(_) | Tracepoint::Delete(_) => None,
    };
    tracepoints.iter().rev().find_map(columns)
}

/// The columns that a program writes.
pub(super) fn columns_of(program: &SpecValue) -> Vec<(String, DataType)> {
    match program {
        SpecValue::Text(text) => printed(text),
        SpecValue::List(programs) => programs.first().map(columns_of).unwrap_or_default(),
        SpecValue::Spec(spec) if spec.kind == "pxtrace.TraceProgram" => {
            spec.field("program").map(columns_of).unwrap_or_default()
        }
        SpecValue::Spec(spec) => {
            let mut columns = vec![("upid".to_owned(), DataType::Uint128), ("time_".to_owned(), DataType::Time64Ns)];
            if let Some(SpecValue::List(outputs)) = spec.field("outputs") {
                columns.extend(outputs.iter().flat_map(probed));
            }
            columns
        }
        _ => Vec::new(),
    }
}

/// Columns of a probe: latencies are numbers, what a program's variables are is known when it is deployed.
fn probed(output: &SpecValue) -> Vec<(String, DataType)> {
    let SpecValue::Dict(entries) = output else { return Vec::new() };
    let column = |(name, value): &(SpecValue, SpecValue)| {
        let SpecValue::Text(name) = name else { return None };
        let is_latency = matches!(value, SpecValue::Spec(spec) if spec.kind == "pxtrace.FunctionLatency");
        Some((name.clone(), if is_latency { DataType::Int64 } else { DataType::String }))
    };
    entries.iter().filter_map(column).collect()
}

/// Columns of a bpftrace program: `name:%format` in its first printf.
fn printed(program: &str) -> Vec<(String, DataType)> {
    let Some((_, rest)) = program.split_once("printf(\"") else { return Vec::new() };
    let format = rest.split('"').next().unwrap_or_default();
    let column = |word: &str| {
        let (name, directive) = word.split_once(":%")?;
        let name: String = name.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let name: String = name.chars().rev().collect();
        let kind = directive.trim_start_matches(|c: char| c.is_ascii_digit() || "-.lhz".contains(c)).chars().next();
        let data_type = match kind {
            _ if name == "time_" => DataType::Time64Ns,
            Some('s' | 'r') => DataType::String,
            _ => DataType::Int64,
        };
        (!name.is_empty()).then_some((name, data_type))
    };
    format.split_whitespace().filter_map(column).collect()
}
