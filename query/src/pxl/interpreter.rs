//! Runs a script once, while compiling: names get values, DataFrames get plans, mistakes are gathered.

mod attribute;
mod frames;
mod operator;

use std::rc::Rc;

use super::ast::{Argument, Expression, Kind, Statement, StatementKind, Target};
use super::column::ColumnExpr;
use super::fault::{FAULTS_MAX, Fault, nearest};
use super::frame::Frame;
use super::scope::Scope;
use super::spec::Spec;
use super::types::{self, PxType};
use super::value::{Closure, Module, Value};
use crate::script::Catalog;
use crate::tracepoint::Tracepoint;

/// Deepest calls of functions of the script.
const CALLS_MAX: usize = 50;
/// Most expressions that a script evaluates, calls included.
const STEPS_MAX: usize = 2_000_000;
/// Most tables that a script makes.
const OUTPUTS_MAX: usize = 200;

/// What a script does while it is compiled.
pub(super) struct Interpreter<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) faults: Vec<Fault>,
    /// Tables to show, by their final names.
    pub(super) outputs: Vec<(String, Frame)>,
    pub(super) exports: Vec<(Frame, Rc<Spec>)>,
    /// Expressions that parts of exports are made of, by the names of the columns that they become.
    pub(super) computed: Vec<(String, ColumnExpr)>,
    pub(super) tracepoints: Vec<Tracepoint>,
    pub(super) settings: Vec<Spec>,
    /// Values that replace constants of the module by name.
    pub(super) overrides: Vec<(String, String)>,
    /// Functions are called by a `vis.json`, so `px.display` at the top shows nothing.
    pub(super) is_called: bool,
    pub(super) module: Rc<Scope>,
    views: Option<Rc<Scope>>,
    lineages: u64,
    calls: usize,
    steps: usize,
    /// Where the script called a function of the library that is running.
    site: Option<usize>,
}

/// Arguments of a call with their values.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) keyword: Option<String>,
    pub(super) at: usize,
    pub(super) value: Value,
}

/// How a statement ended.
enum Flow {
    Next,
    Return(Value),
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(catalog: &'a Catalog) -> Self {
        Interpreter {
            catalog,
            faults: Vec::new(),
            outputs: Vec::new(),
            exports: Vec::new(),
            computed: Vec::new(),
            tracepoints: Vec::new(),
            settings: Vec::new(),
            overrides: Vec::new(),
            is_called: false,
            module: Rc::default(),
            views: None,
            lineages: 0,
            calls: 0,
            steps: 0,
            site: None,
        }
    }

    /// Runs the statements of a module.
    pub(super) fn run(&mut self, statements: &[Statement]) {
        let module = Rc::clone(&self.module);
        for statement in statements {
            if self.is_exhausted() {
                return;
            }
            if let Flow::Return(_) = self.statement(statement, &module) {
                self.fail(statement.at, "return stands outside of a function");
            }
        }
    }

    pub(super) fn fail(&mut self, at: usize, message: impl Into<String>) -> Value {
        if self.faults.len() < FAULTS_MAX * 4 {
            self.faults.push(Fault::new(self.site.unwrap_or(at), message));
        }
        Value::Poison
    }

    pub(super) fn settle(&mut self, at: usize, result: Result<Value, String>) -> Value {
        result.unwrap_or_else(|message| self.fail(at, message))
    }

    pub(super) fn lineage(&mut self) -> u64 {
        self.lineages += 1;
        self.lineages
    }

    fn is_exhausted(&self) -> bool {
        self.steps > STEPS_MAX || self.faults.len() >= FAULTS_MAX * 4
    }

