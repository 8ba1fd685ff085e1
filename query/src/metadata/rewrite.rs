//! Calls of metadata functions to joins: one join a look-up and key for all calls of a plan node.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchemaRef, JoinType};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    Case, Expr, Join, LogicalPlan, LogicalPlanBuilder, Operator, ScalarUDF, binary_expr, lit, when,
};
use datafusion::prelude::ident;
use watershed_model::DataType;

use super::functions::Means;
use super::lookups::Lookup;
use super::owner::OwnerAt;
use super::span::{SinceAt, SpanOf};
use super::{PREFIX, function_named};
use crate::prepare::{default_of, time_literal};
use crate::script::Catalog;

/// How spans of addresses are found in a group-by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spans {
    /// By a join with the changes of owners, as all facts are.
    Joined,
    /// By the scans below, to which `span_of` leaves it; whoever plans this makes sure that they can.
    Scanned,
}

/// Replaces all calls of metadata functions in a plan.
///
/// # Errors
/// Where a call stands in a node that has no single input, or in a join's condition and reads both sides.
pub(crate) fn join_facts(catalog: &Catalog, plan: LogicalPlan, spans: Spans) -> Result<LogicalPlan> {
    let mut joins = Joins { catalog, spans, count: 0 };
    Ok(plan.transform_up_with_subqueries(|node| joins.node(node))?.data)
}

struct Joins<'a> {
    catalog: &'a Catalog,
    spans: Spans,
    count: usize,
}

/// A join that was made: what was looked up by which key, and what the names of its columns begin with.
struct Made {
    lookup: Lookup,
    key: Expr,
    alias: String,
}

