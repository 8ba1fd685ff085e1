//! The functions of the modules: `px`, `px.otel`, `pxtrace`, `pxconfig`.

mod source;
mod trace;

use std::rc::Rc;

use datafusion::common::tree_node::TreeNode as _;
use datafusion::logical_expr::{Expr, Volatility};
use datafusion::prelude::lit;
use datafusion::scalar::ScalarValue;
use watershed_model::{DataType, Semantic, Upid};

use super::call;
use super::column::ColumnExpr;
use super::fault::Fault;
use super::interpreter::{Given, Interpreter};
use super::signatures::{self, FunctionKind};
use super::spec::{Spec, SpecValue};
use super::time;
use super::value::{Module, Time, Value};
use crate::tracepoint::Tracepoint;

/// Functions of `px` beside those of columns.
const PX: [&str; 20] = [
    "DataFrame",
    "display",
    "debug",
    "export",
    "now",
    "days",
    "hours",
    "minutes",
    "seconds",
    "milliseconds",
    "microseconds",
    "nanoseconds",
    "strptime",
    "parse_time",
    "parse_duration",
    "format_duration",
    "equals_any",
    "uint128",
    "make_upid",
    "script_reference",
];
const SPAN_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
/// Most arguments of a reference to a script.
const REFERENCE_ARGUMENTS_MAX: usize = 8;

/// What columns are called that exist for an export only.
const COMPUTED: &str = "__export_";

