//! Columns that SQL can name on every relation with a `upid` though they are not stored: a name that nothing has is
//! written as the metadata function that tells it. What is stored, or made by the query, always goes first.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, SchemaError, TableReference};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Select, SelectItem, Spanned, Statement as SqlStatement, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Most places of a statement that can name a virtual column.
const PLACES_MAX: usize = 200;

/// A column that is not stored, and what tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VirtualColumn {
    /// As SQL names it.
    pub name: &'static str,
    /// One sentence for `table show`.
    pub doc: &'static str,
    told_by: ToldBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ToldBy {
    /// A function of `upid`.
    Process(&'static str),
    /// Functions of `remote_upid` and of `remote_addr`; the first that knows it.
    Remote(&'static str, &'static str),
}

const fn of_process(name: &'static str, function: &'static str, doc: &'static str) -> VirtualColumn {
    VirtualColumn { name, doc, told_by: ToldBy::Process(function) }
}

const fn of_remote(
    name: &'static str,
    process: &'static str,
    address: &'static str,
    doc: &'static str,
) -> VirtualColumn {
    VirtualColumn { name, doc, told_by: ToldBy::Remote(process, address) }
}

/// All of them.
pub const VIRTUAL_COLUMNS: [VirtualColumn; 8] = [
    of_process("pod", "px_upid_to_pod_name", "`namespace/name` of the process's pod."),
    of_process("service", "px_upid_to_service_name", "`namespace/name` of the pod's service; a JSON array of several."),
    of_process("namespace", "px_upid_to_namespace", "Namespace of the pod."),
    of_process("node", "px_upid_to_node_name", "Node that the pod runs on."),
    of_process("container", "px_upid_to_container_name", "Name of the container."),
    of_process("cmdline", "px_upid_to_cmdline", "Command line of the process."),
    of_remote("remote_pod", "px_upid_to_pod_name", "px_ip_to_pod_name", "The pod at the other end."),
    of_remote("remote_service", "px_upid_to_service_name", "px_ip_to_service_name", "The service at the other end."),
];

/// Plans a statement; each name that is not found is tried as a virtual column.
pub(crate) fn plan(state: &SessionState, statement: Statement) -> Result<LogicalPlan, DataFusionError> {
    let mut statement = statement;
    for _ in 0..PLACES_MAX {
        // Tables are in memory, so planning never waits.
        let planned = futures::executor::block_on(state.statement_to_plan(statement.clone()));
        let error = match planned.map(|plan| (not_found_in_order(&plan), plan)) {
            Ok((None, plan)) => return Ok(plan),
            Ok((Some(error), _)) | Err(error) => error,
        };
        let Statement::Statement(sql) = &mut statement else { return Err(error) };
        let Some(missing) = missing(&error) else { return Err(error) };
        let told = missing.told().map_err(DataFusionError::Plan)?;
        if !told.is_some_and(|told| replace(sql, &missing, told)) {
            return Err(error);
        }
    }
    Err(DataFusionError::Plan(format!("the statement names virtual columns in more than {PLACES_MAX} places")))
}

/// The planner lets an ORDER BY pass that names what its relation has not; the error that it should have been.
fn not_found_in_order(plan: &LogicalPlan) -> Option<DataFusionError> {
    let mut missing = None;
    let _ = plan.apply_with_subqueries(|node| {
        let LogicalPlan::Sort(sort) = node else { return Ok(TreeNodeRecursion::Continue) };
        let references = sort.expr.iter().flat_map(|key| key.expr.column_refs());
        let found = |column: &&Column| sort.input.schema().has_column(column);
        let Some(column) = references.into_iter().find(|column| !found(column)) else {
            return Ok(TreeNodeRecursion::Continue);
        };
        let mut valid_fields = Vec::new();
        sort.input.apply(|below| {
            valid_fields.extend(below.schema().columns());
            Ok(TreeNodeRecursion::Continue)
        })?;
        let not_found = SchemaError::FieldNotFound { field: Box::new(column.clone()), valid_fields };
        missing = Some(DataFusionError::SchemaError(Box::new(not_found), Box::new(None)));
        Ok(TreeNodeRecursion::Stop)
    });
    missing
}

/// A name that the planner did not find: where it stands, and what it could have been.
struct Missing<'a> {
    column: VirtualColumn,
    relation: Option<&'a TableReference>,
    /// Line and column of its beginning.
    at: (u64, u64),
    known: &'a [Column],
}

