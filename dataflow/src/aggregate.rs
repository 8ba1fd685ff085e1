//! From a plan's aggregates to lanes of the accumulator and back. Aggregates over the same argument share lanes.

mod candidates;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, Float64Builder, Int64Builder, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use arrow::error::ArrowError;
use datafusion::physical_expr::PhysicalExpr;
use watershed_model::{Fixed, histogram};
use watershed_operators::{Accumulator, Lane};
use watershed_query::view::{Function, Reduce};

pub(crate) use candidates::{Choice, Merger};
use candidates::{lines_of, parts, put};

use crate::codec::Codec;
use crate::error::Error;

/// The lane that counts rows.
pub(crate) const ROWS: Lane = 0;
/// The lane that keeps the single row of a reduce without keys alive.
pub(crate) const SEED: Lane = Lane::MAX;
/// Lanes of a source of buckets: room for every bucket of a histogram.
const BUCKET_LANES: Lane = 1 << 18;
const BUCKET_ZERO: Lane = BUCKET_LANES / 2;
/// Lanes of another source.
const SUM_LANES: Lane = 2;
/// Sources of which all fit below [`SEED`].
const MAX_SOURCES: usize = (1 << 13) - 2;

/// What a source adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Adds {
    Count,
    /// Rows whose argument is NULL: of most arguments none, and what is zero takes no room.
    Nulls,
    Integer,
    /// Whole part in the first lane, 2^-32 parts in the second.
    Float,
    Buckets,
    EncodedBuckets,
}

impl Adds {
    /// How many lanes it takes.
    fn lanes(self) -> Lane {
        match self {
            Adds::Count | Adds::Nulls | Adds::Integer | Adds::Float => SUM_LANES,
            Adds::Buckets | Adds::EncodedBuckets => BUCKET_LANES,
        }
    }
}

struct Source {
    adds: Adds,
    /// Positions among the evaluated expressions.
    argument: Option<usize>,
    filter: Option<usize>,
    lane: Lane,
}

struct Candidate {
    choice: Choice,
    /// For `Last`, the order comes first and the value second.
    arguments: Vec<usize>,
    filter: Option<usize>,
    codec: Codec,
}

/// How many rows an aggregate is over.
#[derive(Clone, Copy)]
enum Counted {
    Lane(Lane),
    /// All but those that the lane counts.
    AllBut(Lane),
}

impl Counted {
    fn of(self, sums: &Accumulator) -> i64 {
        match self {
            Counted::Lane(lane) => sums.lane(lane),
            Counted::AllBut(lane) => sums.lane(ROWS).wrapping_sub(sums.lane(lane)),
        }
    }
}

enum Output {
    Count(Counted),
    Integer { sum: Lane, count: Counted },
    Float { sum: Lane, count: Counted },
    Mean { sum: Lane, count: Counted, float: bool },
    Quantile { buckets: Lane, q: f64 },
    Histogram { buckets: Lane },
    Candidate(usize),
}

/// The aggregates of one reduce, compiled.
pub(crate) struct Aggregates {
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    keys: usize,
    sources: Vec<Source>,
    candidates: Vec<Candidate>,
    outputs: Vec<(Output, DataType)>,
    finish: Codec,
}