/// A function that only keeps its arguments: module, name, parameters, how many of them must be given.
type Keeper = (Module, &'static str, &'static [&'static str], usize);

const KEEPERS: [Keeper; 17] = [
    (Module::Otel, "Data", &["resource", "data", "endpoint"], 2),
    (Module::Otel, "Endpoint", &["url", "headers", "insecure", "timeout"], 1),
    (Module::OtelMetric, "Gauge", &["name", "value", "description", "attributes", "unit"], 2),
    (
        Module::OtelMetric,
        "Summary",
        &["name", "count", "sum", "quantile_values", "description", "attributes", "unit"],
        4,
    ),
    (
        Module::OtelTrace,
        "Span",
        &["name", "start_time", "end_time", "trace_id", "span_id", "parent_span_id", "attributes", "kind"],
        3,
    ),
    (Module::Vis, "vega", &["vega_spec"], 1),
    (Module::Pxtrace, "probe", &["fn_name"], 1),
    (Module::Pxtrace, "ArgExpr", &["expr"], 1),
    (Module::Pxtrace, "RetExpr", &["expr"], 1),
    (Module::Pxtrace, "FunctionLatency", &[], 0),
    (Module::Pxtrace, "TraceProgram", &["program", "min_kernel", "max_kernel", "host_name"], 1),
    (Module::Pxtrace, "SharedObject", &["name", "upid"], 2),
    (Module::Pxtrace, "kprobe", &[], 0),
    (Module::Pxtrace, "PodProcess", &["pod_name", "container_name", "process_name"], 1),
    (Module::Pxtrace, "LabelSelector", &["labels", "namespace", "container_name", "process_name"], 2),
    (Module::Pxtrace, "UpsertTracepoint", &["name", "table_name", "probe_fn", "target", "ttl"], 5),
    (Module::Pxtrace, "DeleteTracepoint", &["name"], 1),
];

/// Names of a module's own functions.
pub(super) fn names_of(module: Module) -> Vec<&'static str> {
    let kept = KEEPERS.iter().filter(|keeper| keeper.0 == module).map(|keeper| keeper.1);
    match module {
        Module::Px => PX.to_vec(),
        Module::OtelTrace => kept.chain(SPAN_KINDS).collect(),
        Module::Pxconfig => vec!["set_agent_config"],
        Module::Plugin => vec!["start_time", "end_time"],
        _ => kept.collect(),
    }
}

/// The number of a kind of span.
pub(super) fn span_kind(module: Module, name: &str) -> Option<i64> {
    let position = SPAN_KINDS.iter().position(|kind| *kind == name).filter(|_| module == Module::OtelTrace)?;
    i64::try_from(position).ok()
}

impl Interpreter<'_> {
    pub(super) fn call_builtin(&mut self, at: usize, module: Module, name: &str, given: Vec<Given>) -> Value {
        let made = if let Some(keeper) = KEEPERS.iter().find(|keeper| keeper.0 == module && keeper.1 == name) {
            self.keep(at, keeper, given)
        } else {
            match module {
                Module::Px => self.px(at, name, given),
                Module::Pxconfig => self.setting(at, given),
                _ => Err(Fault::new(at, format!("{}.{name} is no function", module.name()))),
            }
        };
        made.unwrap_or_else(|fault| self.fail(fault.at, fault.message))
    }

    fn px(&mut self, at: usize, name: &str, given: Vec<Given>) -> Result<Value, Fault> {
        match name {
            "DataFrame" => return self.data_frame(at, given),
            "display" | "debug" => return self.display(at, name, given),
            "export" => return self.export(at, given),
            "script_reference" => return self.script_reference(at, given),
            "equals_any" => return self.equals_any(at, given),
            "make_upid" => return self.make_upid(at, given),
            "strptime" => return self.strptime(at, given),
            "now" => {
                self.bind(at, name, &[], 0, given)?;
                return Ok(Value::Time(Time::Now(0)));
            }
            _ => {}
        }
        if let Some(unit) = unit_ns(name) {
            let value = self.only(at, name, given)?;
            return match value.value {
                Value::Int(amount) => Ok(Value::Int(amount.saturating_mul(unit))),
                Value::Float(amount) => Ok(Value::Int((amount * unit as f64) as i64)),
                Value::Column(column) => {
                    let factor = ColumnExpr::new(lit(unit), DataType::Int64);
                    let product = call::scalar(self.catalog, "multiply", vec![*column, factor]);
                    product.map(ColumnExpr::folded).map_err(|message| Fault::new(at, message))
                }
                other => Err(Fault::new(value.at, format!("{name} takes a number, not {}", other.kind()))),
            };
        }
        match name {
            "parse_time" | "parse_duration" | "format_duration" | "uint128" => {
                let given = self.only(at, name, given)?;
                let wrong = || Fault::new(given.at, format!("px.{name} does not take {}", given.value.kind()));
                let value = match (name, &given.value) {
                    ("parse_time", value) => Value::Time(time_of(value).map_err(|m| Fault::new(given.at, m))?),
                    ("parse_duration", Value::Text(text)) => {
                        let duration = time::duration(text);
                        Value::Int(duration.ok_or_else(|| Fault::new(given.at, format!("`{text}` is no duration")))?)
                    }
                    ("format_duration", Value::Int(nanoseconds)) => Value::Text(time::format_duration(*nanoseconds)),
                    ("uint128", Value::Text(text)) => {
                        uint128(text).ok_or_else(|| Fault::new(given.at, format!("`{text}` is no uuid")))?
                    }
                    _ => return Err(wrong()),
                };
                Ok(value)
            }
            _ => self.function(at, name, given),
        }
    }

    /// A function of columns, or of tables.
    fn function(&mut self, at: usize, name: &str, given: Vec<Given>) -> Result<Value, Fault> {
        let Some(signature) = signatures::all().get(name) else {
            return Err(Fault::new(at, format!("px has no `{name}`")));
        };
        match signature.kind {
            FunctionKind::Table => return self.table_function(at, name, signature, given),
            FunctionKind::Aggregate => {
                let message = format!("px.{name} is an aggregate; use it as df.agg(x=('column', px.{name}))");
                return Err(Fault::new(at, message));
            }
            FunctionKind::Scalar => {}
        }
        let mut columns = Vec::with_capacity(given.len());
        for argument in given {
            let Some(column) = ColumnExpr::of_value(self.catalog, &argument.value) else {
                let message = format!("px.{name} takes columns and constants, not {}", argument.value.kind());
                return Err(Fault::new(argument.at, message));
            };
            columns.push(column);
        }
        let made = call::scalar(self.catalog, name, columns).map_err(|message| Fault::new(at, message))?;
        super::constant::bounded(self.fold(made)).map_err(|message| Fault::new(at, message))
    }

    /// Works a call of constants out, where that needs nothing of the time of execution.
    fn fold(&self, column: ColumnExpr) -> Value {
        if column.lineage.is_some() || reads_execution(&column.expr) {
            return column.folded();
        }
        match evaluated(&column.expr) {
            // A meaning is kept on the constant, which a plain value has none of.
            Some(value) if column.semantic == Semantic::None => {
                ColumnExpr { expr: Expr::Literal(value, None), ..column }.folded()
            }
            _ => column.folded(),
        }
    }

    fn only(&mut self, at: usize, name: &str, given: Vec<Given>) -> Result<Given, Fault> {
        let mut bound = self.bind(at, name, &["x"], 1, given)?;
        bound[0].take().ok_or_else(|| Fault::new(at, format!("{name} takes one value")))
    }

    fn display(&mut self, at: usize, function: &str, given: Vec<Given>) -> Result<Value, Fault> {
        let mut bound = self.bind(at, function, &["out", "name", "cols"], 1, given)?;
        let Some(out) = bound[0].take() else { return Ok(Value::Poison) };
        let Value::Frame(mut frame) = out.value else {
            return Err(Fault::new(out.at, format!("px.{function} shows a DataFrame, not {}", out.value.kind())));
        };
        let name = match bound[1].take() {
            None => "output".to_owned(),
            Some(name) => match name.value.text() {
                Some(text) => text.to_owned(),
                None => return Err(Fault::new(name.at, "the name of a table is a string")),
            },
        };
        if let Some(columns) = bound[2].take() {
            let names = columns.value.texts().ok_or_else(|| Fault::new(columns.at, "cols is a list of columns"))?;
            if !names.is_empty() {
                frame = frame.keep(&names).map_err(|message| Fault::new(columns.at, message))?;
            }
        }
        if self.is_called {
            return Ok(Value::None);
        }
        let name = if function == "debug" { format!("_{name}") } else { name };
        Ok(self.show(at, &name, frame))
    }

    fn export(&mut self, at: usize, given: Vec<Given>) -> Result<Value, Fault> {
        let mut bound = self.bind(at, "export", &["out", "export_spec"], 2, given)?;
        let (Some(out), Some(spec)) = (bound[0].take(), bound[1].take()) else { return Ok(Value::Poison) };
        let Value::Frame(mut frame) = out.value else {
            return Err(Fault::new(out.at, format!("px.export takes a DataFrame, not {}", out.value.kind())));
        };
        let data = match spec.value {
            Value::Spec(data) if data.kind == "otel.Data" => data,
            other => return Err(Fault::new(spec.at, format!("an export is px.otel.Data, not {}", other.kind()))),
        };
        for name in data.columns() {
            if let Some((_, column)) = self.computed.iter().find(|(computed, _)| computed == name) {
                frame = frame.assign(name, column.clone()).map_err(|message| Fault::new(spec.at, message))?;
            }
        }
        trace::check_export(&frame, &data).map_err(|message| Fault::new(spec.at, message))?;
        self.exports.push((frame, data));
        Ok(Value::None)
    }

    fn equals_any(&mut self, at: usize, given: Vec<Given>) -> Result<Value, Fault> {
        let mut bound = self.bind(at, "equals_any", &["value", "list"], 2, given)?;
        let (Some(value), Some(list)) = (bound[0].take(), bound[1].take()) else { return Ok(Value::Poison) };
        let elements = match list.value.elements() {
            Some(elements) if !elements.is_empty() => Rc::clone(elements),
            _ => return Err(Fault::new(list.at, "px.equals_any takes a list with at least one value")),
        };
        let mut any: Option<Value> = None;
        for element in elements.iter() {
            let equal = self.binary(at, "==", &value.value, element);
            any = Some(match any {
                None => equal,
                Some(others) => self.binary(at, "or", &others, &equal),
            });
        }
        Ok(any.unwrap_or(Value::Bool(false)))
    }

    fn make_upid(&mut self, at: usize, given: Vec<Given>) -> Result<Value, Fault> {
        let bound = self.bind(at, "make_upid", &["asid", "pid", "ts_ns"], 3, given)?;
        let number = |position: usize| match bound[position].as_ref().map(|given| &given.value) {
            Some(Value::Int(number)) => Ok(*number),
            _ => Err(Fault::new(at, "px.make_upid takes three integers")),
        };
        let (asid, pid) = (u32::try_from(number(0)?), u32::try_from(number(1)?));
        let (Ok(asid), Ok(pid), Ok(start_ticks)) = (asid, pid, u64::try_from(number(2)?)) else {
            return Err(Fault::new(at, "the parts of a upid are not negative, asid and pid have 32 bits"));
        };
        Ok(id(Upid { asid, pid, start_ticks }.to_bytes(), Semantic::Upid))
    }

    fn strptime(&mut self, at: usize, given: Vec<Given>) -> Result<Value, Fault> {
        let bound = self.bind(at, "strptime", &["date_string", "format"], 2, given)?;
        let text = |position: usize| match bound[position].as_ref().and_then(|given| given.value.text()) {
            Some(text) => Ok(text),
            None => Err(Fault::new(at, "px.strptime takes two strings")),
        };
        let (date, format) = (text(0)?, text(1)?);
        let parsed = time::strptime(date, format);
        let parsed = parsed.ok_or_else(|| Fault::new(at, format!("`{date}` is no time of the format `{format}`")))?;
        Ok(Value::Time(Time::At(parsed)))
    }

    fn script_reference(&mut self, at: usize, given: Vec<Given>) -> Result<Value, Fault> {
        let mut bound = self.bind(at, "script_reference", &["label", "script", "args"], 2, given)?;
        let arguments = match bound[2].take().map(|given| (given.at, given.value)) {
            None => Rc::default(),
            Some((_, Value::Dict(entries))) => entries,
            Some((args_at, other)) => return Err(Fault::new(args_at, format!("args is a dict, not {}", other.kind()))),
        };
        if arguments.len() > REFERENCE_ARGUMENTS_MAX {
            return Err(Fault::new(at, format!("a reference has at most {REFERENCE_ARGUMENTS_MAX} args")));
        }
        let fixed = bound.into_iter().take(2).flatten().map(|given| given.value);
        let named = arguments.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
        let mut columns = Vec::new();
        for value in fixed.chain(named) {
            if matches!(value, Value::Poison) {
                return Ok(Value::Poison);
            }
            match ColumnExpr::of_value(self.catalog, &value) {
                Some(column) if column.data_type == DataType::String => columns.push(column),
                _ => return Err(Fault::new(at, format!("px.script_reference takes strings, not {}", value.kind()))),
            }
        }
        let lineage = call::one_frame(&columns).map_err(|message| Fault::new(at, message))?;
        let function = self.catalog.scalar("px__script_reference");
        let function = function.ok_or_else(|| Fault::new(at, "px.script_reference has no implementation here"))?;
        let expr = function.call(columns.into_iter().map(|column| column.expr).collect());
        let mut made = ColumnExpr::new(expr, DataType::String);
        made.semantic = Semantic::ScriptReference;
        made.lineage = lineage;
        Ok(Value::Column(Box::new(made)))
    }

    fn setting(&mut self, at: usize, given: Vec<Given>) -> Result<Value, Fault> {
        let keeper: Keeper = (Module::Pxconfig, "set_agent_config", &["agent_pod_name", "key", "value"], 3);
        if let Value::Spec(spec) = self.keep(at, &keeper, given)? {
            self.settings.push(spec.as_ref().clone());
        }
        Ok(Value::None)
    }

    /// A function that only keeps its arguments.
    fn keep(&mut self, at: usize, keeper: &Keeper, given: Vec<Given>) -> Result<Value, Fault> {
        let (module, name, parameters, required) = *keeper;
        let bound = self.bind(at, name, parameters, required, given)?;
        let mut fields = Vec::new();
        for (parameter, argument) in parameters.iter().zip(bound) {
            let Some(argument) = argument else { continue };
            let value = self.spec_value(argument.at, &argument.value)?;
            fields.push(((*parameter).to_owned(), value));
        }
        let kind = format!("{}.{name}", module.name().trim_start_matches("px."));
        let spec = Spec { kind, fields };
        trace::check(&spec).map_err(|message| Fault::new(at, message))?;
        if matches!(name, "UpsertTracepoint" | "DeleteTracepoint") {
            let columns = spec.field("probe_fn").map(trace::columns_of).unwrap_or_default();
            let tracepoint = Tracepoint::of(&spec, columns).map_err(|message| Fault::new(at, message))?;
            self.tracepoints.push(tracepoint);
            return Ok(Value::None);
        }
        Ok(Value::Spec(Rc::new(spec)))
    }

    fn spec_value(&mut self, at: usize, value: &Value) -> Result<SpecValue, Fault> {
        Ok(match value {
            Value::None | Value::Poison => SpecValue::None,
            Value::Bool(value) => SpecValue::Bool(*value),
            Value::Int(value) => SpecValue::Int(*value),
            Value::Float(value) => SpecValue::Float(*value),
            Value::Text(text) => SpecValue::Text(text.clone()),
            Value::List(elements) | Value::Tuple(elements) => {
                let elements = elements.iter().map(|element| self.spec_value(at, element));
                SpecValue::List(elements.collect::<Result<_, _>>()?)
            }
            Value::Dict(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| Ok((self.spec_value(at, key)?, self.spec_value(at, value)?)));
                SpecValue::Dict(entries.collect::<Result<_, Fault>>()?)
            }
            Value::Spec(spec) => SpecValue::Spec(Box::new(spec.as_ref().clone())),
            Value::Column(column) => match &column.expr {
                Expr::Column(column) => SpecValue::Column(column.name.clone()),
                Expr::Literal(ScalarValue::FixedSizeBinary(_, Some(bytes)), _) => {
                    let bytes: [u8; 16] = bytes.as_slice().try_into().unwrap_or_default();
                    SpecValue::Text(Upid::from_bytes(bytes).to_string())
                }
                _ => {
                    let name = format!("{COMPUTED}{}", self.computed.len());
                    self.computed.push((name.clone(), column.as_ref().clone()));
                    SpecValue::Column(name)
                }
            },
            Value::Closure(closure) if closure.probe.is_some() => {
                let returned = self.call_closure(at, closure, Vec::new());
                let function = SpecValue::Text(closure.probe.clone().unwrap_or_default());
                let outputs = self.spec_value(at, &returned)?;
                let fields = vec![("fn_name".to_owned(), function), ("outputs".to_owned(), outputs)];
                SpecValue::Spec(Box::new(Spec { kind: "pxtrace.probe".into(), fields }))
            }
            other => return Err(Fault::new(at, format!("{} cannot stand here", other.kind()))),
        })
    }
}

