//! `groupby` and `agg`.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::logical_expr::{AggregateUDF, Expr, LogicalPlanBuilder, ScalarUDF};
use datafusion::prelude::lit;
use watershed_model::{DataType, Semantic};

use super::{Field, Frame, builder, planned};

/// One output of an `agg`.
pub(in super::super) struct AggregateCall {
    pub(in super::super) output: String,
    pub(in super::super) function: Arc<AggregateUDF>,
    pub(in super::super) arguments: Vec<Expr>,
    pub(in super::super) data_type: DataType,
    pub(in super::super) semantic: Semantic,
}

impl Frame {
    /// Groups by columns and aggregates; a rolling window adds its bins of `time_` as the first key.
    pub(in super::super) fn aggregate(
        &self,
        lineage: u64,
        keys: &[String],
        calls: Vec<AggregateCall>,
        bin: Option<&Arc<ScalarUDF>>,
    ) -> Result<Self, String> {
        let mut frame = self.flushed()?;
        let mut keys = keys.to_vec();
        if let (Some(width_ns), Some(bin)) = (self.data.rolling_ns, bin) {
            let time = frame.column("time_")?;
            let binned = bin.call(vec![time.expr.clone(), lit(width_ns)]);
            frame = frame.assign("time_", super::ColumnExpr { expr: binned, ..time })?.flushed()?;
            keys.retain(|key| key != "time_");
            keys.insert(0, "time_".into());
        }
        let mut columns = Vec::with_capacity(keys.len() + calls.len());
        for key in &keys {
            columns.push(frame.known(key)?.as_planned());
        }
        if columns.is_empty() && calls.is_empty() {
            return Err("agg without groupby needs at least one value, such as n=('time_', px.count)".into());
        }
        let mut aggregates = Vec::with_capacity(calls.len());
        for call in calls {
            if columns.iter().any(|column| column.name == call.output) {
                return Err(format!("there would be two columns `{}`", call.output));
            }
            columns.push(Field::new(&call.output, call.data_type, call.semantic));
            aggregates.push(call.function.call(call.arguments).alias(call.output));
        }
        let groups: Vec<Expr> = keys.iter().map(|key| Expr::Column(Column::new_unqualified(key))).collect();
        let plan =
            builder(&frame).aggregate(groups, aggregates).and_then(LogicalPlanBuilder::build).map_err(planned)?;
        let mut made = frame.successor(lineage, plan, columns, frame.data.extent.plus(1))?;
        std::rc::Rc::make_mut(&mut made.data).rolling_ns = None;
        Ok(made)
    }
}
