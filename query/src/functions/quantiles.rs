//! Quantiles by the fixed buckets of `model::histogram`, also under DataFusion's names for approximate ones; and the
//! histograms themselves, as values that can be stored in a column and merged.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Expr, GroupsAccumulator, Signature, Volatility};
use datafusion::physical_expr::expressions::Literal;
use datafusion::scalar::ScalarValue;
use itertools::Itertools as _;
use watershed_model::histogram::{self, Bucket};

use super::fold::{Fold, Folding, Rows};
use super::sums::{lane_type, no_distinct};

/// One of the aggregates made from buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// `quantile(x, q)`
    Quantile,
    /// `approx_percentile_cont(x, q)`, or `(q) WITHIN GROUP (ORDER BY x)`
    Percentile,
    /// `approx_median(x)`
    Median,
    /// `histogram(x)`
    Histogram,
    /// `merge_histogram(h)`
    Merge,
}

/// An aggregate made from buckets.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Buckets {
    kind: Kind,
    signature: Signature,
}

impl Buckets {
    pub(crate) fn new(kind: Kind) -> Self {
        Buckets { kind, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

/// The quantile that a call of `quantile`, `approx_percentile_cont` or `approx_median` asks for; `None` when it is
/// no constant between 0 and 1, or the call is another one.
#[must_use]
pub fn quantile_of(call: &AggregateFunction) -> Option<f64> {
    let q = match call.func.name() {
        "approx_median" => return Some(0.5),
        "quantile" | "approx_percentile_cont" => match call.params.args.get(1)?.clone().unalias() {
            Expr::Literal(value, _) => constant(&value)?,
            Expr::Cast(cast) => match cast.expr.as_ref() {
                Expr::Literal(value, _) => constant(value)?,
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    let descending = call.params.order_by.first().is_some_and(|order| !order.asc);
    Some(if descending { 1.0 - q } else { q })
}

fn constant(value: &ScalarValue) -> Option<f64> {
    let ScalarValue::Float64(Some(q)) = value.cast_to(&DataType::Float64).ok()? else { return None };
    (0.0..=1.0).contains(&q).then_some(q)
}

impl Kind {
    fn result(self, args: &AccumulatorArgs<'_>) -> Result<Made> {
        let integer = args.return_type() == &DataType::Int64;
        Ok(match self {
            Kind::Histogram | Kind::Merge => Made::Histogram,
            Kind::Median => Made::Quantile { q: 0.5, integer },
            Kind::Quantile | Kind::Percentile => {
                let q = args.exprs.get(1).and_then(|expression| expression.downcast_ref::<Literal>());
                let q = q.and_then(|literal| constant(literal.value())).ok_or_else(|| {
                    DataFusionError::Plan("the quantile has to be a constant from 0 to 1, such as 0.99".into())
                })?;
                let descending = args.order_bys.first().is_some_and(|order| order.options.descending);
                Made::Quantile { q: if descending { 1.0 - q } else { q }, integer }
            }
        })
    }
}

impl AggregateUDFImpl for Buckets {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Quantile => "quantile",
            Kind::Percentile => "approx_percentile_cont",
            Kind::Median => "approx_median",
            Kind::Histogram => "histogram",
            Kind::Merge => "merge_histogram",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name();
        match (self.kind, arguments) {
            (Kind::Quantile, [value, _]) | (Kind::Percentile, [value, _]) => {
                Ok(vec![lane_type(name, value)?, DataType::Float64])
            }
            // The third argument of DataFusion's own sizes its sketch; buckets have no size.
            (Kind::Percentile, [value, _, size]) => Ok(vec![lane_type(name, value)?, DataType::Float64, size.clone()]),
            (Kind::Median | Kind::Histogram, [value]) => Ok(vec![lane_type(name, value)?]),
            (Kind::Merge, [DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::Null]) => {
                Ok(vec![DataType::Binary])
            }
            (Kind::Merge, [other]) => {
                Err(DataFusionError::Plan(format!("merge_histogram takes what histogram made, not {other}")))
            }
            (Kind::Quantile | Kind::Percentile, _) => Err(DataFusionError::Plan(format!(
                "{name} takes a number and a quantile, such as {name}(latency, 0.99)"
            ))),
            (Kind::Median | Kind::Histogram | Kind::Merge, _) => {
                Err(DataFusionError::Plan(format!("{name} takes one argument")))
            }
        }
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match self.kind {
            Kind::Histogram | Kind::Merge => Ok(DataType::Binary),
            Kind::Quantile | Kind::Percentile | Kind::Median => lane_type(self.name(), &arguments[0]),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        no_distinct(self.name(), &args)?;
        Ok(Folding::single(Counting { kind: self.kind, result: self.kind.result(&args)? }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "histogram"), DataType::Binary, true))])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Folding::grouped(Counting { kind: self.kind, result: self.kind.result(&args)? }))
    }

    fn supports_within_group_clause(&self) -> bool {
        self.kind == Kind::Percentile
    }
}

#[derive(Debug, Clone, Copy)]
enum Made {
    Quantile { q: f64, integer: bool },
    Histogram,
}

#[derive(Debug)]
struct Counting {
    kind: Kind,
    result: Made,
}

/// Counts of a group. Rows are set down one by one as they come, since groups come in any order and a search in each
/// one's counts would wait for memory; from time to time what was set down is sorted and counted.
#[derive(Debug, Default)]
struct Counts {
    /// Ascending by bucket.
    counted: Vec<(Bucket, i64)>,
    /// Buckets of one row each.
    pending: Vec<Bucket>,
}

/// Rows that are set down at least before they are counted.
const PENDING: usize = 256;

impl Counts {
    fn add(&mut self, bucket: Bucket, count: i64) {
        if count == 1 {
            self.pending.push(bucket);
            if self.pending.len() >= PENDING.max(self.counted.len()) {
                self.counted = self.all().into_owned();
                self.pending.clear();
            }
            return;
        }
        match self.counted.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(at) => self.counted[at].1 = self.counted[at].1.wrapping_add(count),
            Err(at) => self.counted.insert(at, (bucket, count)),
        }
    }

    fn add_encoded(&mut self, bytes: &[u8], times: i64) {
        if self.counted.is_empty() && times == 1 {
            let counted: Vec<_> = histogram::decode(bytes).collect();
            if counted.is_sorted_by(|a, b| a.0 < b.0) {
                self.counted = counted;
                return;
            }
        }
        for (bucket, count) in histogram::decode(bytes) {
            self.add(bucket, count.wrapping_mul(times));
        }
    }

    /// All counts, ascending by bucket.
    fn all(&self) -> Cow<'_, [(Bucket, i64)]> {
        if self.pending.is_empty() {
            return Cow::Borrowed(&self.counted);
        }
        let mut pending = self.pending.clone();
        pending.sort_unstable();
        let fresh = pending.chunk_by(|a, b| a == b).map(|rows| (rows[0], rows.len() as i64));
        let mut all: Vec<(Bucket, i64)> = Vec::with_capacity(self.counted.len() + pending.len() / 2);
        let both = self.counted.iter().copied().merge_by(fresh, |a, b| a.0 <= b.0);
        for (bucket, count) in both {
            match all.last_mut() {
                Some(last) if last.0 == bucket => last.1 = last.1.wrapping_add(count),
                _ => all.push((bucket, count)),
            }
        }
        Cow::Owned(all)
    }