    fn statement(&mut self, statement: &Statement, scope: &Rc<Scope>) -> Flow {
        match &statement.kind {
            StatementKind::Pass => {}
            StatementKind::Import { module, member, name } => {
                let value = self.import(statement.at, module, member.as_deref());
                // `import a.b` is not bound as a name with a dot.
                scope.set(name.split('.').next().unwrap_or(name), value);
            }
            StatementKind::Expression(expression) => {
                self.evaluate(expression, scope);
            }
            StatementKind::Assign(Target::Name(name), value) => {
                let value = self.evaluate(value, scope);
                let value = self.overridden(statement.at, name, value, scope);
                scope.set(name, value);
            }
            StatementKind::Assign(Target::Column(frame, column), value) => {
                self.assign_column(statement.at, frame, column, value, scope);
            }
            StatementKind::Define(function) => {
                let probe = function.decorator.as_ref().and_then(|decorator| self.decorator(decorator, scope));
                let closure = Closure {
                    function: Rc::clone(function),
                    scope: Rc::clone(scope),
                    is_library: self.site.is_some(),
                    probe,
                };
                scope.set(&function.name, Value::Closure(Rc::new(closure)));
            }
            StatementKind::Return(value) => {
                let value = value.as_ref().map_or(Value::None, |value| self.evaluate(value, scope));
                return Flow::Return(value);
            }
        }
        Flow::Next
    }

    /// A constant of the module that `--arg` gives another value.
    fn overridden(&mut self, at: usize, name: &str, value: Value, scope: &Rc<Scope>) -> Value {
        if !Rc::ptr_eq(scope, &self.module) || self.site.is_some() {
            return value;
        }
        let Some(text) = self.overrides.iter().find(|(key, _)| key == name).map(|(_, text)| text.clone()) else {
            return value;
        };
        let kind = match &value {
            Value::Text(_) => PxType::Str,
            Value::Int(_) => PxType::Int,
            Value::Float(_) => PxType::Float,
            Value::Bool(_) => PxType::Bool,
            Value::Time(_) => PxType::Time,
            Value::List(_) => PxType::List,
            _ => return self.fail(at, format!("`{name}` is {}, which --arg cannot replace", value.kind())),
        };
        self.settle(at, kind.parse(&text).map_err(|problem| format!("--arg {name}: {problem}")))
    }

    fn import(&mut self, at: usize, module: &str, member: Option<&str>) -> Value {
        let known = match module {
            "px" | "pl" => Module::Px,
            "pxtrace" => Module::Pxtrace,
            "pxconfig" => Module::Pxconfig,
            "pxviews" => Module::Pxviews,
            "px.otel" => Module::Otel,
            "px.vis" => Module::Vis,
            _ => {
                let near = nearest(module, ["px", "pxtrace", "pxconfig", "pxviews"]);
                return self.fail(at, format!("there is no module `{module}`{near}"));
            }
        };
        match member {
            Some(member) => self.attribute(at, Value::Module(known), member),
            None => Value::Module(known),
        }
    }

    /// The function that a tracepoint's decorator names.
    fn decorator(&mut self, decorator: &Expression, scope: &Rc<Scope>) -> Option<String> {
        match self.evaluate(decorator, scope) {
            Value::Spec(spec) if spec.kind == "pxtrace.probe" => match spec.field("fn_name") {
                Some(super::spec::SpecValue::Text(name)) => Some(name.clone()),
                _ => None,
            },
            Value::Spec(spec) if spec.kind == "vis.vega" => None,
            Value::Poison => None,
            other => {
                let message = format!("a function is decorated by pxtrace.probe, not by {}", other.kind());
                self.fail(decorator.at, message);
                None
            }
        }
    }

