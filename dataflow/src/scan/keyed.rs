//! Rows of a batch with the number of their keys: what views group by is evaluated once for rows that are alike, and
//! once for all views that group in the same way.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::{and, filter_record_batch, take};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExpr;
use watershed_model::tables::by_name;
use watershed_query::view::identity::of_expressions;
use watershed_query::view::{EventScan, Span};

use super::inlined::{Inlined, Narrow};
use super::{EventReader, Scanned};
use crate::aggregate::Aggregates;
use crate::codec::Codec;
use crate::group::group;
use crate::stored::StoredBatch;
use crate::vector::{evaluate, mask};

/// The place of `time_` in every event table.
const TIME: usize = 0;

/// Rows to be summed up.
pub(super) struct Read<'a> {
    /// A row of keys for each number; without the span, which depends on the time.
    pub(super) keys: Cow<'a, [ArrayRef]>,
    /// The number of each row's keys.
    pub(super) of_row: Cow<'a, [u32]>,
    /// What is summed up of each row.
    pub(super) arguments: Vec<ArrayRef>,
    pub(super) times: Cow<'a, [i64]>,
}

impl Read<'_> {
    /// Rows that each have keys of their own.
    pub(super) fn row_by_row(keys: Vec<ArrayRef>, arguments: Vec<ArrayRef>, times: Vec<i64>) -> Self {
        let of_row = (0..times.len() as u32).collect();
        Read { keys: keys.into(), of_row, arguments, times: times.into() }
    }

    /// The same with keys of its own for each row.
    pub(super) fn apart(self) -> std::result::Result<Self, ArrowError> {
        let rows = UInt32Array::from_iter_values(self.of_row.iter().copied());
        let keys = self.keys.iter().map(|keys| take(keys, &rows, None)).collect::<std::result::Result<_, _>>()?;
        Ok(Read::row_by_row(keys, self.arguments, self.times.into_owned()))
    }

    /// The rows whose numbers are wanted, each with keys of its own.
    pub(super) fn only(self, wanted: &[bool]) -> std::result::Result<Self, ArrowError> {
        let rows = self.of_row.iter().enumerate().filter(|(_, number)| wanted[**number as usize]);
        let (rows, numbers): (Vec<u32>, Vec<u32>) = rows.map(|(row, number)| (row as u32, *number)).unzip();
        let times = rows.iter().map(|row| self.times[*row as usize]).collect();
        let (rows, numbers) = (UInt32Array::from(rows), UInt32Array::from(numbers));
        let taken = |columns: &[ArrayRef], at| columns.iter().map(|column| take(column, at, None)).collect();
        let (keys, arguments): (std::result::Result<_, _>, std::result::Result<_, _>) =
            (taken(&self.keys, &numbers), taken(&self.arguments, &rows));
        Ok(Read::row_by_row(keys?, arguments?, times))
    }

    /// The first and the last time.
    pub(super) fn bounds(&self) -> [i64; 2] {
        [self.times.iter().min(), self.times.iter().max()].map(|time| time.copied().unwrap_or_default())
    }
}

/// Reads an event table's rows for a reduce.
pub(crate) struct KeyedReader {
    reader: EventReader,
    keys: usize,
    span: Option<Span>,
    /// `None` where an expression cannot be written over the table alone.
    plan: Option<Plan>,
}

/// What a reduce makes of a table's rows.
struct Plan {
    keying: Keying,
    arguments: Narrow,
}

impl KeyedReader {
    /// `reader` evaluates all expressions of `aggregates` row by row.
    pub(crate) fn new(reader: EventReader, scanned: &Scanned<'_>, aggregates: &Aggregates, span: Option<Span>) -> Self {
        KeyedReader { keys: aggregates.keys(), span, plan: Plan::of(scanned, aggregates, span).ok().flatten(), reader }
    }

    /// Calls `each` with the batch's rows, in pieces where an expression fails.
    pub(super) fn read(&self, stored: &StoredBatch, mut each: impl FnMut(Read<'_>)) {
        let keyed = self.plan.as_ref().and_then(|plan| Some((plan, stored.keyed(&plan.keying)?)));
        if let Some((plan, keyed)) = keyed
            && let Ok(read) = plan.read(stored, &keyed)
        {
            return each(read);
        }
        self.reader.read(stored, |columns, times| {
            let (keys, arguments) = columns.split_at(self.keys);
            let mut keys = keys.to_vec();
            if let Some(span) = self.span {
                keys.remove(span.key);
            }
            each(Read::row_by_row(keys, arguments.to_vec(), times));
        });
    }

    /// Rows of a batch could not be summed up.
    pub(super) fn lost(&self, rows: usize) {
        self.reader.losses.add(&self.reader.owner, "malformed_batch", rows as i64, 0);
    }

    /// Rows of addresses could not be read again when their owners changed.
    pub(super) fn not_split(&self, addresses: usize) {
        self.reader.losses.add(&self.reader.owner, "owner_not_split", addresses as i64, 0);
    }
}

impl Plan {
    /// `None` where keys change with the time of each row.
    fn of((scan, steps): &Scanned<'_>, aggregates: &Aggregates, span: Option<Span>) -> Result<Option<Self>> {
        let EventScan { table, columns, .. } = scan;
        let missing = || DataFusionError::Internal(format!("there is no table {table}"));
        let schema = by_name(table).ok_or_else(missing)?.schema();
        let Inlined { filters, outputs } = Inlined::of(&schema, columns, steps, &aggregates.expressions())?;
        let (keys, arguments) = outputs.split_at(aggregates.keys());
        let keys = keys.iter().enumerate().filter(|(at, _)| span.is_none_or(|span| span.key != *at));
        let decisive: Vec<_> = filters.iter().chain(keys.map(|(_, key)| key)).cloned().collect();
        let types = decisive[filters.len()..].iter().map(|key| key.data_type(&schema)).collect::<Result<_>>()?;
        let keying = Keying::new(&decisive, filters.len(), types)?;
        let arguments = Narrow::of(arguments)?;
        Ok((!keying.decisive.columns.contains(&TIME)).then_some(Plan { keying, arguments }))
    }