/// Whether an expression without columns can have another value each time.
fn reads_execution(expr: &Expr) -> bool {
    let varies = |inner: &Expr| match inner {
        Expr::ScalarFunction(call) => {
            call.func.name() == "now"
                || call.func.signature().volatility != Volatility::Immutable
                || crate::metadata::is_metadata(call.func.name())
        }
        _ => false,
    };
    expr.exists(|inner| Ok(varies(inner))).unwrap_or(true)
}

/// The value of an expression without columns.
fn evaluated(expr: &Expr) -> Option<ScalarValue> {
    use arrow::array::{RecordBatch, RecordBatchOptions};
    let schema = datafusion::common::DFSchema::empty();
    let physical =
        datafusion::physical_expr::create_physical_expr(expr, &schema, &Default::default(), &Default::default())
            .ok()?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let nothing = std::sync::Arc::new(arrow::datatypes::Schema::empty());
    let row = RecordBatch::try_new_with_options(nothing, Vec::new(), &options).ok()?;
    let array = physical.evaluate(&row).ok()?.into_array(1).ok()?;
    ScalarValue::try_from_array(&array, 0).ok().filter(|value| !value.is_null())
}

fn unit_ns(name: &str) -> Option<i64> {
    Some(match name {
        "days" => 86_400_000_000_000,
        "hours" => 3_600_000_000_000,
        "minutes" => 60_000_000_000,
        "seconds" => 1_000_000_000,
        "milliseconds" => 1_000_000,
        "microseconds" => 1_000,
        "nanoseconds" => 1,
        _ => return None,
    })
}

