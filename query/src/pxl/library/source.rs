//! Where DataFrames come from: tables, views, table functions, tables of tracepoints.

use std::sync::Arc;

use arrow::datatypes::{Field as ArrowField, Schema};
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::{DFSchema, TableReference};
use datafusion::logical_expr::{EmptyRelation, LogicalPlan, LogicalPlanBuilder};
use watershed_model::{DataType, Semantic, tables};

use super::super::column::{ColumnExpr, time_expression};
use super::super::fault::{Fault, nearest};
use super::super::frame::{Field, Frame, planned};
use super::super::interpreter::{Given, Interpreter};
use super::super::signatures::Signature;
use super::super::value::{Time, Value};
use super::{time_of, trace};

impl Interpreter<'_> {
    pub(super) fn data_frame(&mut self, at: usize, given: Vec<Given>) -> Result<Value, Fault> {
        let mut bound = self.bind(at, "DataFrame", &["table", "select", "start_time", "end_time"], 1, given)?;
        let Some(table) = bound[0].take() else { return Ok(Value::Poison) };
        let Some(name) = table.value.text() else {
            let message = format!("the table is named by a string, not by {}", table.value.kind());
            return Err(Fault::new(table.at, message));
        };
        let mut frame = self.table(name).map_err(|message| Fault::new(table.at, message))?;
        for (position, operator) in [(2, ">="), (3, "<=")] {
            let Some(given) = bound[position].take().filter(|given| !matches!(given.value, Value::None)) else {
                continue;
            };
            let placed = |message: String| Fault::new(given.at, message);
            let time = time_of(&given.value).map_err(placed)?;
            // What has happened is never after now.
            if matches!((operator, time), ("<=", Time::Now(offset)) if offset >= 0) {
                continue;
            }
            let column = frame.column("time_").map_err(placed)?;
            let edge = ColumnExpr::new(time_expression(self.catalog, time), DataType::Time64Ns);
            let condition =
                self.binary(given.at, operator, &Value::Column(Box::new(column)), &Value::Column(Box::new(edge)));
            if let Value::Column(condition) = condition {
                frame = frame.filter(*condition).map_err(placed)?;
            }
        }
        if let Some(select) = bound[1].take().filter(|given| !matches!(given.value, Value::None)) {
            let names = select.value.texts().ok_or_else(|| Fault::new(select.at, "select is a list of columns"))?;
            if !names.is_empty() {
                frame = frame.keep(&names).map_err(|message| Fault::new(select.at, message))?;
            }
        }
        Ok(Value::Frame(frame))
    }

    fn table(&mut self, name: &str) -> Result<Frame, String> {
        let lineage = self.lineage();
        if let Some(table) = tables::by_name(name) {
            let reference = match name.split_once('.') {
                Some((schema, table)) => TableReference::partial(schema, table),
                None => TableReference::bare(name),
            };
            let plan = self.scan(reference)?;
            let columns = table.columns.iter().map(|column| Field::new(column.name, column.data_type, column.semantic));
            return Ok(Frame::new(lineage, plan, columns.collect()));
        }
        if let Some(columns) = trace::table_of(&self.tracepoints, name) {
            return empty(lineage, &columns);
        }
        let plan = self.scan(TableReference::bare(name)).map_err(|_| {
            let near = nearest(name, tables::ALL.iter().map(|table| table.name));
            format!("there is no table `{name}`{near}")
        })?;
        Frame::of_plan(lineage, plan)
    }

    fn scan(&self, reference: TableReference) -> Result<LogicalPlan, String> {
        // Tables are in memory, so this never waits.
        let provider = futures::executor::block_on(self.catalog.context.table_provider(reference.clone()));
        let source = provider_as_source(provider.map_err(planned)?);
        LogicalPlanBuilder::scan(reference, source, None).and_then(LogicalPlanBuilder::build).map_err(planned)
    }

    pub(super) fn table_function(
        &mut self,
        at: usize,
        name: &str,
        signature: &Signature,
        given: Vec<Given>,
    ) -> Result<Value, Fault> {
        let parameters: Vec<&str> = signature.parameters.iter().map(|(name, _)| name.as_str()).collect();
        let bound = self.bind(at, name, &parameters, 0, given)?;
        for ((_, wanted), argument) in signature.parameters.iter().zip(bound) {
            let Some(argument) = argument else { continue };
            let column = ColumnExpr::of_value(self.catalog, &argument.value);
            if column.is_none_or(|column| column.lineage.is_some() || column.data_type != *wanted) {
                let message = format!("px.{name} takes a constant {}, not {}", wanted.name(), argument.value.kind());
                return Err(Fault::new(argument.at, message));
            }
        }
        let lineage = self.lineage();
        let frame = match self.scan(TableReference::bare(format!("px_{name}"))) {
            Ok(plan) => Ok(Frame::new(lineage, plan, named_fields(&signature.columns))),
            Err(_) => empty(lineage, &signature.columns),
        };
        frame.map(Value::Frame).map_err(|message| Fault::new(at, message))
    }
}

/// A table without rows.
fn empty(lineage: u64, columns: &[(String, DataType)]) -> Result<Frame, String> {
    let fields: Vec<ArrowField> =
        columns.iter().map(|(name, kind)| ArrowField::new(name, kind.arrow(), false)).collect();
    let schema = DFSchema::try_from(Schema::new(fields)).map_err(planned)?;
    let plan = LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema: Arc::new(schema) });
    Ok(Frame::new(lineage, plan, named_fields(columns)))
}

fn named_fields(columns: &[(String, DataType)]) -> Vec<Field> {
    let semantic = |name: &str| match name {
        "upid" => Semantic::Upid,
        "asid" => Semantic::Asid,
        "time_" => Semantic::TimeNs,
        _ => Semantic::None,
    };
    columns.iter().map(|(name, kind)| Field::new(name, *kind, semantic(name))).collect()
}
