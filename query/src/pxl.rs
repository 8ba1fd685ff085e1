//! PxL: a script is run once while it is compiled, and what it shows are plans like those of SQL.

mod ast;
mod call;
mod column;
mod constant;
mod context;
mod fault;
mod frame;
mod interpreter;
mod lexer;
mod library;
mod native;
mod parser;
mod pragma;
mod scope;
mod signatures;
mod spec;
mod time;
mod types;
mod value;
mod vis;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;

use crate::script::{Catalog, Export, Inputs, OutputColumn, Script, ScriptError, ScriptTable};
use ast::{Statement, StatementKind, Target};
use fault::{Fault, locate, nearest};
use frame::Frame;
use interpreter::{Given, Interpreter};
use types::PxType;
use value::Value;

pub use spec::{Spec, SpecValue};

/// Nanoseconds of a duration such as `10m`.
pub(crate) fn duration_ns(text: &str) -> Option<i64> {
    time::duration(text)
}

/// Whether a script is PxL: by its file's name, or because it imports one of PxL's modules.
#[must_use]
pub fn is_pxl(text: &str, origin: &str) -> bool {
    if origin.ends_with(".pxl") {
        return true;
    }
    let imports = |line: &str| {
        let mut words = line.trim_start_matches('\u{feff}').split_whitespace();
        let keyword = words.next();
        let module = words.next().unwrap_or_default().trim_end_matches([',', ';']);
        let module = module.split('.').next().unwrap_or_default();
        matches!(keyword, Some("import" | "from")) && matches!(module, "px" | "pl" | "pxtrace" | "pxviews" | "pxconfig")
    };
    !origin.ends_with(".sql") && text.lines().any(imports)
}

/// Compiles a PxL script.
pub(crate) fn compile(
    catalog: &Catalog,
    text: &str,
    origin: &str,
    inputs: &Inputs<'_>,
) -> Result<Script, Vec<ScriptError>> {
    let located = |faults: Vec<Fault>| locate(faults, text, origin);
    let mut faults = Vec::new();
    let pragmas = pragma::pragmas(text, &mut faults);
    let statements = parser::parse(text).map_err(|parsed| {
        faults.extend(parsed);
        located(std::mem::take(&mut faults))
    })?;
    let mut interpreter = Interpreter::new(catalog);
    interpreter.faults = faults;
    let vis = match inputs.vis.map(serde_json::from_str::<vis::Vis>) {
        None => None,
        Some(Ok(vis)) => Some(vis),
        Some(Err(error)) => {
            interpreter.fail(0, format!("vis.json, line {}: {error}", error.line()));
            None
        }
    };
    let calls =
        vis.as_ref().is_some_and(|vis| !vis.global_funcs.is_empty() || vis.widgets.iter().any(|w| w.func.is_some()));
    interpreter.is_called = calls;
    let variables = variables(&mut interpreter, vis.as_ref(), &statements, inputs.arguments);
    interpreter.run(&statements);
    if let (Some(vis), true) = (&vis, calls) {
        call_functions(&mut interpreter, vis, &variables);
    }
    let makes_something = !interpreter.outputs.is_empty()
        || !interpreter.exports.is_empty()
        || !interpreter.tracepoints.is_empty()
        || !interpreter.settings.is_empty();
    if interpreter.faults.is_empty() && !makes_something {
        interpreter.fail(0, "the script shows no table; end it with px.display(df)");
    }
    let script = finished(&mut interpreter, pragmas.rows_max, pragmas.explain);
    if interpreter.faults.is_empty() { Ok(script) } else { Err(located(interpreter.faults)) }
}