fn missing(error: &DataFusionError) -> Option<Missing<'_>> {
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let DataFusionError::SchemaError(schema_error, _) = error.find_root() else { return None };
    let SchemaError::FieldNotFound { field, valid_fields } = schema_error.as_ref() else { return None };
    let start = span.or_else(|| field.spans().first())?.start;
    let column = VIRTUAL_COLUMNS.into_iter().find(|column| column.name == field.name)?;
    Some(Missing { column, relation: field.relation.as_ref(), at: (start.line, start.column), known: valid_fields })
}

impl Missing<'_> {
    /// The expression that tells it; `None` if nothing there could.
    fn told(&self) -> Result<Option<Expr>, String> {
        let text = match self.column.told_by {
            ToldBy::Process(function) => self.source("upid")?.map(|upid| format!("{function}({upid})")),
            ToldBy::Remote(process, address) => {
                let by_process = self.source("remote_upid")?.map(|upid| format!("{process}({upid})"));
                let time = self.source("time_")?.map(|time| format!(", {time}")).unwrap_or_default();
                let by_address = self.source("remote_addr")?.map(|addr| format!("{address}({addr}{time})"));
                match (by_process, by_address) {
                    (Some(process), Some(address)) => {
                        Some(format!("CASE WHEN {process} <> '' THEN {process} ELSE {address} END"))
                    }
                    (one, other) => one.or(other),
                }
            }
        };
        let parsed =
            |text: String| Parser::new(&GenericDialect {}).try_with_sql(&text).and_then(|mut p| p.parse_expr());
        text.map(parsed).transpose().map_err(|error| error.to_string())
    }

    /// The stored column that tells it, as SQL.
    fn source(&self, name: &str) -> Result<Option<String>, String> {
        let fits = |column: &&Column| {
            column.name == name && self.relation.is_none_or(|relation| column.relation.as_ref() == Some(relation))
        };
        let found: BTreeSet<String> = self.known.iter().filter(fits).map(Column::quoted_flat_name).collect();
        if found.len() > 1 {
            let relations = self.known.iter().filter(fits).filter_map(|column| column.relation.as_ref());
            let choices: BTreeSet<_> = relations.map(|relation| format!("{relation}.{}", self.column.name)).collect();
            let choices = choices.into_iter().collect::<Vec<_>>().join(" or ");
            return Err(format!("{} could be of several relations; write {choices}", self.column.name));
        }
        Ok(found.into_iter().next())
    }
}

/// Puts an expression where the name stands; whether it was found there.
fn replace(statement: &mut SqlStatement, missing: &Missing<'_>, told: Expr) -> bool {
    let mut replacer = Replacer { at: missing.at, name: missing.column.name, told: Some(told) };
    let _ = statement.visit(&mut replacer);
    replacer.told.is_none()
}

struct Replacer {
    at: (u64, u64),
    name: &'static str,
    /// What is put there; taken when it is.
    told: Option<Expr>,
}

impl Replacer {
    fn is_there(&self, expression: &Expr) -> bool {
        let names = |ident: &Ident| ident.value.eq_ignore_ascii_case(self.name);
        let named = match expression {
            Expr::Identifier(ident) => names(ident),
            Expr::CompoundIdentifier(idents) => idents.last().is_some_and(names),
            _ => false,
        };
        let start = expression.span().start;
        named && (start.line, start.column) == self.at
    }
}

impl VisitorMut for Replacer {
    type Break = ();

    /// A column that is selected as it is keeps its name.
    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            let SelectItem::UnnamedExpr(expression) = item else { continue };
            if self.is_there(expression)
                && let Some(expr) = self.told.take()
            {
                *item = SelectItem::ExprWithAlias { expr, alias: Ident::new(self.name) };
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if !self.is_there(expression) {
            return ControlFlow::Continue(());
        }
        if let Some(told) = self.told.take() {
            *expression = told;
        }
        ControlFlow::Break(())
    }
}

#[cfg(test)]
mod tests;
