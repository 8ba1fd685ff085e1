//! What names of a script stand for while it is compiled.

use std::rc::Rc;

use super::ast::Function;
use super::column::ColumnExpr;
use super::frame::Frame;
use super::scope::Scope;
use super::spec::Spec;
use super::types::PxType;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// So long after the time of execution; negative for before.
    Now(i64),
    /// Nanoseconds since the Unix epoch.
    At(i64),
}

impl Time {
    pub(super) fn plus(self, nanoseconds: i64) -> Self {
        match self {
            Time::Now(offset) => Time::Now(offset.saturating_add(nanoseconds)),
            Time::At(at) => Time::At(at.saturating_add(nanoseconds)),
        }
    }
}

/// The modules that can be imported, and their parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Module {
    Px,
    Otel,
    OtelMetric,
    OtelTrace,
    Plugin,
    Vis,
    Pxtrace,
    Pxconfig,
    Pxviews,
}

impl Module {
    pub(super) fn name(self) -> &'static str {
        match self {
            Module::Px => "px",
            Module::Otel => "px.otel",
            Module::OtelMetric => "px.otel.metric",
            Module::OtelTrace => "px.otel.trace",
            Module::Plugin => "px.plugin",
            Module::Vis => "px.vis",
            Module::Pxtrace => "pxtrace",
            Module::Pxconfig => "pxconfig",
            Module::Pxviews => "pxviews",
        }
    }
}

/// A function of the script or of the library.
#[derive(Debug)]
pub(super) struct Closure {
    pub(super) function: Rc<Function>,
    pub(super) scope: Rc<Scope>,
    /// Mistakes in it are reported where it is called.
    pub(super) is_library: bool,
    /// The probed function, if `pxtrace.probe` decorates it.
    pub(super) probe: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// The result of a mistake that has been reported; what is made of it is no further mistake.
    Poison,
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Rc<Vec<Value>>),
    Tuple(Rc<Vec<Value>>),
    Dict(Rc<Vec<(Value, Value)>>),
    Time(Time),
    Column(Box<ColumnExpr>),
    Frame(Frame),
    /// A frame and the columns that it is grouped by.
    Groups(Frame, Rc<Vec<String>>),
    /// `df.ctx`
    Context(Frame),
    Closure(Rc<Closure>),
    Module(Module),
    /// A function of a module, by name.
    Builtin(Module, Rc<str>),
    /// A method of a frame or of groups.
    Method(Box<Value>, Rc<str>),
    Type(PxType),
    /// Parts of exports and tracepoints.
    Spec(Rc<Spec>),
}

impl Value {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> String {
        match self {
            Value::Poison => "a mistake".into(),
            Value::None => "None".into(),
            Value::Bool(_) => "a bool".into(),
            Value::Int(_) => "an int".into(),
            Value::Float(_) => "a float".into(),
            Value::Text(_) => "a string".into(),
            Value::List(_) => "a list".into(),
            Value::Tuple(_) => "a tuple".into(),
            Value::Dict(_) => "a dict".into(),
            Value::Time(_) => "a time".into(),
            Value::Column(column) => format!("a column of {}", column.data_type.name()),
            Value::Frame(_) => "a DataFrame".into(),
            Value::Groups(..) => "a groupby without agg".into(),
            Value::Context(_) => "ctx".into(),
            Value::Closure(closure) => format!("the function `{}`", closure.function.name),
            Value::Module(module) => format!("the module `{}`", module.name()),
            Value::Builtin(module, name) => format!("the function `{}.{name}`", module.name()),
            Value::Method(_, name) => format!("the method `{name}`"),
            Value::Type(kind) => format!("the type `{}`", kind.name()),
            Value::Spec(spec) => format!("a {}", spec.kind),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Column(column) => match &column.expr {
                datafusion::logical_expr::Expr::Literal(datafusion::scalar::ScalarValue::Utf8(Some(text)), _) => {
                    Some(text)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The elements of a list or tuple.
    pub(super) fn elements(&self) -> Option<&Rc<Vec<Value>>> {
        match self {
            Value::List(elements) | Value::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// A string, or a list of strings.
    pub(super) fn texts(&self) -> Option<Vec<String>> {
        match self.elements() {
            Some(elements) => elements.iter().map(|element| element.text().map(str::to_owned)).collect(),
            None => self.text().map(|text| vec![text.to_owned()]),
        }
    }
}
