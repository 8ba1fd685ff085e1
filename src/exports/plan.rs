//! What a script says of an export, as what a sink can carry out.

use std::time::Duration;

use watershed_query::pxl::{Spec, SpecValue};
use watershed_sinks::otlp::export::{Attributes, Collector, Export, Metric, Part, Source, Span};

/// An answer may take this long unless the script says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Number of a server's span.
const SERVER: i64 = 2;

/// The export; `collector` is where it goes if it names none.
pub(super) fn of(data: &Spec, collector: Option<&str>) -> Result<Export, String> {
    let Some(SpecValue::List(parts)) = data.field("data") else { return Err("data is a list".into()) };
    let part = |part: &SpecValue| match part {
        SpecValue::Spec(part) => part_of(part),
        _ => Err("data lists metrics and spans".to_owned()),
    };
    let collector = match (data.field("endpoint"), collector) {
        (Some(SpecValue::Spec(endpoint)), _) => collector_of(endpoint)?,
        (_, Some(url)) => Collector { url: url.to_owned(), headers: Vec::new(), insecure: true, timeout: TIMEOUT },
        (_, None) => {
            return Err("it names no collector; add endpoint=px.otel.Endpoint(url='host:4317', insecure=True) to \
                        px.otel.Data, or run the server with --otel-collector"
                .to_owned());
        }
    };
    Ok(Export {
        collector,
        resource: attributes(data.field("resource"))?,
        parts: parts.iter().map(part).collect::<Result<_, _>>()?,
    })
}

fn collector_of(endpoint: &Spec) -> Result<Collector, String> {
    let headers = match endpoint.field("headers") {
        Some(SpecValue::Dict(entries)) => entries.iter().map(|(name, value)| Ok((text(name)?, text(value)?))).collect(),
        _ => Ok(Vec::new()),
    };
    let timeout = match endpoint.field("timeout") {
        Some(SpecValue::Int(seconds)) if *seconds > 0 => Duration::from_secs(seconds.unsigned_abs()),
        Some(SpecValue::Float(seconds)) if *seconds > 0.0 => {
            Duration::try_from_secs_f64(*seconds).map_err(|error| format!("timeout: {error}"))?
        }
        None | Some(SpecValue::None) => TIMEOUT,
        Some(_) => return Err("the timeout of an endpoint is a number of seconds above 0".into()),
    };
    Ok(Collector {
        url: endpoint.field("url").map_or_else(|| Err("an endpoint has a url".to_owned()), text)?,
        headers: headers.map_err(|problem: String| format!("headers: {problem}"))?,
        insecure: endpoint.field("insecure") == Some(&SpecValue::Bool(true)),
        timeout,
    })
}

fn part_of(part: &Spec) -> Result<Part, String> {
    let needed = |field: &str| optional(part, field)?.ok_or_else(|| format!("{field} of {} is a column", part.kind));
    match part.kind.as_str() {
        "otel.metric.Gauge" => Ok(Part::Gauge { metric: metric(part)?, value: needed("value")? }),
        "otel.metric.Summary" => Ok(Part::Summary {
            metric: metric(part)?,
            count: needed("count")?,
            sum: needed("sum")?,
            quantiles: quantiles(part.field("quantile_values"))?,
        }),
        "otel.trace.Span" => Ok(Part::Span(Span {
            name: part.field("name").map_or_else(|| Err("a span has a name".to_owned()), source)?,
            start: needed("start_time")?,
            end: needed("end_time")?,
            trace_id: optional(part, "trace_id")?,
            span_id: optional(part, "span_id")?,
            parent_span_id: optional(part, "parent_span_id")?,
            kind: match part.field("kind") {
                Some(SpecValue::Int(kind)) => i32::try_from(*kind).unwrap_or_default(),
                _ => SERVER as i32,
            },
            attributes: attributes(part.field("attributes"))?,
        })),
        other => Err(format!("{other} cannot be exported")),
    }
}

fn metric(part: &Spec) -> Result<Metric, String> {
    let said = |field: &str| match part.field(field) {
        None | Some(SpecValue::None) => Ok(String::new()),
        Some(value) => text(value).map_err(|problem| format!("{field}: {problem}")),
    };
    let name = said("name")?;
    if name.is_empty() {
        return Err("a metric has a name".into());
    }
    Ok(Metric {
        name,
        description: said("description")?,
        unit: said("unit")?,
        attributes: attributes(part.field("attributes"))?,
    })
}

fn quantiles(values: Option<&SpecValue>) -> Result<Vec<(f64, String)>, String> {
    let Some(SpecValue::Dict(entries)) = values else { return Err("quantile_values is a dict".into()) };
    let quantile = |(at, value): &(SpecValue, SpecValue)| match (at, value) {
        (SpecValue::Float(at), SpecValue::Column(column)) => Ok((*at, column.clone())),
        (SpecValue::Int(at), SpecValue::Column(column)) => Ok((*at as f64, column.clone())),
        _ => Err("quantile_values has a column for each quantile, such as {0.5: df.p50}".to_owned()),
    };
    entries.iter().map(quantile).collect()
}

fn attributes(values: Option<&SpecValue>) -> Result<Attributes, String> {
    let Some(SpecValue::Dict(entries)) = values else { return Ok(Vec::new()) };
    entries.iter().map(|(name, value)| Ok((text(name)?, source(value)?))).collect()
}

fn source(value: &SpecValue) -> Result<Source, String> {
    match value {
        SpecValue::Column(column) => Ok(Source::Column(column.clone())),
        other => text(other).map(Source::Constant),
    }
}

fn optional(part: &Spec, field: &str) -> Result<Option<String>, String> {
    match part.field(field) {
        None | Some(SpecValue::None) => Ok(None),
        Some(SpecValue::Column(column)) => Ok(Some(column.clone())),
        Some(_) => Err(format!("{field} of {} is a column", part.kind)),
    }
}

fn text(value: &SpecValue) -> Result<String, String> {
    match value {
        SpecValue::Text(text) => Ok(text.clone()),
        SpecValue::Int(number) => Ok(number.to_string()),
        SpecValue::Float(number) => Ok(number.to_string()),
        SpecValue::Bool(truth) => Ok(truth.to_string()),
        SpecValue::None | SpecValue::Column(_) | SpecValue::List(_) | SpecValue::Dict(_) | SpecValue::Spec(_) => {
            Err("a string is needed".to_owned())
        }
    }
}