/// A time given as text, as nanoseconds or as a time.
pub(super) fn time_of(value: &Value) -> Result<Time, String> {
    match value {
        Value::Time(time) => Ok(*time),
        Value::Int(nanoseconds) => Ok(Time::At(*nanoseconds)),
        Value::Float(nanoseconds) => Ok(Time::At(*nanoseconds as i64)),
        Value::Text(text) => time::parse(text),
        other => Err(format!("a time is a string, an int or a px.Time, not {}", other.kind())),
    }
}

/// An id written as a uuid, or as `asid:pid:start_ticks`.
pub(super) fn uint128(text: &str) -> Option<Value> {
    let digits = text.replace('-', "");
    if digits.len() == 32 {
        let number = u128::from_str_radix(&digits, 16).ok()?;
        return Some(id(number.to_be_bytes(), Semantic::None));
    }
    let mut parts = text.split(':');
    let upid = Upid {
        asid: parts.next()?.parse().ok()?,
        pid: parts.next()?.parse().ok()?,
        start_ticks: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then(|| id(upid.to_bytes(), Semantic::Upid))
}

fn id(bytes: [u8; 16], semantic: Semantic) -> Value {
    let mut column = ColumnExpr::new(lit(ScalarValue::FixedSizeBinary(16, Some(bytes.to_vec()))), DataType::Uint128);
    column.semantic = semantic;
    Value::Column(Box::new(column))
}