impl Aggregates {
    /// Compiles the aggregates over rows of `input`.
    pub(crate) fn new(reduce: &Reduce, input: &Schema) -> Result<Self, Error> {
        let types = reduce.aggregates.iter().map(|aggregate| aggregate.data_type.clone()).collect();
        let mut aggregates = Aggregates {
            expressions: reduce.keys.clone(),
            keys: reduce.keys.len(),
            sources: Vec::new(),
            candidates: Vec::new(),
            outputs: Vec::new(),
            finish: Codec::new(types).map_err(Error::unsupported)?,
        };
        for aggregate in &reduce.aggregates {
            let arguments: Vec<usize> = aggregate.arguments.iter().map(|e| aggregates.expression(e)).collect();
            let filter = aggregate.filter.as_ref().map(|e| aggregates.expression(e));
            let type_of = |at: usize| aggregate.arguments[at].data_type(input).map_err(Error::unsupported);
            let first = arguments.first().copied();
            let output = match aggregate.function {
                Function::Count => Output::Count(aggregates.counted(first, filter)),
                Function::Sum => {
                    let float = is_float(&type_of(0)?);
                    let count = aggregates.counted(first, filter);
                    let sum = aggregates.source(if float { Adds::Float } else { Adds::Integer }, first, filter);
                    if float { Output::Float { sum, count } } else { Output::Integer { sum, count } }
                }
                Function::Avg => {
                    let float = is_float(&type_of(0)?);
                    let count = aggregates.counted(first, filter);
                    let sum = aggregates.source(if float { Adds::Float } else { Adds::Integer }, first, filter);
                    Output::Mean { sum, count, float }
                }
                Function::Quantile(q) => {
                    Output::Quantile { buckets: aggregates.source(Adds::Buckets, first, filter), q }
                }
                Function::Histogram => Output::Histogram { buckets: aggregates.source(Adds::Buckets, first, filter) },
                Function::MergeHistogram => {
                    Output::Histogram { buckets: aggregates.source(Adds::EncodedBuckets, first, filter) }
                }
                Function::Min | Function::Max => {
                    let choice = if aggregate.function == Function::Min { Choice::Smallest } else { Choice::Largest };
                    aggregates.candidate(choice, vec![(arguments[0], type_of(0)?)], filter)?
                }
                Function::Lines => aggregates.candidate(Choice::Lines, vec![(arguments[0], DataType::Utf8)], filter)?,
                Function::Last => {
                    let columns = vec![(arguments[1], type_of(1)?), (arguments[0], type_of(0)?)];
                    aggregates.candidate(Choice::Largest, columns, filter)?
                }
            };
            aggregates.outputs.push((output, aggregate.data_type.clone()));
        }
        if aggregates.sources.len() > MAX_SOURCES {
            return Err(Error::Unsupported("too many aggregates".into()));
        }
        Ok(aggregates)
    }

