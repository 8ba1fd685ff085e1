//! `a.b` and `a[b]`.

use std::rc::Rc;

use super::super::call;
use super::super::column::ColumnExpr;
use super::super::context::{Told, told};
use super::super::fault::nearest;
use super::super::frame::Frame;
use super::super::library;
use super::super::signatures;
use super::super::types;
use super::super::value::{Module, Time, Value};
use super::Interpreter;

/// Methods of a DataFrame.
const METHODS: [&str; 9] = ["drop", "groupby", "agg", "merge", "append", "head", "rolling", "stream", "filter"];

/// What an export covers each time, as no period is set for it here.
const EXPORT_PERIOD_NS: i64 = 60_000_000_000;

impl Interpreter<'_> {
    pub(super) fn attribute(&mut self, at: usize, of: Value, name: &str) -> Value {
        match of {
            Value::Poison => Value::Poison,
            Value::Module(module) => self.member(at, module, name),
            Value::Frame(frame) if name == "ctx" => Value::Context(frame),
            // A column goes before a method of its name, as `df.stream` may be either.
            Value::Frame(frame) if frame.field(name).is_some() => self.column_of(at, &frame, name),
            Value::Frame(_) if METHODS.contains(&name) => Value::Method(Box::new(of), name.into()),
            Value::Frame(frame) => {
                let known = frame.columns().iter().map(|field| field.name.as_str()).chain(METHODS);
                let near = nearest(name, known);
                if near.is_empty() {
                    return self.column_of(at, &frame, name);
                }
                self.fail(at, format!("there is no column `{name}`{near}"))
            }
            Value::Groups(..) if name == "agg" => Value::Method(Box::new(of), name.into()),
            Value::Groups(..) => self.fail(at, format!("groupby is followed by agg, not by `{name}`")),
            other => self.fail(at, format!("{} has no attribute `{name}`", other.kind())),
        }
    }

    pub(super) fn column_of(&mut self, at: usize, frame: &Frame, name: &str) -> Value {
        if frame.field(name).is_some_and(|field| field.is_poison) {
            return Value::Poison;
        }
        let column = frame.column(name);
        self.settle(at, column.map(|column| Value::Column(Box::new(column))))
    }

    fn member(&mut self, at: usize, module: Module, name: &str) -> Value {
        if module == Module::Pxviews {
            let views = self.views(at);
            return match views.value(name) {
                Some(value) => value,
                None => {
                    let names = views.names();
                    let near = nearest(name, names.iter().map(String::as_str));
                    self.fail(at, format!("pxviews has no `{name}`{near}"))
                }
            };
        }
        if module == Module::Px {
            match name {
                "otel" => return Value::Module(Module::Otel),
                "plugin" => return Value::Module(Module::Plugin),
                "vis" => return Value::Module(Module::Vis),
                _ => {}
            }
            if let Some(kind) = types::OF_PX.into_iter().find(|kind| kind.name() == name) {
                return Value::Type(kind);
            }
            if signatures::all().contains_key(name) {
                return Value::Builtin(module, name.into());
            }
        }
        match (module, name) {
            (Module::Otel, "metric") => return Value::Module(Module::OtelMetric),
            (Module::Otel, "trace") => return Value::Module(Module::OtelTrace),
            (Module::Plugin, "start_time") => return Value::Time(Time::Now(-EXPORT_PERIOD_NS)),
            (Module::Plugin, "end_time") => return Value::Time(Time::Now(0)),
            _ => {}
        }
        if let Some(kind) = library::span_kind(module, name) {
            return Value::Int(kind);
        }
        if library::names_of(module).contains(&name) {
            return Value::Builtin(module, name.into());
        }
        let functions = signatures::all().keys().map(String::as_str).filter(|_| module == Module::Px);
        let kinds = types::OF_PX.iter().map(|kind| kind.name()).filter(|_| module == Module::Px);
        let near = nearest(name, library::names_of(module).iter().copied().chain(functions).chain(kinds));
        self.fail(at, format!("{} has no `{name}`{near}", module.name()))
    }

    pub(super) fn subscript(&mut self, at: usize, of: Value, index_at: usize, index: &Value) -> Value {
        if matches!(index, Value::Poison) {
            return Value::Poison;
        }
        match of {
            Value::Poison => Value::Poison,
            Value::Frame(frame) => self.frame_subscript(index_at, &frame, index),
            Value::Context(frame) => match index.text() {
                Some(key) => self.property(index_at, &frame, key),
                None => self.fail(index_at, format!("a key of ctx is a string, not {}", index.kind())),
            },
            Value::List(elements) | Value::Tuple(elements) => self.element(index_at, &elements, index),
            Value::Dict(entries) => {
                let found = entries.iter().find(|(key, _)| match (key, index) {
                    (Value::Text(key), Value::Text(index)) => key == index,
                    (Value::Int(key), Value::Int(index)) => key == index,
                    _ => false,
                });
                match found {
                    Some((_, value)) => value.clone(),
                    None => self.fail(index_at, "the dict has no such key"),
                }
            }
            other => self.fail(at, format!("{} has no elements", other.kind())),
        }
    }

    fn element(&mut self, at: usize, elements: &Rc<Vec<Value>>, index: &Value) -> Value {
        let Value::Int(index) = index else {
            return self.fail(at, format!("an index is an int, not {}", index.kind()));
        };
        let length = elements.len() as i64;
        let position = if *index < 0 { index.saturating_add(length) } else { *index };
        match usize::try_from(position).ok().and_then(|position| elements.get(position)) {
            Some(value) => value.clone(),
            None => self.fail(at, format!("there is no element {index} of {length}")),
        }
    }

    fn frame_subscript(&mut self, at: usize, frame: &Frame, index: &Value) -> Value {
        if let Value::Column(column) = index
            && index.text().is_none()
        {
            let filtered = frame.filter(column.as_ref().clone());
            return self.settle(at, filtered.map(Value::Frame));
        }
        if let Value::Bool(_) = index {
            let filtered = ColumnExpr::of_value(self.catalog, index).ok_or_else(String::new);
            let filtered = filtered.and_then(|condition| frame.filter(condition));
            return self.settle(at, filtered.map(Value::Frame));
        }
        if let Some(name) = index.text() {
            return self.column_of(at, frame, name);
        }
        match index.texts() {
            Some(names) => {
                let kept = frame.keep(&names);
                self.settle(at, kept.map(Value::Frame))
            }
            None => self
                .fail(at, format!("a DataFrame has columns by name, lists of them and filters, not {}", index.kind())),
        }
    }

    /// `df.ctx[key]`
    pub(super) fn property(&mut self, at: usize, frame: &Frame, key: &str) -> Value {
        let made = told(frame, key).and_then(|told| match told {
            Told::Column(name) => frame.column(&name),
            Told::Function(function, columns) => {
                let columns = columns.iter().map(|name| frame.column(name)).collect::<Result<Vec<_>, _>>()?;
                call::scalar(self.catalog, &function, columns)
            }
        });
        self.settle(at, made.map(|column| Value::Column(Box::new(column))))
    }
}