    fn read<'a>(&self, stored: &'a StoredBatch, keyed: &'a Keyed) -> Result<Read<'a>> {
        let malformed = || DataFusionError::Internal("an event has a time".into());
        let times = stored.times().ok_or_else(malformed)?;
        let columns = &self.arguments.columns;
        let (batch, times) = match &keyed.rows {
            Some(rows) => {
                let times = rows.values().iter().map(|row| times[*row as usize]).collect();
                (stored.columns_of(columns, rows)?, times)
            }
            None => (stored.columns(columns)?, Cow::Borrowed(times)),
        };
        let arguments = self.arguments.expressions.iter().map(|argument| evaluate(argument, &batch));
        let (keys, of_row) = (Cow::Borrowed(&keyed.keys[..]), Cow::Borrowed(&keyed.of_row[..]));
        Ok(Read { keys, of_row, arguments: arguments.collect::<Result<_>>()?, times })
    }
}

/// How rows of a table are chosen and grouped.
pub(crate) struct Keying {
    /// Equal for those that choose and group in the same way.
    identity: Rc<str>,
    /// Filters, then keys.
    decisive: Narrow,
    filters: usize,
    codec: Codec,
}

/// The rows of a batch that are chosen, and their keys.
pub(crate) struct Keyed {
    /// `None` for all of them.
    rows: Option<UInt32Array>,
    of_row: Vec<u32>,
    keys: Vec<ArrayRef>,
}

impl Keying {
    fn new(decisive: &[Arc<dyn PhysicalExpr>], filters: usize, types: Vec<DataType>) -> Result<Self> {
        let identity = format!("{filters} {}", of_expressions(decisive));
        Ok(Keying { identity: identity.into(), decisive: Narrow::of(decisive)?, filters, codec: Codec::new(types)? })
    }

    pub(crate) fn identity(&self) -> &Rc<str> {
        &self.identity
    }

    /// The batch's rows by their keys; an error where an expression fails.
    pub(crate) fn of(&self, stored: &StoredBatch) -> Result<Keyed> {
        let alike = stored.alike(&self.decisive.columns);
        let (mut heads, numbers) = match &alike {
            Some(alike) => {
                let firsts = UInt32Array::from_iter_values(alike.firsts.iter().copied());
                (stored.columns_of(&self.decisive.columns, &firsts)?, Cow::Borrowed(&alike.of_row[..]))
            }
            None => (stored.columns(&self.decisive.columns)?, (0..stored.rows() as u32).collect()),
        };
        let (filters, keys) = self.decisive.expressions.split_at(self.filters);
        let mut chosen: Option<BooleanArray> = None;
        for condition in filters {
            let mask = mask(condition, &heads)?;
            chosen = Some(chosen.map_or(Ok(mask.clone()), |chosen| and(&chosen, &mask))?);
        }
        let chosen = chosen.filter(|chosen| chosen.true_count() < chosen.len());
        if let Some(chosen) = &chosen {
            heads = filter_record_batch(&heads, chosen)?;
        }
        let keys = keys.iter().map(|key| evaluate(key, &heads)).collect::<Result<Vec<_>>>()?;
        let groups = group(&self.codec.encode(&keys)?, &vec![0; heads.num_rows()]);
        let firsts = UInt32Array::from_iter_values(groups.firsts.iter().map(|(first, _)| *first));
        let keys = keys.iter().map(|keys| take(keys, &firsts, None)).collect::<std::result::Result<_, _>>()?;
        let Some(chosen) = chosen else {
            let of_row = numbers.iter().map(|number| groups.of_row[*number as usize]).collect();
            return Ok(Keyed { rows: None, of_row, keys });
        };
        let mut of_head = groups.of_row.into_iter();
        let of_head: Vec<Option<u32>> =
            chosen.values().iter().map(|chosen| if chosen { of_head.next() } else { None }).collect();
        let (mut rows, mut of_row) = (Vec::new(), Vec::new());
        for (row, number) in numbers.iter().enumerate() {
            if let Some(group) = of_head[*number as usize] {
                rows.push(row as u32);
                of_row.push(group);
            }
        }
        Ok(Keyed { rows: Some(rows.into()), of_row, keys })
    }
}
