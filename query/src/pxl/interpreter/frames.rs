//! Methods of DataFrames, and assignments to their columns.

use std::rc::Rc;

use watershed_model::DataType;

use super::super::ast::Expression;
use super::super::call;
use super::super::column::ColumnExpr;
use super::super::fault::Fault;
use super::super::frame::{AggregateCall, Frame, How, Merge};
use super::super::scope::Scope;
use super::super::signatures::{self, FunctionKind};
use super::super::time;
use super::super::value::{Module, Value};
use super::{Given, Interpreter};

/// A problem, and where if it is not the call itself.
type Made = Result<Value, Fault>;

impl Interpreter<'_> {
    /// `df.column = value`; `df` is another frame afterwards.
    pub(super) fn assign_column(
        &mut self,
        at: usize,
        name: &str,
        column: &Expression,
        value: &Expression,
        scope: &Rc<Scope>,
    ) {
        let column_at = column.at;
        let column = self.evaluate(column, scope);
        let value_at = value.at;
        let value = self.evaluate(value, scope);
        // Taking the frame out leaves one owner, so that it is changed and not copied.
        let Some(frame) = scope.take(name).or_else(|| scope.value(name)) else {
            self.fail(at, format!("`{name}` is not defined"));
            return;
        };
        let Value::Frame(frame) = frame else {
            if !matches!(frame, Value::Poison) {
                self.fail(at, format!("`{name}` is {}, only a DataFrame has columns", frame.kind()));
            }
            scope.set(name, frame);
            return;
        };
        let Some(column_name) = column.text().map(str::to_owned) else {
            self.fail(column_at, format!("the name of a column is a string, not {}", column.kind()));
            scope.set(name, Value::Frame(frame));
            return;
        };
        if matches!(value, Value::Poison) {
            scope.set(name, Value::Frame(frame.poisoned(&column_name)));
            return;
        }
        let Some(made) = ColumnExpr::of_value(self.catalog, &value) else {
            self.fail(value_at, format!("a column is made of columns and constants, not of {}", value.kind()));
            scope.set(name, Value::Frame(frame.poisoned(&column_name)));
            return;
        };
        let kept = if frame.columns().len() < 1_000 { Some(frame.clone()) } else { None };
        match frame.assign(&column_name, made) {
            Ok(changed) => scope.set(name, Value::Frame(changed)),
            Err(message) => {
                self.fail(value_at, message);
                scope.set(name, kept.map_or(Value::Poison, |kept| Value::Frame(kept.poisoned(&column_name))));
            }
        }
    }

    pub(super) fn call_method(&mut self, at: usize, of: Value, name: &str, given: Vec<Given>) -> Value {
        let made = match of {
            Value::Frame(frame) => self.frame_method(at, &frame, name, given),
            Value::Groups(frame, keys) => self.aggregated(at, &frame, &keys, given),
            other => Err(Fault::new(at, format!("{} has no method `{name}`", other.kind()))),
        };
        made.unwrap_or_else(|fault| self.fail(fault.at, fault.message))
    }

    fn frame_method(&mut self, at: usize, frame: &Frame, name: &str, given: Vec<Given>) -> Made {
        match name {
            "agg" => return self.aggregated(at, frame, &[], given),
            "merge" => return self.merged(at, frame, given),
            "append" => return self.appended(at, frame, given),
            _ => {}
        }
        let (parameters, required): (&[&str], usize) = match name {
            "drop" => (&["columns"], 1),
            "groupby" => (&["by"], 1),
            "head" => (&["n"], 0),
            "rolling" => (&["window", "on"], 1),
            "filter" => (&["expr"], 1),
            _ => (&[], 0),
        };
        let mut bound = self.bind(at, name, parameters, required, given)?.into_iter();
        let first = bound.next().flatten();
        let (value_at, value) = first.map_or((at, Value::None), |given| (given.at, given.value));
        let wrong = |wanted: &str| Fault::new(value_at, format!("{name} takes {wanted}, not {}", value.kind()));
        let names = || value.texts().ok_or_else(|| wrong("a column's name or a list of them"));
        let placed =
            |result: Result<Frame, String>| result.map(Value::Frame).map_err(|message| Fault::new(value_at, message));
        match name {
            "drop" => placed(frame.without(&names()?)),
            "groupby" => {
                let keys = names()?;
                for key in &keys {
                    let field = frame.known(key).map_err(|message| Fault::new(value_at, message))?;
                    if field.is_poison {
                        return Ok(Value::Poison);
                    }
                }
                Ok(Value::Groups(frame.clone(), Rc::new(keys)))
            }
            "head" => {
                let rows = match value {
                    Value::None => 5,
                    Value::Int(rows) if rows >= 0 => usize::try_from(rows).unwrap_or(usize::MAX),
                    _ => return Err(wrong("a number of rows")),
                };
                placed(frame.head(rows))
            }
            "filter" => match ColumnExpr::of_value(self.catalog, &value) {
                Some(condition) => placed(frame.filter(condition)),
                None => Err(wrong("a condition")),
            },
            "rolling" => {
                let on = bound.next().flatten().map(|given| (given.at, given.value));
                if let Some((on_at, on)) = on
                    && on.text() != Some("time_")
                {
                    return Err(Fault::new(on_at, "a window rolls on='time_'"));
                }
                frame.known("time_").map_err(|message| Fault::new(at, message))?;
                let width = match &value {
                    Value::Text(text) => time::duration(text),
                    Value::Int(nanoseconds) => Some(*nanoseconds),
                    _ => None,
                };
                match width {
                    Some(width_ns) if width_ns > 0 => Ok(Value::Frame(frame.rolling(width_ns))),
                    _ => Err(wrong("a duration such as '2s'")),
                }
            }
            _ => Ok(Value::Frame(frame.clone())),
        }
    }

    fn aggregated(&mut self, at: usize, frame: &Frame, keys: &[String], given: Vec<Given>) -> Made {
        let mut calls = Vec::with_capacity(given.len());
        for argument in given {
            let Some(output) = argument.keyword.clone() else {
                return Err(Fault::new(argument.at, "agg takes name=('column', px.function)"));
            };
            match self.aggregate_call(frame, output, &argument) {
                Ok(Some(call)) => calls.push(call),
                Ok(None) => return Ok(Value::Poison),
                Err(message) => return Err(Fault::new(argument.at, message)),
            }
        }
        let lineage = self.lineage();
        let bin = self.catalog.scalar("bin");
        let made = frame.aggregate(lineage, keys, calls, bin.as_ref());
        made.map(Value::Frame).map_err(|message| Fault::new(at, message))
    }

    /// `('column', …, px.function)`; `None` if a part of it was a mistake.
    fn aggregate_call(
        &mut self,
        frame: &Frame,
        output: String,
        argument: &Given,
    ) -> Result<Option<AggregateCall>, String> {
        const FORM: &str = "an aggregate is a tuple such as ('latency', px.mean)";
        let parts = argument.value.elements().ok_or(FORM)?;
        let (function, columns) = parts.split_last().ok_or(FORM)?;
        if parts.iter().any(|part| matches!(part, Value::Poison)) {
            return Ok(None);
        }
        let Value::Builtin(Module::Px, name) = function else {
            return Err(format!("{FORM}; {} is no aggregate", function.kind()));
        };
        let signature = signatures::all().get(name.as_ref()).filter(|known| known.kind == FunctionKind::Aggregate);
        let signature = signature.ok_or_else(|| format!("px.{name} is no aggregate"))?;
        let mut arguments = Vec::with_capacity(columns.len());
        for column in columns {
            let column = column.text().ok_or_else(|| format!("{FORM}, not {} in it", column.kind()))?;
            if frame.known(column)?.is_poison {
                return Ok(None);
            }
            arguments.push(frame.column(column)?);
        }
        if arguments.is_empty() {
            return Err(FORM.into());
        }
        frame.check_all(&arguments)?;
        let types: Vec<DataType> = arguments.iter().map(|column| column.data_type).collect();
        let overload = signatures::resolve(&signature.overloads, &types).ok_or_else(|| {
            let given: Vec<&str> = types.iter().map(|kind| kind.name()).collect();
            format!("px.{name} does not take {}", given.join(", "))
        })?;
        let semantics: Vec<_> = arguments.iter().map(|column| column.semantic).collect();
        let function = self
            .catalog
            .aggregate(&format!("px_{name}"))
            .ok_or_else(|| format!("px.{name} has no implementation here"))?;
        let arguments = arguments.into_iter().zip(&overload.arguments).map(|(arg, to)| arg.converted(*to)).collect();
        let semantic = call::meaning(name, overload.result, &semantics);
        Ok(Some(AggregateCall { output, function, arguments, data_type: overload.result, semantic }))
    }

    fn merged(&mut self, at: usize, frame: &Frame, given: Vec<Given>) -> Made {
        let parameters = ["right", "how", "left_on", "right_on", "suffixes"];
        let mut bound = self.bind(at, "merge", &parameters, 1, given)?;
        let mut part = |position: usize| bound[position].take().map(|given| (given.at, given.value));
        let (right_at, right) = part(0).unwrap_or((at, Value::None));
        let Value::Frame(right) = right else {
            return Err(Fault::new(right_at, format!("merge takes a DataFrame, not {}", right.kind())));
        };
        let how = match part(1) {
            None => How::Inner,
            Some((how_at, how)) => match how.text() {
                Some("inner") => How::Inner,
                Some("left") => How::Left,
                Some("right") => How::Right,
                Some("outer") => How::Outer,
                _ => return Err(Fault::new(how_at, "how is 'inner', 'left', 'right' or 'outer'")),
            },
        };
        let mut keys = |position: usize, name: &str| {
            let (keys_at, keys) = part(position).ok_or_else(|| Fault::new(at, format!("merge also needs {name}")))?;
            keys.texts().ok_or_else(|| Fault::new(keys_at, format!("{name} is a column's name or a list of them")))
        };
        let (left_on, right_on) = (keys(2, "left_on")?, keys(3, "right_on")?);
        let suffixes = match part(4) {
            None => ["_x".to_owned(), "_y".to_owned()],
            Some((suffixes_at, suffixes)) => suffixes
                .texts()
                .and_then(|suffixes| <[String; 2]>::try_from(suffixes).ok())
                .ok_or_else(|| Fault::new(suffixes_at, "suffixes are two strings"))?,
        };
        let lineage = self.lineage();
        let merged = frame.merge(lineage, &right, &Merge { how, left_on, right_on, suffixes });
        merged.map(Value::Frame).map_err(|message| Fault::new(at, message))
    }

    fn appended(&mut self, at: usize, frame: &Frame, given: Vec<Given>) -> Made {
        let mut bound = self.bind(at, "append", &["objs"], 1, given)?;
        let Some(given) = bound[0].take() else { return Ok(Value::Poison) };
        let others = match &given.value {
            Value::Frame(other) => vec![other.clone()],
            value => {
                let elements = value.elements().cloned().unwrap_or_default();
                if elements.iter().any(|element| matches!(element, Value::Poison)) {
                    return Ok(Value::Poison);
                }
                let frames: Option<Vec<Frame>> = elements
                    .iter()
                    .map(|element| if let Value::Frame(frame) = element { Some(frame.clone()) } else { None })
                    .collect();
                frames
                    .filter(|frames| !frames.is_empty())
                    .ok_or_else(|| Fault::new(given.at, format!("append takes DataFrames, not {}", value.kind())))?
            }
        };
        let lineage = self.lineage();
        frame.append(lineage, &others).map(Value::Frame).map_err(|message| Fault::new(given.at, message))
    }
}