/// Values of the variables of the `vis.json`, and constants of the module that arguments replace.
fn variables(
    interpreter: &mut Interpreter<'_>,
    vis: Option<&vis::Vis>,
    statements: &[Statement],
    arguments: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for variable in vis.into_iter().flat_map(|vis| &vis.variables) {
        let value =
            arguments.get(&variable.name).cloned().or_else(|| variable.default_value.as_ref().map(vis::text_of));
        let Some(value) = value else { continue };
        if !variable.valid_values.is_empty() && !variable.valid_values.contains(&value) {
            let (name, valid) = (&variable.name, variable.valid_values.join(", "));
            interpreter.fail(0, format!("`{name}` is one of {valid}, not `{value}`"));
        }
        values.insert(variable.name.clone(), value);
    }
    let constants: BTreeSet<&str> = statements
        .iter()
        .filter_map(|statement| match &statement.kind {
            StatementKind::Assign(Target::Name(name), _) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let known = vis.map_or_else(BTreeSet::new, |vis| vis.variables.iter().map(|v| v.name.as_str()).collect());
    for (name, value) in arguments.iter().filter(|(name, _)| !known.contains(name.as_str())) {
        if constants.contains(name.as_str()) {
            interpreter.overrides.push((name.clone(), value.clone()));
        } else {
            let near = nearest(name, known.iter().chain(&constants).copied());
            interpreter.fail(0, format!("unknown argument `{name}`: the script has no such variable{near}"));
        }
    }
    values
}

/// Calls the functions that the `vis.json` names; what they return are the tables.
fn call_functions(interpreter: &mut Interpreter<'_>, vis: &vis::Vis, variables: &BTreeMap<String, String>) {
    let global = vis.global_funcs.iter().map(|global| (global.output_name.clone(), &global.func));
    let own = vis.widgets.iter().enumerate().filter_map(|(position, widget)| {
        let name = if widget.name.is_empty() { format!("widget_{position}") } else { widget.name.clone() };
        Some((name, widget.func.as_ref()?))
    });
    for (output, call) in global.chain(own) {
        let value = call_function(interpreter, call, variables);
        match value {
            Value::Frame(frame) => {
                interpreter.show(0, &output, frame);
            }
            Value::List(elements) | Value::Tuple(elements) => {
                for (position, element) in elements.iter().enumerate() {
                    if let Value::Frame(frame) = element {
                        interpreter.show(0, &format!("{output}[{position}]"), frame.clone());
                    }
                }
            }
            Value::Poison => {}
            other => {
                let message = format!("vis.json: `{}` returns {}, not a DataFrame", call.name, other.kind());
                interpreter.fail(0, message);
            }
        }
    }
}

fn call_function(
    interpreter: &mut Interpreter<'_>,
    call: &vis::FunctionCall,
    variables: &BTreeMap<String, String>,
) -> Value {
    let Some(Value::Closure(closure)) = interpreter.module.value(&call.name) else {
        let names = interpreter.module.names();
        let near = nearest(&call.name, names.iter().map(String::as_str));
        return interpreter.fail(0, format!("vis.json calls `{}`, which the script does not define{near}", call.name));
    };
    let at = closure.function.body.first().map_or(0, |statement| statement.at);
    let mut given = Vec::with_capacity(call.args.len());
    for argument in &call.args {
        let text = match (&argument.value, &argument.variable) {
            (Some(value), _) => vis::text_of(value),
            (None, Some(variable)) => match variables.get(variable) {
                Some(value) => value.clone(),
                None => {
                    let message = format!("`{variable}` has no value; give one with --arg {variable}=VALUE");
                    return interpreter.fail(0, message);
                }
            },
            (None, None) => String::new(),
        };
        let annotation = closure.function.parameters.iter().find(|parameter| parameter.name == argument.name);
        let annotation = annotation.and_then(|parameter| parameter.annotation.as_ref());
        let kind = match annotation.map(|annotation| interpreter.evaluate(annotation, &closure.scope)) {
            Some(Value::Type(kind)) => kind,
            Some(Value::Poison) => return Value::Poison,
            _ => PxType::Str,
        };
        let value = kind.parse(&text).map_err(|problem| format!("`{}` of `{}`: {problem}", argument.name, call.name));
        let value = interpreter.settle(at, value);
        given.push(Given { keyword: Some(argument.name.clone()), at, value });
    }
    interpreter.call_closure(at, &closure, given)
}

fn finished(interpreter: &mut Interpreter<'_>, rows_max: usize, explain: bool) -> Script {
    let mut tables = Vec::new();
    for (name, frame) in std::mem::take(&mut interpreter.outputs) {
        match table(name, &frame, Some(rows_max)) {
            Ok(table) => tables.push(table),
            Err(message) => {
                interpreter.fail(0, message);
            }
        }
    }
    let mut exports = Vec::new();
    for (frame, spec) in std::mem::take(&mut interpreter.exports) {
        match table("export".into(), &frame, None) {
            Ok(table) => exports.push(Export { table, spec: spec.as_ref().clone() }),
            Err(message) => {
                interpreter.fail(0, message);
            }
        }
    }
    if explain {
        tables.extend(explained(&tables));
    }
    let tracepoints = std::mem::take(&mut interpreter.tracepoints);
    let settings = std::mem::take(&mut interpreter.settings);
    Script { tables, tracepoints, settings, exports }
}

fn table(name: String, frame: &Frame, rows_max: Option<usize>) -> Result<ScriptTable, String> {
    let plan = frame.plan()?;
    let columns = frame.columns().iter().map(|field| OutputColumn {
        name: field.name.clone(),
        data_type: field.data_type.name(),
        semantic: field.semantic,
    });
    Ok(ScriptTable {
        name,
        schema: Arc::new(plan.schema().as_arrow().clone()),
        columns: columns.collect(),
        plan,
        rows_max,
    })
}

/// The plans of all tables as a table, which `#px:set explain=true` asks for.
fn explained(tables: &[ScriptTable]) -> Option<ScriptTable> {
    use datafusion::logical_expr::LogicalPlanBuilder;
    use datafusion::prelude::{col, lit};
    let row = |table: &ScriptTable| vec![lit(table.name.clone()), lit(table.plan.display_indent().to_string())];
    let plan: LogicalPlan = LogicalPlanBuilder::values(tables.iter().map(row).collect())
        .and_then(|rows| rows.project([col("column1").alias("table"), col("column2").alias("plan")]))
        .and_then(LogicalPlanBuilder::build)
        .ok()?;
    let columns = crate::meaning::columns_of(&plan);
    let schema = Arc::new(plan.schema().as_arrow().clone());
    Some(ScriptTable { name: "__query_plan__".into(), plan, schema, columns, rows_max: None })
}

#[cfg(test)]
mod tests;