impl Joins<'_> {
    fn node(&mut self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let has_calls = |expression: &Expr| expression.exists(|inner| Ok(is_call(inner))).unwrap_or(false);
        if let LogicalPlan::Join(join) = node {
            return self.join(join);
        }
        let [input] = node.inputs()[..] else { return Ok(Transformed::no(node)) };
        if !node.expressions().iter().any(has_calls) {
            return Transformed::no(node).map_data(LogicalPlan::recompute_schema);
        }
        let (outer, named) = (input.schema().columns(), names_outputs(&node));
        let (mut input, mut made) = (input.clone(), Vec::new());
        let mut expressions = Vec::new();
        if matches!(node, LogicalPlan::Aggregate(_)) {
            return self.group(&node, input);
        }
        for expression in node.expressions() {
            let name = expression.name_for_alias()?;
            let replaced = self.expression(expression, &mut input, &mut made)?;
            expressions.push(if named { replaced.alias_if_changed(name)? } else { replaced });
        }
        let rewritten = node.with_new_exprs(expressions, vec![input])?;
        if named {
            return Ok(Transformed::yes(rewritten));
        }
        // What only passes rows on shows no more columns than before.
        let shown = outer.into_iter().map(Expr::Column);
        Ok(Transformed::yes(LogicalPlanBuilder::from(rewritten).project(shown)?.build()?))
    }

    /// A group-by reads what calls tell as columns made below it: the optimiser knows `count(DISTINCT …)` of a column
    /// only. What it makes is named above it.
    fn group(&mut self, node: &LogicalPlan, input: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let (outputs, mut input, mut made) = (Arc::clone(node.schema()), input, Vec::new());
        let (mut expressions, mut told) = (Vec::new(), Vec::new());
        for expression in node.expressions() {
            let replaced = expression.transform_down(|inner| {
                if !is_call(&inner) {
                    return Ok(Transformed::no(inner));
                }
                if let Some(span) = self.scanned(&inner) {
                    return Ok(Transformed::new(span, true, TreeNodeRecursion::Jump));
                }
                self.count += 1;
                let name = format!("told_{}", self.count);
                told.push(self.expression(inner, &mut input, &mut made)?.alias(&name));
                Ok(Transformed::new(ident(name), true, TreeNodeRecursion::Jump))
            })?;
            expressions.push(replaced.data);
        }
        let columns = input.schema().columns().into_iter().map(Expr::Column).chain(told).collect::<Vec<_>>();
        let input = LogicalPlanBuilder::from(input).project(columns)?.build()?;
        let rewritten = node.with_new_exprs(expressions, vec![input])?;
        let columns = rewritten.schema().columns().into_iter().map(Expr::Column);
        let names = columns
            .zip(outputs.iter())
            .map(|(column, (relation, field))| column.alias_qualified(relation.cloned(), field.name()))
            .collect::<Vec<_>>();
        Ok(Transformed::yes(LogicalPlanBuilder::from(rewritten).project(names)?.build()?))
    }

    /// A call that is left to the scans below.
    fn scanned(&self, call: &Expr) -> Option<Expr> {
        let (name, arguments) = call_of(call)?;
        let nested = arguments.iter().any(|argument| argument.exists(|inner| Ok(is_call(inner))).unwrap_or(true));
        let means = &function_named(&name)?.means;
        let left = *means == Means::Since && self.spans == Spans::Scanned && arguments.len() == 2 && !nested;
        left.then(|| ScalarUDF::from(SpanOf::new()).call(arguments))
    }

    /// What to ask for an owner by: one had the address for all of a span, and a group-by of spans is smaller than one of
    /// times.
    fn owner_time(&self, key: &Expr, time: Expr) -> Expr {
        match &time {
            Expr::Column(column) if column.name == "time_" && self.spans == Spans::Scanned => {
                ScalarUDF::from(SpanOf::new()).call(vec![key.clone(), time])
            }
            _ => time,
        }
    }

    /// A join whose condition has calls: facts are joined to the side whose columns are the arguments.
    fn join(&mut self, join: Join) -> Result<Transformed<LogicalPlan>> {
        let has_calls = |expression: &Expr| expression.exists(|inner| Ok(is_call(inner))).unwrap_or(false);
        let Some(filter) = join.filter.clone().filter(has_calls) else {
            return Transformed::no(LogicalPlan::Join(join)).map_data(LogicalPlan::recompute_schema);
        };
        let shown: Vec<Expr> = join.schema.columns().into_iter().map(Expr::Column).collect();
        let schemas = [Arc::clone(join.left.schema()), Arc::clone(join.right.schema())];
        let mut inputs = [join.left.as_ref().clone(), join.right.as_ref().clone()];
        let mut made = [Vec::new(), Vec::new()];
        let filter = filter.transform_down(|inner| {
            if !is_call(&inner) {
                return Ok(Transformed::no(inner));
            }
            let within = |schema: &DFSchemaRef| inner.column_refs().iter().all(|column| schema.has_column(column));
            let Some(side) = schemas.iter().position(within) else {
                return Err(DataFusionError::Plan(format!("{inner} reads columns of both sides of a join")));
            };
            let told = self.expression(inner, &mut inputs[side], &mut made[side])?;
            Ok(Transformed::new(told, true, TreeNodeRecursion::Jump))
        })?;
        let [left, right] = inputs;
        let joined = Join::try_new(
            Arc::new(left),
            Arc::new(right),
            join.on,
            Some(filter.data),
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?;
        Ok(Transformed::yes(LogicalPlanBuilder::from(LogicalPlan::Join(joined)).project(shown)?.build()?))
    }

    /// The expression without calls; innermost calls are joined first, so that their results can be keys.
    fn expression(&mut self, expression: Expr, input: &mut LogicalPlan, made: &mut Vec<Made>) -> Result<Expr> {
        let replaced = expression.transform_up(|inner| {
            let Some((name, mut arguments)) = call_of(&inner) else { return Ok(Transformed::no(inner)) };
            let function = function_named(&name).expect("only known functions are calls");
            let key = arguments.remove(0);
            let value = match function.means {
                Means::Column(lookup, column) => self.column(lookup, key, column, function.result, input, made)?,
                Means::Owner(lookup) => match arguments.pop() {
                    None => self.column(lookup, key, "id", function.result, input, made)?,
                    Some(time) => {
                        let time = self.owner_time(&key, time);
                        let owners = self.column(lookup, key, "owners", function.result, input, made)?;
                        ScalarUDF::from(OwnerAt::new()).call(vec![owners, time])
                    }
                },
                Means::Since => {
                    let spans = self.column(Lookup::AddressSpans, key, "spans", DataType::String, input, made)?;
                    let time = arguments.pop().unwrap_or_else(|| time_literal(i64::MAX));
                    ScalarUDF::from(SinceAt::new()).call(vec![spans, time])
                }
                Means::Of(outer, inner) => {
                    arguments.insert(0, key);
                    let call = self.call(outer, vec![self.call(inner, arguments)?])?;
                    self.expression(call, input, made)?
                }
                Means::ContainerName => {
                    let (column, result) = ("container_name", function.result);
                    let in_pod = self.column(Lookup::UpidToPod, key.clone(), column, result, input, made)?;
                    let on_machine = self.column(Lookup::Process, key, column, result, input, made)?;
                    when(in_pod.clone().not_eq(lit("")), in_pod).otherwise(on_machine)?
                }
                Means::PodOrAddress => {
                    let by_process = self.call("upid_to_pod_name", vec![key])?;
                    if arguments.is_empty() {
                        arguments.push(lit(""));
                    }
                    let by_address = self.call("ip_to_pod_name", arguments)?;
                    let call = when(by_process.clone().not_eq(lit("")), by_process).otherwise(by_address)?;
                    self.expression(call, input, made)?
                }
                Means::BestName | Means::BestKind => {
                    let call = self.best(&key, &arguments, function.means == Means::BestKind)?;
                    self.expression(call, input, made)?
                }
                Means::Nothing => empty(function.result),
            };
            Ok(Transformed::yes(value))
        })?;
        Ok(replaced.data)
    }

    fn column(
        &mut self,
        lookup: Lookup,
        key: Expr,
        column: &str,
        result: DataType,
        input: &mut LogicalPlan,
        made: &mut Vec<Made>,
    ) -> Result<Expr> {
        let known = made.iter().find(|join| join.lookup == lookup && join.key == key);
        let alias = match known {
            Some(join) => join.alias.clone(),
            None => {
                self.count += 1;
                let alias = format!("fact_{}", self.count);
                let facts = self.catalog.facts.plan(lookup);
                // Names of their own: columns of the input may have any other.
                let columns = facts.schema().columns().into_iter();
                let own = columns.map(|column| {
                    let name = own_name(&alias, &column.name);
                    Expr::Column(column).alias(name)
                });
                let facts = LogicalPlanBuilder::from(facts).project(own.collect::<Vec<_>>())?.build()?;
                let its_key = ident(own_name(&alias, "key"));
                let mut left = std::mem::replace(input, LogicalPlanBuilder::empty(false).build()?);
                let mut asked = key.clone();
                if key.column_refs().is_empty() {
                    // A join's key must be of its input.
                    asked = ident(own_name(&alias, "asked"));
                    let columns = left.schema().columns().into_iter().map(Expr::Column);
                    let columns = columns.chain([key.clone().alias(own_name(&alias, "asked"))]).collect::<Vec<_>>();
                    left = LogicalPlanBuilder::from(left).project(columns)?.build()?;
                }
                *input = LogicalPlanBuilder::from(left)
                    .join_with_expr_keys(facts, JoinType::Left, (vec![asked], vec![its_key]), None)?
                    .build()?;
                made.push(Made { lookup, key, alias: alias.clone() });
                alias
            }
        };
        let found = ident(own_name(&alias, column));
        Ok(datafusion::functions::core::coalesce().call(vec![found, empty(result)]))
    }

    /// The best name known, or what it is of: service, pod and process by upid, then by address, at a time if there is
    /// one, then the address.
    fn best(&self, upid: &Expr, address: &[Expr], kind: bool) -> Result<Expr> {
        let of_process = |name: &str| self.call(name, vec![upid.clone()]);
        let first = |names: Expr| self.call("first_name", vec![names]);
        let (services, pod) = (of_process("upid_to_service_name")?, of_process("upid_to_pod_name")?);
        let process = of_process("upid_to_process_name")?;
        let at = |left, right| binary_expr(left, Operator::StringConcat, right);
        let at_host = at(at(process.clone(), lit("@")), of_process("upid_to_hostname")?);
        let mut names = vec![
            (services.clone().not_eq(lit("")), first(services)?, "service"),
            (pod.clone().not_eq(lit("")), pod, "pod"),
            (process.not_eq(lit("")), at_host, "process"),
        ];
        let mut last = "process";
        if let Some(text) = address.first() {
            let of_address = |name: &str| self.call(name, address.to_vec());
            let (service, pod) = (of_address("ip_to_service_name")?, of_address("ip_to_pod_name")?);
            let services = self.call("pod_id_to_service_name", vec![of_address("ip_to_pod_id")?])?;
            last = "address";
            names.extend([
                (service.clone().not_eq(lit("")), service, "service"),
                (services.clone().not_eq(lit("")), first(services)?, "service"),
                (pod.clone().not_eq(lit("")), pod, "pod"),
                (text.clone().not_eq(lit("-")), text.clone(), last),
            ]);
        }
        let branches =
            names.into_iter().map(|(known, name, of)| (Box::new(known), Box::new(if kind { lit(of) } else { name })));
        let otherwise = lit(if kind { last } else { "unknown" });
        Ok(Expr::Case(Case::new(None, branches.collect(), Some(Box::new(otherwise)))))
    }

    fn call(&self, name: &str, arguments: Vec<Expr>) -> Result<Expr> {
        let function: Arc<ScalarUDF> = self
            .catalog
            .scalar(&format!("{PREFIX}{name}"))
            .ok_or_else(|| DataFusionError::Plan(format!("{name} is not known")))?;
        Ok(function.call(arguments))
    }
}

fn own_name(alias: &str, column: &str) -> String {
    format!("{alias}_{column}")
}

/// Whether a node's expressions make its columns, rather than choose among its rows.
fn names_outputs(node: &LogicalPlan) -> bool {
    matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_))
}

fn is_call(expression: &Expr) -> bool {
    matches!(expression, Expr::ScalarFunction(call) if function_named(call.func.name()).is_some())
}

fn call_of(expression: &Expr) -> Option<(String, Vec<Expr>)> {
    let Expr::ScalarFunction(call) = expression else { return None };
    function_named(call.func.name())?;
    Some((call.func.name().to_owned(), call.args.clone()))
}

/// What stands for a fact that is not known.
fn empty(data_type: DataType) -> Expr {
    default_of(&data_type.arrow()).map_or_else(|| ident("key"), |value| Expr::Literal(value, None))
}
