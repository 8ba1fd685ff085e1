//! PxL's table functions as views of constant rows, `px_<name>`: what this system knows of its own tables and
//! functions. Those about Pixie's agents have their columns and no rows.

mod schemas;

use std::sync::Arc;

use arrow::datatypes::{Field, Schema as ArrowSchema};
use datafusion::catalog::view::ViewTable;
use datafusion::common::{DFSchema, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::prelude::SessionContext;
use watershed_model::{DataType as Type, tables as model};

use super::super::FunctionDoc;
use super::{aggregates, entries, names};
use schemas::SCHEMAS;

/// One table function.
#[derive(Debug)]
struct Schema {
    name: &'static str,
    arguments: &'static [(&'static str, Type)],
    columns: &'static [(&'static str, Type)],
}

/// Makes the tables known, also by their names in small letters, which SQL makes of names without quotes.
pub(super) fn register(context: &SessionContext) -> Result<()> {
    for schema in &SCHEMAS {
        let view = Arc::new(ViewTable::new(plan(schema)?, None));
        let name = format!("px_{}", schema.name);
        context.register_table(TableReference::bare(name.to_lowercase()), Arc::clone(&view) as _)?;
        if name != name.to_lowercase() {
            context.register_table(TableReference::bare(name), view)?;
        }
    }
    Ok(())
}

/// Makes the table functions known that read tables of the model, once those are there.
pub(crate) fn register_status(context: &SessionContext) {
    let sql = "SELECT tracepoint_id, name, state, status, output_tables FROM system.tracepoints";
    // Tables are in memory, so planning never waits.
    let plan = futures::executor::block_on(context.state().create_logical_plan(sql));
    let view = Arc::new(ViewTable::new(plan.expect("the columns are those of the model's table"), None));
    for name in ["px_GetTracepointStatus", "px_gettracepointstatus"] {
        let replaced = context.deregister_table(TableReference::bare(name));
        let added = context.register_table(TableReference::bare(name), Arc::clone(&view) as _);
        replaced.and(added).expect("tables in memory can be replaced");
    }
}

/// The table functions for `docs` and completions.
pub(super) fn documented() -> impl Iterator<Item = FunctionDoc> {
    SCHEMAS.iter().map(|schema| {
        let list = |columns: &[(&str, Type)]| {
            columns.iter().map(|(name, kind)| format!("{name} {}", kind.name())).collect::<Vec<_>>().join(", ")
        };
        let (arguments, columns) = (list(schema.arguments), list(schema.columns));
        FunctionDoc {
            name: format!("px_{}", schema.name).into(),
            signature: format!("px_{}({arguments}) -> table({columns})", schema.name).into(),
            doc: doc_of(schema.name).into(),
        }
    })
}

fn doc_of(name: &str) -> &'static str {
    match name {
        "GetTables" => "The tables that scripts can read.",
        "GetSchemas" => "The columns of all tables.",
        "GetUDFList" => "The scalar functions, a row a way to call.",
        "GetUDAList" => "The aggregates, a row a way to call.",
        "GetUDTFList" => "The table functions.",
        "GetTracepointStatus" => "What scripts asked to trace, and what came of it.",
        "Version" => "The version of this program.",
        _ => "Of Pixie's agents, which are not here: its columns and no rows.",
    }
}

/// Whether a name is that of a table function, so that no view can have it.
pub(crate) fn is_one(name: &str) -> bool {
    let known = name.to_lowercase();
    known.strip_prefix("px_").is_some_and(|known| SCHEMAS.iter().any(|schema| schema.name.to_lowercase() == known))
}

fn plan(schema: &Schema) -> Result<LogicalPlan> {
    let rows = rows(schema.name);
    if rows.is_empty() {
        let fields: Vec<Field> =
            schema.columns.iter().map(|(name, kind)| Field::new(*name, kind.arrow(), false)).collect();
        let schema = Arc::new(DFSchema::try_from(ArrowSchema::new(fields))?);
        return Ok(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema }));
    }
    let named = |(at, (name, _)): (usize, &(&'static str, Type))| col(format!("column{}", at + 1)).alias(*name);
    LogicalPlanBuilder::values(rows)?.project(schema.columns.iter().enumerate().map(named))?.build()
}

fn rows(name: &str) -> Vec<Vec<Expr>> {
    match name {
        "GetTables" => model::ALL.iter().map(|table| vec![lit(table.name), lit(table.doc)]).collect(),
        "GetSchemas" => columns(),
        "GetUDFList" => {
            let ways = entries().flat_map(|entry| entry.overloads.iter().map(move |way| (entry.name, way)));
            let native = ways.map(|(name, way)| (name, way.arguments, way.result));
            let told = crate::metadata::ways_to_call();
            native.chain(told).map(|(name, arguments, result)| called(name, arguments, result)).collect()
        }
        "GetUDAList" => {
            aggregates::ways_to_call().map(|(name, arguments, result)| called(name, arguments, result)).collect()
        }
        "GetUDTFList" => SCHEMAS.iter().map(described).collect(),
        "Version" => vec![vec![lit(0_i64), lit(env!("CARGO_PKG_VERSION"))]],
        _ => Vec::new(),
    }
}

fn columns() -> Vec<Vec<Expr>> {
    let all = model::ALL.iter().flat_map(|table| table.columns.iter().map(move |column| (table.name, column)));
    all.map(|(table, column)| {
        let texts = [table, column.name, column.data_type.name(), column.pattern.name(), column.doc];
        texts.map(lit).to_vec()
    })
    .collect()
}

fn called(name: &str, arguments: &[Type], result: Type) -> Vec<Expr> {
    vec![lit(name), lit(result.name()), lit(names(arguments))]
}

fn described(schema: &Schema) -> Vec<Expr> {
    let list = |columns: &[(&str, Type)]| {
        columns.iter().map(|(name, kind)| format!("{name}:{}", kind.name())).collect::<Vec<_>>().join(", ")
    };
    vec![lit(schema.name), lit("UDTF_ONE_KELVIN"), lit(list(schema.arguments)), lit(list(schema.columns))]
}

#[cfg(test)]
mod tests;
