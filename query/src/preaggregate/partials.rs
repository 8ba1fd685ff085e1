//! Aggregates in two halves: below the joins over rows, above them over the halves.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, cast, lit, when};
use datafusion::prelude::ident;

use super::flatten::{Flat, is_right};
use crate::functions::quantile_of;
use crate::script::Catalog;

/// Name of a half that was made below.
pub(super) fn name(at: usize) -> String {
    format!("__part_{at}")
}

/// How an aggregate comes out of what was made above.
enum Finish {
    /// As it is.
    Plain(usize),
    /// Sum and count.
    Mean(usize, usize),
    /// Histogram, quantile and whether the value is an integer.
    Quantile(usize, f64, bool),
}

/// All aggregates of a group-by.
pub(super) struct Partials {
    /// Over the base's rows.
    pub(super) below: Vec<Expr>,
    /// Over the halves, named as [`name`] says; one each.
    pub(super) above: Vec<Expr>,
    finishes: Vec<Finish>,
    quantile: [Arc<datafusion::logical_expr::ScalarUDF>; 2],
}

impl Partials {
    /// `None` where an aggregate cannot be halved, or needs columns of the other sides.
    pub(super) fn of(catalog: &Catalog, group: &Aggregate, flat: &Flat) -> Result<Option<Partials>> {
        let (Some(integer), Some(float)) =
            (catalog.scalar("histogram_quantile"), catalog.scalar("histogram_quantile_float"))
        else {
            return Ok(None);
        };
        let mut partials =
            Partials { below: Vec::new(), above: Vec::new(), finishes: Vec::new(), quantile: [integer, float] };
        for (position, call) in group.aggr_expr.iter().enumerate() {
            let Expr::AggregateFunction(call) = call.clone().unalias() else { return Ok(None) };
            if call.params.distinct && !matches!(call.func.name(), "min" | "max") {
                return Ok(None);
            }
            let mut args = Vec::with_capacity(call.params.args.len());
            for argument in &call.params.args {
                args.push(flat.in_leaves(argument)?);
            }
            let filter = call.params.filter.as_deref().map(|filter| flat.in_leaves(filter)).transpose()?;
            if args.iter().chain(&filter).any(|e| e.column_refs().into_iter().any(is_right)) {
                return Ok(None);
            }
            let field = group.schema.field(group.group_expr.len() + position);
            let integer = field.data_type() == &DataType::Int64;
            if !partials.halve(catalog, &call, &args, filter.as_ref(), integer, flat)? {
                return Ok(None);
            }
        }
        Ok(Some(partials))
    }

    /// What is evaluated over the base's rows.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &Expr> {
        self.below.iter()
    }

    fn halve(
        &mut self,
        catalog: &Catalog,
        call: &AggregateFunction,
        args: &[Expr],
        filter: Option<&Expr>,
        integer: bool,
        flat: &Flat,
    ) -> Result<bool> {
        let of = |function: &str| catalog.aggregate(function);
        let (Some(sum), Some(count), Some(max), Some(histogram), Some(merge)) =
            (of("sum"), of("count"), of("max"), of("histogram"), of("merge_histogram"))
        else {
            return Ok(false);
        };
        let below = |function: &Arc<datafusion::logical_expr::AggregateUDF>, args: &[Expr]| {
            Expr::AggregateFunction(AggregateFunction::new_udf(
                Arc::clone(function),
                args.to_vec(),
                false,
                filter.cloned().map(Box::new),
                Vec::new(),
                None,
            ))
        };
        let finish = if let Some(quantile) = quantile_of(call) {
            let at = self.add(below(&histogram, &args[..1]), |half| merge.call(vec![half]));
            Finish::Quantile(at, quantile, integer)
        } else {
            if !call.params.order_by.is_empty() {
                return Ok(false);
            }
            match (call.func.name(), args) {
                ("count", [_]) => Finish::Plain(self.add(below(&count, args), |half| sum.call(vec![half]))),
                ("sum", [_]) => Finish::Plain(self.add(below(&sum, args), |half| sum.call(vec![half]))),
                ("avg", [value]) => {
                    let schema = flat.base.schema();
                    let kind = value.get_type(schema)?;
                    let wide = if kind.is_floating() { DataType::Float64 } else { DataType::Int64 };
                    let value = if kind == wide { value.clone() } else { cast(value.clone(), wide) };
                    let total = self.add(below(&sum, &[value]), |half| sum.call(vec![half]));
                    let rows = self.add(below(&count, args), |half| sum.call(vec![half]));
                    Finish::Mean(total, rows)
                }
                ("min" | "max", [_]) => {
                    let function = Arc::clone(&call.func);
                    Finish::Plain(self.add(below(&function, args), |half| function.call(vec![half])))
                }
                ("last", [_, order]) => {
                    let (function, order) = (Arc::clone(&call.func), below(&max, std::slice::from_ref(order)));
                    let newest = self.add(order, |half| max.call(vec![half]));
                    let newest = ident(name(newest));
                    Finish::Plain(self.add(below(&function, args), |half| function.call(vec![half, newest])))
                }
                ("histogram", [_]) => Finish::Plain(self.add(below(&histogram, args), |half| merge.call(vec![half]))),
                ("merge_histogram", [_]) => Finish::Plain(self.add(below(&merge, args), |half| merge.call(vec![half]))),
                _ => return Ok(false),
            }
        };
        self.finishes.push(finish);
        Ok(true)
    }

    /// Adds both halves, once.
    fn add(&mut self, below: Expr, above: impl FnOnce(Expr) -> Expr) -> usize {
        if let Some(at) = self.below.iter().position(|known| *known == below) {
            return at;
        }
        self.below.push(below);
        let at = self.below.len() - 1;
        self.above.push(above(ident(name(at))));
        at
    }

    /// The aggregates from the columns made above.
    pub(super) fn finished(&self, made: &[Column]) -> Result<Vec<Expr>> {
        let column = |at: usize| Expr::Column(made[at].clone());
        let finish = |finish: &Finish| {
            Ok(match finish {
                Finish::Plain(at) => column(*at),
                Finish::Mean(total, rows) => {
                    let mean = cast(column(*total), DataType::Float64) / cast(column(*rows), DataType::Float64);
                    when(column(*rows).gt(lit(0i64)), mean).end()?
                }
                Finish::Quantile(at, q, integer) => {
                    self.quantile[usize::from(!integer)].call(vec![column(*at), lit(*q)])
                }
            })
        };
        self.finishes.iter().map(finish).collect()
    }
}
