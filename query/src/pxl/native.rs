//! Operators and functions that DataFusion has with the same semantics; its optimiser knows what these mean.
//! PxL divides as floats, compares floats within an epsilon, and takes integers for truth values.

use arrow::datatypes::DataType as ArrowType;
use datafusion::common::tree_node::TreeNode as _;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, cast, lit};
use watershed_model::DataType;

use super::column::ColumnExpr;
use crate::script::Catalog;

/// Expression and type of a call; `None` if it is to be called as a function.
pub(super) fn call(catalog: &Catalog, name: &str, arguments: &[ColumnExpr]) -> Option<(Expr, DataType)> {
    match arguments {
        [left, right] => binary(catalog, name, left, right),
        [operand] => unary(name, operand),
        _ => None,
    }
}

fn unary(name: &str, operand: &ColumnExpr) -> Option<(Expr, DataType)> {
    let expr = operand.expr.clone();
    Some(match (name, operand.data_type) {
        ("negate", DataType::Int64) => (on(lit(0_i64), Operator::Minus, expr), DataType::Int64),
        ("negate", DataType::Float64) => (on(lit(-1.0), Operator::Multiply, expr), DataType::Float64),
        ("invert", DataType::Int64) => (on(expr, Operator::BitwiseXor, lit(-1_i64)), DataType::Int64),
        ("logicalNot", DataType::Boolean | DataType::Int64) => {
            (Expr::Not(Box::new(truth(operand)?)), DataType::Boolean)
        }
        ("time_to_int64", DataType::Time64Ns) => (cast(expr, ArrowType::Int64), DataType::Int64),
        ("int64_to_time", DataType::Int64) => (cast(expr, DataType::Time64Ns.arrow()), DataType::Time64Ns),
        _ => return None,
    })
}

fn binary(catalog: &Catalog, name: &str, left: &ColumnExpr, right: &ColumnExpr) -> Option<(Expr, DataType)> {
    use DataType::{Boolean, Float64, Int64, String, Time64Ns};
    let types = (left.data_type, right.data_type);
    let as_type = |column: &ColumnExpr, to| column.clone().converted(to);
    let both = |operator, to| on(as_type(left, to), operator, as_type(right, to));
    let number = |operator| match types {
        (Int64, Int64) => Some((both(operator, Int64), Int64)),
        (Int64 | Float64, Int64 | Float64) => Some((both(operator, Float64), Float64)),
        _ => None,
    };
    match name {
        "add" => match types {
            (String, String) => Some((both(Operator::StringConcat, String), String)),
            (Time64Ns, Int64) => Some((moved(left, right, Operator::Plus), Time64Ns)),
            (Int64, Time64Ns) => Some((moved(right, left, Operator::Plus), Time64Ns)),
            _ => number(Operator::Plus),
        },
        "subtract" => match types {
            (Time64Ns, Int64) => Some((moved(left, right, Operator::Minus), Time64Ns)),
            (Time64Ns, Time64Ns) | (Int64, Time64Ns) => Some((both(Operator::Minus, Int64), Int64)),
            _ => number(Operator::Minus),
        },
        "multiply" => number(Operator::Multiply),
        "divide" => match types {
            (Int64 | Float64 | Time64Ns, Int64 | Float64 | Time64Ns) => {
                let float = |column: &ColumnExpr| match column.data_type {
                    Time64Ns => cast(as_type(column, Int64), ArrowType::Float64),
                    _ => as_type(column, Float64),
                };
                Some((on(float(left), Operator::Divide, float(right)), Float64))
            }
            _ => None,
        },
        "logicalAnd" => Some((on(truth(left)?, Operator::And, truth(right)?), Boolean)),
        "logicalOr" => Some((on(truth(left)?, Operator::Or, truth(right)?), Boolean)),
        "equal" | "approxEqual" => equality(left, right).map(|expr| (expr, Boolean)),
        "notEqual" => {
            let equal = equality(left, right)?;
            let expr = match equal {
                Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => on(*left, Operator::NotEq, *right),
                other => Expr::Not(Box::new(other)),
            };
            Some((expr, Boolean))
        }
        "lessThan" => order(catalog, Operator::Lt, left, right),
        "lessThanEqual" => order(catalog, Operator::LtEq, left, right),
        "greaterThan" => order(catalog, Operator::Gt, left, right),
        "greaterThanEqual" => order(catalog, Operator::GtEq, left, right),
        _ => None,
    }
}

/// An order of two values; floats are left to the functions, where NaN is neither less nor greater.
fn order(catalog: &Catalog, operator: Operator, left: &ColumnExpr, right: &ColumnExpr) -> Option<(Expr, DataType)> {
    use DataType::{Float64, Int64, String, Time64Ns};
    let common = match (left.data_type, right.data_type) {
        (Int64, Int64) => Int64,
        (String, String) => String,
        (Time64Ns, Time64Ns | Int64) | (Int64, Time64Ns) => Time64Ns,
        (Int64 | Float64, Int64 | Float64) if catalog.scalar("px_lessThan").is_none() => Float64,
        _ => return None,
    };
    let expr = on(left.clone().converted(common), operator, right.clone().converted(common));
    Some((expr, DataType::Boolean))
}

fn equality(left: &ColumnExpr, right: &ColumnExpr) -> Option<Expr> {
    use DataType::{Boolean, Float64, Int64, Time64Ns};
    let common = match (left.data_type, right.data_type) {
        (same, other) if same == other => same,
        (Int64, Boolean) | (Boolean, Int64) => Int64,
        (Int64, Float64) | (Float64, Int64) => Float64,
        (Time64Ns, Int64) | (Int64, Time64Ns) => Time64Ns,
        _ => return None,
    };
    let (left, right) = (left.clone().converted(common), right.clone().converted(common));
    if common != Float64 {
        return Some(on(left, Operator::Eq, right));
    }
    let difference = on(left, Operator::Minus, right);
    let below = on(difference.clone(), Operator::Lt, lit(f64::EPSILON));
    Some(on(below, Operator::And, on(difference, Operator::Gt, lit(-f64::EPSILON))))
}

/// Longest interval: a century.
const INTERVAL_NS_MAX: u64 = 100 * 365 * 86_400 * 1_000_000_000;

/// A time, so many nanoseconds later or earlier. From `now()` by a constant it is an interval, which windows are known
/// by; sums of intervals fail where those of numbers wrap around.
fn moved(time: &ColumnExpr, by: &ColumnExpr, operator: Operator) -> Expr {
    use datafusion::scalar::ScalarValue;
    let is_now = |part: &Expr| Ok(matches!(part, Expr::ScalarFunction(call) if call.func.name() == "now"));
    if let Expr::Literal(ScalarValue::Int64(Some(nanoseconds)), _) = &by.expr
        && time.expr.exists(is_now).unwrap_or_default()
        && nanoseconds.unsigned_abs() <= INTERVAL_NS_MAX
    {
        return on(time.expr.clone(), operator, lit(ScalarValue::new_interval_mdn(0, 0, *nanoseconds)));
    }
    let sum = on(time.clone().converted(DataType::Int64), operator, by.expr.clone());
    cast(sum, DataType::Time64Ns.arrow())
}

/// A truth value; an integer is true unless it is 0.
fn truth(column: &ColumnExpr) -> Option<Expr> {
    match column.data_type {
        DataType::Boolean => Some(column.expr.clone()),
        DataType::Int64 => Some(on(column.expr.clone(), Operator::NotEq, lit(0_i64))),
        DataType::Float64 | DataType::String | DataType::Time64Ns | DataType::Uint128 => None,
    }
}

fn on(left: Expr, operator: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)))
}
