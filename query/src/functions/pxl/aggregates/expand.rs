//! The analyzer's rule that writes PxL's aggregates as others, with a projection above the group-by for what comes
//! after them.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction};
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, Expr, ExprSchemable, LogicalPlan, Projection, ScalarUDF, cast, lit, when,
};
use datafusion::optimizer::AnalyzerRule;

use super::{Meaning, Named, shown, stacks};

/// Comes after the types are coerced, so arguments have the types of an overload.
#[derive(Debug)]
pub(super) struct Expand {
    min: Option<Arc<AggregateUDF>>,
    max: Option<Arc<AggregateUDF>>,
    sum: Option<Arc<AggregateUDF>>,
    avg: Option<Arc<AggregateUDF>>,
    count: Option<Arc<AggregateUDF>>,
    last: Option<Arc<AggregateUDF>>,
    histogram: Option<Arc<AggregateUDF>>,
    lines: Option<Arc<AggregateUDF>>,
}

impl Expand {
    pub(super) fn new(state: &SessionState) -> Self {
        let of = |name: &str| state.aggregate_functions().get(name).cloned();
        Expand {
            min: of("min"),
            max: of("max"),
            sum: of("sum"),
            avg: of("avg"),
            count: of("count"),
            last: of("last"),
            histogram: of("histogram"),
            lines: of("lines"),
        }
    }

    fn expand(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(group) = &plan else { return Ok(Transformed::no(plan)) };
        if !group.aggr_expr.iter().any(|call| meaning_of(call).is_some()) {
            return Ok(Transformed::no(plan));
        }
        if let Some(call) = stacks::call_of(group)? {
            let (Some(sum), Some(lines)) = (&self.sum, &self.lines) else {
                return Err(DataFusionError::Plan("px_pprof has no implementation here".into()));
            };
            return Ok(Transformed::yes(stacks::folded(group, call, sum, lines)?));
        }
        let written = group.aggr_expr.iter().map(|call| self.written(call, group)).collect::<Result<Vec<_>>>()?;
        let (calls, after): (Vec<Expr>, Vec<After>) = written.into_iter().unzip();
        // Two of PxL's can be one of ours, which a group-by has once.
        let mut distinct: Vec<Expr> = Vec::new();
        calls.iter().for_each(|call| {
            if !distinct.contains(call) {
                distinct.push(call.clone())
            }
        });
        let inner = Aggregate::try_new(Arc::clone(&group.input), group.group_expr.clone(), distinct)?;
        let keys = group.schema.fields().len() - group.aggr_expr.len();
        let columns = group.schema.iter().enumerate().map(|(at, (qualifier, field))| {
            let Some(value) = at.checked_sub(keys) else { return Ok(Expr::Column((qualifier, field).into())) };
            let column = Expr::Column(datafusion::common::Column::from_name(calls[value].schema_name().to_string()));
            Ok(after[value].of(column)?.alias_qualified(qualifier.cloned(), field.name()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let inner = Arc::new(LogicalPlan::Aggregate(inner));
        Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(columns, inner)?)))
    }

    /// The aggregate that a call is written as, and what comes after it.
    fn written(&self, call: &Expr, group: &Aggregate) -> Result<(Expr, After)> {
        let Some((meaning, call)) = meaning_of(call) else { return Ok((call.clone(), After::Nothing)) };
        let Some(argument) = call.params.args.first().cloned() else {
            return Err(DataFusionError::Internal("an aggregate of PxL without an argument".into()));
        };
        let data_type = argument.get_type(group.input.schema().as_ref())?;
        let float = data_type == DataType::Float64;
        let number =
            if data_type == DataType::Boolean { cast(argument.clone(), DataType::Int64) } else { argument.clone() };
        let (function, arguments, after) = match meaning {
            Meaning::Smallest => {
                (&self.min, vec![argument], if float { After::AtMost(f64::MAX) } else { After::Nothing })
            }
            Meaning::Largest => {
                (&self.max, vec![argument], if float { After::AtLeast(f64::MIN_POSITIVE) } else { After::Nothing })
            }
            Meaning::Mean => (&self.avg, vec![number], After::Nothing),
            Meaning::Sum => (&self.sum, vec![number], After::Nothing),
            Meaning::Count => (&self.count, vec![argument], After::Nothing),
            Meaning::Quantiles => {
                let shown = if float { &shown::FLOAT_QUANTILES } else { &shown::INTEGER_QUANTILES };
                (&self.histogram, vec![argument], After::Call(Arc::clone(shown)))
            }
            Meaning::Sample => {
                let order = ScalarFunction::new_udf(Arc::clone(&shown::SAMPLE_ORDER), vec![argument.clone()]);
                (&self.last, vec![argument, Expr::ScalarFunction(order)], After::Nothing)
            }
            Meaning::Stacks => return Err(DataFusionError::Internal("stacks are a group-by of their own".into())),
            Meaning::Nothing => (&self.count, vec![argument], After::Empty),
        };
        let Some(function) = function else {
            return Err(DataFusionError::Plan(format!("{} has no implementation here", call.func.name())));
        };
        let mut call = call.clone();
        call.func = Arc::clone(function);
        call.params.args = arguments;
        Ok((Expr::AggregateFunction(call), after))
    }
}

pub(super) fn meaning_of(call: &Expr) -> Option<(Meaning, &AggregateFunction)> {
    let call = match call {
        Expr::AggregateFunction(call) => call,
        Expr::Alias(alias) => return meaning_of(&alias.expr),
        _ => return None,
    };
    let named: &dyn std::any::Any = call.func.inner().as_ref();
    Some((named.downcast_ref::<Named>()?.entry.meaning, call))
}

/// What becomes of an aggregate's value.
enum After {
    Nothing,
    AtLeast(f64),
    AtMost(f64),
    Call(Arc<ScalarUDF>),
    Empty,
}

impl After {
    fn of(&self, value: Expr) -> Result<Expr> {
        match self {
            After::Nothing => Ok(value),
            After::AtLeast(least) => when(value.clone().lt(lit(*least)), lit(*least)).otherwise(value),
            After::AtMost(most) => when(value.clone().gt(lit(*most)), lit(*most)).otherwise(value),
            After::Call(function) => {
                Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), vec![value])))
            }
            After::Empty => Ok(lit("")),
        }
    }
}

impl AnalyzerRule for Expand {
    fn name(&self) -> &str {
        "pxl_aggregates"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(|node| self.expand(node))?.data)
    }
}