    fn encoded(&self) -> Option<Vec<u8>> {
        let bytes = histogram::encode(self.all().iter().copied());
        (!bytes.is_empty()).then_some(bytes)
    }
}

impl Fold for Counting {
    type Group = Counts;
    const RETRACTS: bool = true;

    fn update(&self, rows: &Rows<'_>, values: &[ArrayRef], times: i64, groups: &mut [Counts]) -> Result<()> {
        let values = &values[0];
        if self.kind == Kind::Merge {
            let encoded = values.as_binary::<i32>();
            for (row, group) in rows.each().filter(|(row, _)| encoded.is_valid(*row)) {
                groups[group].add_encoded(encoded.value(row), times);
            }
        } else if let Some(integers) = values.as_primitive_opt::<Int64Type>() {
            for (row, group) in rows.each().filter(|(row, _)| integers.is_valid(*row)) {
                groups[group].add(histogram::bucket_of(integers.value(row) as f64), times);
            }
        } else {
            let floats = values.as_primitive::<Float64Type>();
            for (row, group) in rows.each().filter(|(row, _)| floats.is_valid(*row)) {
                groups[group].add(histogram::bucket_of(floats.value(row)), times);
            }
        }
        Ok(())
    }

    fn merge(&self, rows: &Rows<'_>, states: &[ArrayRef], groups: &mut [Counts]) -> Result<()> {
        let encoded = states[0].as_binary::<i32>();
        for (row, group) in rows.each().filter(|(row, _)| encoded.is_valid(*row)) {
            groups[group].add_encoded(encoded.value(row), 1);
        }
        Ok(())
    }

    fn state(&self, groups: &[Counts]) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(BinaryArray::from_iter(groups.iter().map(Counts::encoded)))])
    }

    fn finish(&self, groups: &[Counts]) -> Result<ArrayRef> {
        let Made::Quantile { q, integer } = self.result else {
            return Ok(Arc::new(BinaryArray::from_iter(groups.iter().map(Counts::encoded))));
        };
        let quantiles = groups.iter().map(|counts| histogram::quantile(counts.all().iter().copied(), q));
        if integer {
            return Ok(Arc::new(Int64Array::from_iter(quantiles.map(|value| value.map(histogram::integer_of)))));
        }
        Ok(Arc::new(Float64Array::from_iter(quantiles)))
    }

    fn heap_bytes(group: &Counts) -> usize {
        group.counted.capacity() * size_of::<(Bucket, i64)>() + group.pending.capacity() * size_of::<Bucket>()
    }
}
