//! Predicates on an event table's `time_` relative to `now()`: taken out of a filter and made a [`Window`].

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::Column;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, TableScan};
use datafusion::scalar::ScalarValue;
use watershed_model::{Kind, Table, tables};

use crate::execute::known_name;
use crate::prepare::{is_now, time_literal};
use crate::view::Window;

const MILLISECOND: i64 = 1_000_000;
/// Widths that a pane can have.
const PANES_NS: [i64; 14] = [
    100 * MILLISECOND,
    200 * MILLISECOND,
    500 * MILLISECOND,
    1_000 * MILLISECOND,
    2_000 * MILLISECOND,
    5_000 * MILLISECOND,
    10_000 * MILLISECOND,
    30_000 * MILLISECOND,
    60_000 * MILLISECOND,
    120_000 * MILLISECOND,
    300_000 * MILLISECOND,
    600_000 * MILLISECOND,
    1_800_000 * MILLISECOND,
    3_600_000 * MILLISECOND,
];
/// Panes that a window has at least, if the narrowest pane allows.
const PANES_MIN: i64 = 300;

/// The table that a scan reads, if it is one of the model's.
pub(crate) fn table_of(scan: &TableScan) -> Option<&'static Table> {
    tables::by_name(&known_name(&scan.table_name))
}

/// The event table's scan under a node, if the node is one.
pub(crate) fn event_scan(plan: &LogicalPlan) -> Option<(&TableScan, &'static Table)> {
    let LogicalPlan::TableScan(scan) = plan else { return None };
    table_of(scan).filter(|table| table.kind == Kind::Event).map(|table| (scan, table))
}

/// Splits the predicate of a filter over an event table into its window and the rest.
pub(crate) fn split(predicate: &Expr) -> (Option<Window>, Option<Expr>) {
    let (mut age_ns, mut delay_ns) = (None::<i64>, None::<i64>);
    let mut rest = Vec::new();
    for conjunct in split_conjunction_owned(predicate.clone()).into_iter().flat_map(both_ends) {
        match bound(&conjunct) {
            // Of several bounds the tightest holds.
            Some(Bound::Age(age)) => age_ns = Some(age_ns.map_or(age, |other| other.min(age))),
            Some(Bound::Delay(delay)) => delay_ns = Some(delay_ns.map_or(delay, |other| other.max(delay))),
            None => rest.push(conjunct),
        }
    }
    let window = (age_ns.is_some() || delay_ns.is_some()).then(|| {
        let span = age_ns.or(delay_ns).unwrap_or_default();
        Window { pane_ns: pane_of(span), age_ns, delay_ns }
    });
    (window, conjunction(rest))
}

/// The predicate that selects exactly the rows that [`Window::contains`] says, at one `now`.
pub(crate) fn predicate_at(window: &Window, time: &Column, now_ns: i64) -> Option<Expr> {
    let time = || Box::new(Expr::Column(time.clone()));
    let compare = |operator, span: i64| {
        let edge = time_literal(window.pane_of(now_ns.saturating_sub(span)));
        Expr::BinaryExpr(BinaryExpr::new(time(), operator, Box::new(edge)))
    };
    let age = window.age_ns.map(|age| compare(Operator::GtEq, age));
    let delay = window.delay_ns.map(|delay| compare(Operator::Lt, delay));
    conjunction(age.into_iter().chain(delay))
}

enum Bound {
    Age(i64),
    Delay(i64),
}

/// A BETWEEN as its two comparisons.
fn both_ends(conjunct: Expr) -> Vec<Expr> {
    match conjunct {
        Expr::Between(between) if !between.negated => {
            let end = |operator, value| Expr::BinaryExpr(BinaryExpr::new(between.expr.clone(), operator, value));
            vec![end(Operator::GtEq, between.low.clone()), end(Operator::LtEq, between.high.clone())]
        }
        other => vec![other],
    }
}

/// `time_ > now() - interval` and what says the same, such as `now() - time_ < interval`.
fn bound(conjunct: &Expr) -> Option<Bound> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = conjunct else { return None };
    let side = Linear::of(left)?.minus(Linear::of(right)?)?;
    let (edge, operator) = match (side.time, side.now) {
        (1, -1) => (side.ns, *op),
        (-1, 1) => (side.ns.checked_neg()?, op.swap()?),
        _ => return None,
    };
    match operator {
        Operator::Gt | Operator::GtEq => Some(Bound::Age(edge)),
        Operator::Lt | Operator::LtEq => Some(Bound::Delay(edge)),
        _ => None,
    }
}

/// So many times `time_` and `now()`, and nanoseconds.
#[derive(Clone, Copy, Default)]
struct Linear {
    time: i64,
    now: i64,
    ns: i64,
}

impl Linear {
    fn of(expression: &Expr) -> Option<Self> {
        match expression {
            Expr::Column(column) if column.name == "time_" => Some(Linear { time: 1, ..Linear::default() }),
            now if is_now(now) => Some(Linear { now: 1, ..Linear::default() }),
            Expr::Cast(cast) if is_exact(cast.field.data_type()) => Linear::of(&cast.expr),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }) => {
                Linear::of(left)?.minus(Linear::of(right)?)
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) => {
                Linear::of(left)?.minus(Linear::default().minus(Linear::of(right)?)?)
            }
            other => Some(Linear { ns: literal_ns(other)?, ..Linear::default() }),
        }
    }

    fn minus(self, other: Self) -> Option<Self> {
        Some(Linear {
            time: self.time.checked_sub(other.time)?,
            now: self.now.checked_sub(other.now)?,
            ns: self.ns.checked_sub(other.ns)?,
        })
    }
}

/// Whether a time, or a difference of times, stays the same as one of these types.
fn is_exact(data_type: &DataType) -> bool {
    use TimeUnit::Nanosecond;
    matches!(
        data_type,
        DataType::Int64
            | DataType::Timestamp(Nanosecond, _)
            | DataType::Duration(Nanosecond)
            | DataType::Interval(IntervalUnit::MonthDayNano)
    )
}

fn literal_ns(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) if interval.months == 0 => {
            i64::from(interval.days).checked_mul(86_400_000 * MILLISECOND)?.checked_add(interval.nanoseconds)
        }
        Expr::Literal(ScalarValue::IntervalDayTime(Some(interval)), _) => i64::from(interval.days)
            .checked_mul(86_400_000 * MILLISECOND)?
            .checked_add(i64::from(interval.milliseconds) * MILLISECOND),
        Expr::Literal(ScalarValue::DurationNanosecond(Some(ns)) | ScalarValue::Int64(Some(ns)), _) => Some(*ns),
        _ => None,
    }
}

fn pane_of(span_ns: i64) -> i64 {
    let widest = span_ns / PANES_MIN;
    PANES_NS.iter().rev().copied().find(|pane| *pane <= widest).unwrap_or(PANES_NS[0])
}