    pub(super) fn evaluate(&mut self, expression: &Expression, scope: &Rc<Scope>) -> Value {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            if self.steps == STEPS_MAX + 1 {
                self.fail(expression.at, "the script does more than a script may while it is compiled");
            }
            return Value::Poison;
        }
        stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || self.evaluate_here(expression, scope))
    }

    fn evaluate_here(&mut self, expression: &Expression, scope: &Rc<Scope>) -> Value {
        let at = expression.at;
        match &expression.kind {
            Kind::None => Value::None,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Int(value) => Value::Int(*value),
            Kind::Float(value) => Value::Float(*value),
            Kind::Text(text) => Value::Text(text.clone()),
            Kind::Name(name) => self.name(at, name, scope),
            Kind::List(elements) => Value::List(Rc::new(self.all(elements, scope))),
            Kind::Tuple(elements) => Value::Tuple(Rc::new(self.all(elements, scope))),
            Kind::Dict(entries) => {
                let entry = |(key, value)| (self.evaluate(key, scope), self.evaluate(value, scope));
                Value::Dict(Rc::new(entries.iter().map(|(key, value)| (key, value)).map(entry).collect()))
            }
            Kind::Attribute(of, name) => {
                let of = self.evaluate(of, scope);
                self.attribute(at, of, name)
            }
            Kind::Subscript(of, index) => {
                let of = self.evaluate(of, scope);
                let index_at = index.at;
                let index = self.evaluate(index, scope);
                self.subscript(at, of, index_at, &index)
            }
            Kind::Call(callee, arguments) => {
                let callee = self.evaluate(callee, scope);
                let given = self.arguments(arguments, scope);
                self.call(at, callee, given)
            }
            Kind::Unary(operator, operand) => {
                let operand = self.evaluate(operand, scope);
                self.unary(at, *operator, operand)
            }
            Kind::Binary(sign, left, right) => {
                let left = self.evaluate(left, scope);
                let right = self.evaluate(right, scope);
                self.binary(at, sign, &left, &right)
            }
        }
    }

    fn all(&mut self, expressions: &[Expression], scope: &Rc<Scope>) -> Vec<Value> {
        expressions.iter().map(|expression| self.evaluate(expression, scope)).collect()
    }

    fn arguments(&mut self, arguments: &[Argument], scope: &Rc<Scope>) -> Vec<Given> {
        let given = |argument: &Argument| Given {
            keyword: argument.keyword.clone(),
            at: argument.value.at,
            value: self.evaluate(&argument.value, scope),
        };
        arguments.iter().map(given).collect()
    }

    fn name(&mut self, at: usize, name: &str, scope: &Rc<Scope>) -> Value {
        if let Some(value) = scope.value(name) {
            return value;
        }
        if let Some(kind) = types::BUILT_IN.into_iter().find(|kind| kind.name() == name) {
            return Value::Type(kind);
        }
        let names = scope.names();
        let known = names.iter().map(String::as_str).chain(["str", "int", "float", "bool", "list"]);
        let hint = match name {
            "px" | "pxtrace" | "pxviews" | "pxconfig" => format!("; import it with `import {name}`"),
            "print" => "; show a table with px.display".into(),
            "len" | "range" | "map" | "min" | "max" | "sum" | "abs" | "round" => {
                format!("; functions of columns are in px, such as px.{name}")
            }
            _ => nearest(name, known),
        };
        self.fail(at, format!("`{name}` is not defined{hint}"))
    }

    /// Calls what can be called.
    pub(super) fn call(&mut self, at: usize, callee: Value, given: Vec<Given>) -> Value {
        match callee {
            Value::Poison => Value::Poison,
            Value::Closure(closure) => self.call_closure(at, &closure, given),
            Value::Builtin(module, name) => {
                // What is made of a mistake is no further one.
                if given.iter().any(|argument| matches!(argument.value, Value::Poison)) {
                    return Value::Poison;
                }
                self.call_builtin(at, module, &name, given)
            }
            Value::Method(of, name) => {
                if given.iter().any(|argument| matches!(argument.value, Value::Poison)) {
                    return Value::Poison;
                }
                self.call_method(at, *of, &name, given)
            }
            Value::Type(kind) => self.cast(at, kind, given),
            // A decorator of vega charts.
            Value::Spec(spec) if spec.kind == "vis.vega" => {
                given.into_iter().next().map_or(Value::None, |argument| argument.value)
            }
            other => self.fail(at, format!("{} cannot be called", other.kind())),
        }
    }

    /// Calls a function of the script or of the library.
    pub(super) fn call_closure(&mut self, at: usize, closure: &Rc<Closure>, given: Vec<Given>) -> Value {
        let function = Rc::clone(&closure.function);
        if self.calls >= CALLS_MAX {
            return self.fail(at, format!("functions call each other deeper than {CALLS_MAX}; `{}`", function.name));
        }
        let names: Vec<&str> = function.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        let bound = match self.bind(at, &function.name, &names, names.len(), given) {
            Ok(bound) => bound,
            Err(fault) => return self.fail(fault.at, fault.message),
        };
        let scope = Scope::inside(&closure.scope);
        for (name, value) in names.iter().zip(bound) {
            scope.set(name, value.map_or(Value::None, |given| given.value));
        }
        let site = self.site;
        if closure.is_library && site.is_none() {
            self.site = Some(at);
        }
        self.calls += 1;
        let mut result = Value::None;
        for statement in &function.body {
            if self.is_exhausted() {
                result = Value::Poison;
                break;
            }
            if let Flow::Return(value) = self.statement(statement, &scope) {
                result = value;
                break;
            }
        }
        self.calls -= 1;
        self.site = site;
        result
    }

    /// Arguments by parameter; the first `required` must be there.
    pub(super) fn bind(
        &mut self,
        at: usize,
        function: &str,
        names: &[&str],
        required: usize,
        given: Vec<Given>,
    ) -> Result<Vec<Option<Given>>, Fault> {
        let mut bound: Vec<Option<Given>> = vec![None; names.len()];
        for (position, argument) in given.into_iter().enumerate() {
            let slot = match &argument.keyword {
                None if position >= names.len() => {
                    let message = format!("{function} takes at most {} arguments", names.len());
                    return Err(Fault::new(argument.at, message));
                }
                None => position,
                Some(keyword) => names.iter().position(|name| name == keyword).ok_or_else(|| {
                    let near = nearest(keyword, names.iter().copied());
                    let known = names.join(", ");
                    Fault::new(argument.at, format!("{function} has no argument `{keyword}`{near} ({known})"))
                })?,
            };
            if bound[slot].is_some() {
                return Err(Fault::new(argument.at, format!("{function} gets `{}` twice", names[slot])));
            }
            bound[slot] = Some(argument);
        }
        let missing: Vec<&str> = names
            .iter()
            .zip(&bound)
            .take(required)
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| *name)
            .collect();
        if missing.is_empty() {
            return Ok(bound);
        }
        Err(Fault::new(at, format!("{function} also needs {}", missing.join(", "))))
    }

    /// Adds a table to the results under a name that no other has.
    pub(super) fn show(&mut self, at: usize, name: &str, frame: Frame) -> Value {
        if self.outputs.len() >= OUTPUTS_MAX {
            return self.fail(at, format!("a script shows at most {OUTPUTS_MAX} tables"));
        }
        let taken = |candidate: &str| self.outputs.iter().any(|(other, _)| other == candidate);
        let mut unique = name.to_owned();
        let mut number = 0;
        while taken(&unique) {
            number += 1;
            unique = format!("{name}_{number}");
        }
        self.outputs.push((unique, frame));
        Value::None
    }

    /// The module of views, loaded when it is first used.
    pub(super) fn views(&mut self, at: usize) -> Rc<Scope> {
        if let Some(views) = &self.views {
            return Rc::clone(views);
        }
        let scope: Rc<Scope> = Rc::default();
        self.views = Some(Rc::clone(&scope));
        let site = self.site.replace(at);
        match super::parser::parse(include_str!("pxviews.pxl")) {
            Ok(statements) => {
                for statement in &statements {
                    self.statement(statement, &scope);
                }
            }
            Err(faults) => self.faults.extend(faults),
        }
        self.site = site;
        scope
    }
}
