//! Column expressions: a DataFusion expression over one frame's columns, with its PxL type and meaning.

use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::scalar::ScalarValue;
use watershed_model::{DataType, Semantic};

use super::value::{Time, Value};
use crate::script::Catalog;

/// An expression that can be made a column of a frame.
#[derive(Debug, Clone)]
pub(super) struct ColumnExpr {
    pub(super) expr: Expr,
    pub(super) data_type: DataType,
    pub(super) semantic: Semantic,
    /// What of the cluster it names, such as `pod_id`.
    pub(super) key: Option<&'static str>,
    /// The frame whose columns it reads; `None` for a constant.
    pub(super) lineage: Option<u64>,
}

impl ColumnExpr {
    pub(super) fn new(expr: Expr, data_type: DataType) -> Self {
        ColumnExpr { expr, data_type, semantic: Semantic::None, key: None, lineage: None }
    }

    /// A constant as a column; `None` for what no column can hold.
    pub(super) fn of_value(catalog: &Catalog, value: &Value) -> Option<Self> {
        Some(match value {
            Value::Column(column) => column.as_ref().clone(),
            Value::Bool(value) => Self::new(lit(*value), DataType::Boolean),
            Value::Int(value) => Self::new(lit(*value), DataType::Int64),
            Value::Float(value) => Self::new(lit(*value), DataType::Float64),
            Value::Text(value) => Self::new(lit(value.as_str()), DataType::String),
            Value::Time(time) => Self::new(time_expression(catalog, *time), DataType::Time64Ns),
            _ => return None,
        })
    }

    /// The value of an expression that reads nothing, if it can be worked out.
    pub(super) fn folded(self) -> Value {
        let constant = match &self.expr {
            Expr::Literal(value, _) => Some(value.clone()),
            _ => None,
        };
        match constant {
            Some(ScalarValue::Boolean(Some(value))) => Value::Bool(value),
            Some(ScalarValue::Int64(Some(value))) => Value::Int(value),
            Some(ScalarValue::Float64(Some(value))) => Value::Float(value),
            Some(ScalarValue::Utf8(Some(value))) => Value::Text(value),
            Some(ScalarValue::TimestampNanosecond(Some(value), _)) => Value::Time(Time::At(value)),
            _ => Value::Column(Box::new(self)),
        }
    }

    /// The same values as another type, where PxL converts by itself.
    pub(super) fn converted(self, to: DataType) -> Expr {
        if self.data_type == to {
            return self.expr;
        }
        match (&self.expr, to) {
            (Expr::Literal(ScalarValue::Int64(Some(value)), _), DataType::Float64) => lit(*value as f64),
            (Expr::Literal(ScalarValue::Int64(Some(value)), _), DataType::Time64Ns) => {
                crate::prepare::time_literal(*value)
            }
            _ => cast(self.expr, to.arrow()),
        }
    }
}

/// `now()` stays a call, so that it moves with a view.
pub(super) fn time_expression(catalog: &Catalog, time: Time) -> Expr {
    let offset = match time {
        Time::At(nanoseconds) => return crate::prepare::time_literal(nanoseconds),
        Time::Now(offset) => offset,
    };
    let now = catalog.scalar("now").map_or_else(|| lit(ScalarValue::Null), |now| now.call(Vec::new()));
    let interval = |nanoseconds: i64| lit(ScalarValue::new_interval_mdn(0, 0, nanoseconds));
    match offset {
        0 => now,
        later if later > 0 => now + interval(later),
        earlier => now - interval(earlier.saturating_neg()),
    }
}