    /// What has to be evaluated for each row: keys first.
    pub(crate) fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.expressions.clone()
    }

    /// How many of the expressions are keys.
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    /// Whether there are values that are not sums.
    pub(crate) fn has_candidates(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// Whether all values are of those that are not sums, and tell which groups are there: each row has one.
    pub(crate) fn needs_no_sums(&self) -> bool {
        self.keys > 0
            && self.has_candidates()
            && self.outputs.iter().all(|(output, _)| matches!(output, Output::Candidate(_)))
    }

    fn expression(&mut self, expression: &Arc<dyn PhysicalExpr>) -> usize {
        let arguments = &self.expressions[self.keys..];
        if let Some(at) = arguments.iter().position(|known| known.as_ref() == expression.as_ref()) {
            return self.keys + at;
        }
        self.expressions.push(Arc::clone(expression));
        self.expressions.len() - 1
    }

    fn counted(&mut self, argument: Option<usize>, filter: Option<usize>) -> Counted {
        match (argument, filter) {
            (None, None) => Counted::Lane(ROWS),
            (Some(_), None) => Counted::AllBut(self.source(Adds::Nulls, argument, None)),
            (_, Some(_)) => Counted::Lane(self.source(Adds::Count, argument, filter)),
        }
    }

    fn source(&mut self, adds: Adds, argument: Option<usize>, filter: Option<usize>) -> Lane {
        let same = |s: &&Source| s.adds == adds && s.argument == argument && s.filter == filter;
        if let Some(source) = self.sources.iter().find(same) {
            return source.lane;
        }
        let lane = self.sources.last().map_or(ROWS + 1, |last| last.lane.saturating_add(last.adds.lanes()));
        self.sources.push(Source { adds, argument, filter, lane });
        lane
    }

    fn candidate(
        &mut self,
        choice: Choice,
        columns: Vec<(usize, DataType)>,
        filter: Option<usize>,
    ) -> Result<Output, Error> {
        let (arguments, types): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let codec = Codec::new(types).map_err(Error::unsupported)?;
        self.candidates.push(Candidate { choice, arguments, filter, codec });
        Ok(Output::Candidate(self.candidates.len() - 1))
    }

    /// What an expression behind the keys is for each row.
    fn argument<'a>(&self, arguments: &'a [ArrayRef], expression: usize) -> &'a ArrayRef {
        &arguments[expression - self.keys]
    }

    /// Adds rows to their groups: `arguments` are the expressions behind the keys; `groups` and `weights` have one entry
    /// a row.
    pub(crate) fn add(
        &self,
        arguments: &[ArrayRef],
        groups: &[u32],
        weights: Option<&[i64]>,
        table: &mut LaneTable,
    ) -> Result<(), ArrowError> {
        let weight = |row: usize| weights.map_or(1, |weights| weights[row]);
        let mut rows = vec![0; table.dense.len() / table.width];
        for (row, group) in groups.iter().enumerate() {
            rows[*group as usize] += weight(row);
        }
        table.add_each(0, &rows);
        for (at, source) in self.sources.iter().enumerate() {
            let filter = source.filter.map(|filter| self.argument(arguments, filter).as_boolean());
            let argument = source.argument.map(|argument| self.argument(arguments, argument));
            let offset = 1 + 2 * at;
            match source.adds {
                Adds::Count => {
                    let nulls = argument.and_then(|array| array.logical_nulls());
                    if filter.is_none() && nulls.is_none() {
                        table.add_each(offset, &rows);
                        continue;
                    }
                    for (row, group) in groups.iter().enumerate() {
                        if passes(filter, row) && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                            table.add(*group, offset, weight(row));
                        }
                    }
                }
                Adds::Nulls => {
                    let nulls = argument.and_then(|array| array.logical_nulls());
                    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { continue };
                    for (row, group) in groups.iter().enumerate().filter(|(row, _)| nulls.is_null(*row)) {
                        table.add(*group, offset, weight(row));
                    }
                }
                Adds::Integer => {
                    let array = cast(argument.expect("a sum has an argument"), &DataType::Int64)?;
                    let values = array.as_primitive::<Int64Type>();
                    for (row, group) in groups.iter().enumerate() {
                        if passes(filter, row) && values.is_valid(row) {
                            table.add(*group, offset, values.value(row).wrapping_mul(weight(row)));
                        }
                    }
                }
                Adds::Float => {
                    let array = cast(argument.expect("a sum has an argument"), &DataType::Float64)?;
                    let values = array.as_primitive::<Float64Type>();
                    for (row, group) in groups.iter().enumerate() {
                        if passes(filter, row) && values.is_valid(row) {
                            let Fixed { whole, parts: part } = Fixed::of(values.value(row));
                            table.add(*group, offset, whole.wrapping_mul(weight(row)));
                            table.add(*group, offset + 1, part.wrapping_mul(weight(row)));
                        }
                    }
                }
                Adds::Buckets => {
                    let array = cast(argument.expect("a quantile has an argument"), &DataType::Float64)?;
                    let values = array.as_primitive::<Float64Type>();
                    for (row, group) in groups.iter().enumerate() {
                        if passes(filter, row) && values.is_valid(row) {
                            let lane = bucket_lane(source.lane, histogram::bucket_of(values.value(row)));
                            table.add_sparse(*group, lane, weight(row));
                        }
                    }
                }
                Adds::EncodedBuckets => {
                    let array = cast(argument.expect("a merge has an argument"), &DataType::Binary)?;
                    let values = array.as_binary::<i32>();
                    for (row, group) in groups.iter().enumerate() {
                        if passes(filter, row) && values.is_valid(row) {
                            for (bucket, count) in histogram::decode(values.value(row)) {
                                let lane = bucket_lane(source.lane, bucket);
                                table.add_sparse(*group, lane, count.wrapping_mul(weight(row)));
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Room for the sums of `groups` groups.
    pub(crate) fn table(&self, groups: usize) -> LaneTable {
        let width = 1 + 2 * self.sources.len();
        LaneTable { width, dense: vec![0; width * groups], sparse: HashMap::default(), by_group: Vec::new() }
    }

    /// The accumulators of a table's groups, in order.
    pub(crate) fn accumulators(&self, mut table: LaneTable) -> Vec<Accumulator> {
        table.by_group = table.sparse.drain().map(|((group, lane), sum)| (group, lane, sum)).collect();
        table.by_group.sort_unstable();
        let mut sparse = table.by_group.as_slice();
        let groups = table.dense.len() / table.width;
        let (mut accumulators, mut lanes) = (Vec::with_capacity(groups), Vec::with_capacity(table.width));
        for group in 0..groups {
            let dense = &table.dense[group * table.width..(group + 1) * table.width];
            let own = sparse.partition_point(|(other, _, _)| *other as usize == group);
            let (mut buckets, rest) = sparse.split_at(own);
            sparse = rest;
            lanes.push((ROWS, dense[0]));
            for (at, source) in self.sources.iter().enumerate() {
                lanes.push((source.lane, dense[1 + 2 * at]));
                lanes.push((source.lane + 1, dense[2 + 2 * at]));
                let end = buckets.partition_point(|(_, lane, _)| *lane < source.lane + source.adds.lanes());
                let (mine, others) = buckets.split_at(end);
                if !mine.is_empty() {
                    lanes.truncate(lanes.len() - 2);
                    lanes.extend(mine.iter().map(|(_, lane, sum)| (*lane, *sum)));
                }
                buckets = others;
            }
            accumulators.push(Accumulator::from_sorted(lanes.drain(..)));
        }
        accumulators
    }

    /// Each row's candidates for the values that are not sums, encoded as [`merge_candidates`] reads them.
    pub(crate) fn candidates(&self, arguments: &[ArrayRef], rows: usize) -> Result<Vec<Vec<u8>>, ArrowError> {
        let mut encoded = vec![Vec::new(); rows];
        for candidate in &self.candidates {
            let (arrays, filter) = self.values(candidate, arguments);
            if candidate.choice == Choice::Lines {
                let texts = arrays[0].as_string::<i32>();
                for (row, bytes) in encoded.iter_mut().enumerate() {
                    let counts = passes(filter, row) && texts.is_valid(row);
                    put(bytes, counts.then(|| texts.value(row).as_bytes()));
                }
                continue;
            }
            let values = candidate.codec.encode(&arrays)?;
            for (row, bytes) in encoded.iter_mut().enumerate() {
                let counts = passes(filter, row) && arrays.iter().all(|array| array.is_valid(row));
                put(bytes, counts.then(|| values.row(row)));
            }
        }
        Ok(encoded)
    }

    fn values<'a>(
        &self,
        candidate: &Candidate,
        arguments: &'a [ArrayRef],
    ) -> (Vec<ArrayRef>, Option<&'a BooleanArray>) {
        let arrays = candidate.arguments.iter().map(|at| Arc::clone(self.argument(arguments, *at))).collect();
        (arrays, candidate.filter.map(|filter| self.argument(arguments, filter).as_boolean()))
    }

    /// What is chosen among the rows of each group; nothing where there are only sums.
    pub(crate) fn chosen_of(
        &self,
        arguments: &[ArrayRef],
        of_row: &[u32],
        groups: usize,
    ) -> Result<Vec<Vec<u8>>, ArrowError> {
        let mut chosen = vec![Vec::new(); if self.has_candidates() { groups } else { 0 }];
        for candidate in &self.candidates {
            let (arrays, filter) = self.values(candidate, arguments);
            let counts = |row: usize| passes(filter, row) && arrays.iter().all(|array| array.is_valid(row));
            let rows = of_row.iter().enumerate().filter(|(row, _)| counts(*row));
            if candidate.choice == Choice::Lines {
                let texts = arrays[0].as_string::<i32>();
                let mut of_group = vec![Vec::new(); groups];
                rows.for_each(|(row, group)| of_group[*group as usize].push(texts.value(row).as_bytes()));
                for (bytes, texts) in chosen.iter_mut().zip(of_group) {
                    put(bytes, (!texts.is_empty()).then(|| lines_of(texts.into_iter())).as_deref());
                }
                continue;
            }
            let values = candidate.codec.encode(&arrays)?;
            let is_better = |row: usize, than: usize| match candidate.choice {
                Choice::Smallest => values.row(row) < values.row(than),
                Choice::Largest | Choice::Lines => values.row(row) > values.row(than),
            };
            let mut best: Vec<Option<usize>> = vec![None; groups];
            for (row, group) in rows {
                let best = &mut best[*group as usize];
                if best.is_none_or(|best| is_better(row, best)) {
                    *best = Some(row);
                }
            }
            for (bytes, best) in chosen.iter_mut().zip(best) {
                put(bytes, best.map(|row| values.row(row)));
            }
        }
        Ok(chosen)
    }

    /// Candidates of no row.
    pub(crate) fn no_candidates(&self) -> Vec<u8> {
        self.merger().of(&vec![None; self.candidates.len()])
    }

    /// How candidates of one group become one; cheap to clone into operators.
    pub(crate) fn merger(&self) -> Merger {
        Merger::new(self.candidates.iter().map(|candidate| candidate.choice).collect())
    }

    /// The encoded aggregate columns of groups, given with their sums and candidates.
    pub(crate) fn finish(&self, groups: &[(Accumulator, Vec<u8>)]) -> Result<crate::codec::Encoded, ArrowError> {
        let columns = self
            .outputs
            .iter()
            .map(|(output, data_type)| {
                let array = self.column(output, data_type, groups)?;
                if array.data_type() == data_type { Ok(array) } else { cast(&array, data_type) }
            })
            .collect::<Result<Vec<_>, ArrowError>>()?;
        self.finish.encode(&columns)
    }

    fn column(
        &self,
        output: &Output,
        data_type: &DataType,
        groups: &[(Accumulator, Vec<u8>)],
    ) -> Result<ArrayRef, ArrowError> {
        let sums = groups.iter().map(|(sums, _)| sums);
        Ok(match output {
            Output::Count(count) => {
                let mut builder = Int64Builder::with_capacity(groups.len());
                sums.for_each(|sums| builder.append_value(count.of(sums)));
                Arc::new(builder.finish())
            }
            Output::Integer { sum, count } => {
                let mut builder = Int64Builder::with_capacity(groups.len());
                sums.for_each(|sums| builder.append_option((count.of(sums) > 0).then(|| sums.lane(*sum))));
                Arc::new(builder.finish())
            }
            Output::Float { sum, count } => floats(sums, |sums| (count.of(sums) > 0).then(|| float_of(sums, *sum))),
            Output::Mean { sum, count, float } => floats(sums, |sums| {
                let rows = count.of(sums);
                let total = if *float { float_of(sums, *sum) } else { sums.lane(*sum) as f64 };
                (rows > 0).then(|| total / rows as f64)
            }),
            Output::Quantile { buckets, q } if data_type == &DataType::Int64 => {
                let mut builder = Int64Builder::with_capacity(groups.len());
                for sums in sums {
                    let value = histogram::quantile(buckets_of(sums, *buckets), *q);
                    builder.append_option(value.map(histogram::integer_of));
                }
                Arc::new(builder.finish())
            }
            Output::Quantile { buckets, q } => floats(sums, |sums| histogram::quantile(buckets_of(sums, *buckets), *q)),
            Output::Histogram { buckets } => {
                let mut builder = BinaryBuilder::new();
                for sums in sums {
                    let bytes = histogram::encode(buckets_of(sums, *buckets));
                    builder.append_option((!bytes.is_empty()).then_some(bytes));
                }
                Arc::new(builder.finish())
            }
            Output::Candidate(at) => self.chosen(*at, groups)?,
        })
    }

    fn chosen(&self, at: usize, groups: &[(Accumulator, Vec<u8>)]) -> Result<ArrayRef, ArrowError> {
        let Candidate { choice, codec, .. } = &self.candidates[at];
        if *choice == Choice::Lines {
            let texts = groups.iter().map(|(_, candidates)| {
                let text = parts(candidates).nth(at).flatten()?;
                String::from_utf8(lines_of(std::iter::once(text))).ok()
            });
            return Ok(Arc::new(texts.collect::<StringArray>()));
        }
        let nulls = codec.nulls();
        let rows = groups.iter().map(|(_, candidates)| parts(candidates).nth(at).flatten().unwrap_or(&nulls));
        let columns = codec.decode(rows)?;
        Ok(columns.into_iter().last().expect("a candidate has a column"))
    }
}

/// Sums of groups under construction: two dense lanes a source, and buckets by group and lane.
pub(crate) struct LaneTable {
    width: usize,
    dense: Vec<i64>,
    sparse: HashMap<(u32, Lane), i64, foldhash::fast::RandomState>,
    by_group: Vec<(u32, Lane, i64)>,
}

impl LaneTable {
    fn add(&mut self, group: u32, offset: usize, value: i64) {
        let sum = &mut self.dense[group as usize * self.width + offset];
        *sum = sum.wrapping_add(value);
    }

    /// Adds to every group what it has here.
    fn add_each(&mut self, offset: usize, values: &[i64]) {
        for (sums, value) in self.dense.chunks_exact_mut(self.width).zip(values) {
            sums[offset] = sums[offset].wrapping_add(*value);
        }
    }

    fn add_sparse(&mut self, group: u32, lane: Lane, count: i64) {
        let sum = self.sparse.entry((group, lane)).or_default();
        *sum = sum.wrapping_add(count);
    }
}

fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float16 | DataType::Float32 | DataType::Float64)
}

fn float_of(sums: &Accumulator, lane: Lane) -> f64 {
    Fixed { whole: sums.lane(lane), parts: sums.lane(lane + 1) }.value()
}

fn bucket_lane(base: Lane, bucket: histogram::Bucket) -> Lane {
    let offset = i64::from(bucket) + i64::from(BUCKET_ZERO);
    base + offset.clamp(0, i64::from(BUCKET_LANES) - 1) as Lane
}

fn buckets_of(sums: &Accumulator, base: Lane) -> impl Iterator<Item = (histogram::Bucket, i64)> + Clone {
    let lanes = sums.range(base, base + BUCKET_LANES);
    lanes.iter().map(move |(lane, count)| ((*lane - base) as i32 - BUCKET_ZERO as i32, *count))
}

fn floats<'a>(sums: impl Iterator<Item = &'a Accumulator>, of: impl Fn(&Accumulator) -> Option<f64>) -> ArrayRef {
    let mut builder = Float64Builder::new();
    sums.for_each(|sums| builder.append_option(of(sums)));
    Arc::new(builder.finish())
}
