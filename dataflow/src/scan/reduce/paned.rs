//! Rows by group: key, with the span of its address if it has one, and pane.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::error::ArrowError;

use crate::codec::{Codec, Encoded};
use crate::group::group;
use crate::pane::Pane;
use crate::panes::Panes;
use crate::scan::keyed::Read;
use crate::scan::spans::{Found, Spans};

/// The groups of rows that were read.
pub(super) struct Paned<'a> {
    /// The group of each row.
    pub(super) of_row: Cow<'a, [u32]>,
    /// Of each group, the place of its key and its pane.
    firsts: Vec<(u32, i64)>,
    keys: Encoded,
    spans: Option<Found>,
}

impl<'a> Paned<'a> {
    /// Each address has one owner from the first to the last time, or each row has keys of its own.
    pub(super) fn of(
        read: &'a Read<'_>,
        panes: &Panes<Pane>,
        spans: Option<&Spans>,
        codec: &Codec,
    ) -> Result<Self, ArrowError> {
        let heads = Heads::of(read, panes);
        let keys = heads.keys(read)?;
        let (keys, spans) = match spans {
            Some(spans) => {
                let times = heads.rows.iter().map(|row| read.times[*row as usize]);
                let (keys, found) = spans.put_in(keys, times)?;
                (keys, Some(found))
            }
            None => (keys, None),
        };
        let keys = codec.encode(&keys)?;
        let groups = group(&keys, &heads.panes);
        let of_row = match groups.firsts.len() < heads.rows.len() {
            true => heads.of_row.iter().map(|head| groups.of_row[*head as usize]).collect(),
            false => heads.of_row,
        };
        Ok(Paned { of_row, firsts: groups.firsts, keys, spans })
    }

    pub(super) fn groups(&self) -> usize {
        self.firsts.len()
    }

    pub(super) fn key(&self, group: usize) -> &[u8] {
        self.keys.row(self.firsts[group].0 as usize)
    }

    pub(super) fn pane(&self, group: usize) -> i64 {
        self.firsts[group].1
    }

    /// The key's address, and the span of its owner.
    pub(super) fn span(&self, group: usize) -> Option<(Box<str>, i64)> {
        self.spans.as_ref().map(|spans| spans.of(self.firsts[group].0 as usize))
    }
}

/// Numbers of keys in panes.
struct Heads<'a> {
    of_row: Cow<'a, [u32]>,
    /// The first row of each.
    rows: Vec<u32>,
    panes: Vec<i64>,
}

impl<'a> Heads<'a> {
    fn of(read: &'a Read<'_>, panes: &Panes<Pane>) -> Self {
        let [first, last] = read.bounds();
        let pane = panes.pane_of(first);
        if pane == panes.pane_of(last) {
            let mut rows = vec![0; read.of_row.iter().max().map_or(0, |last| *last as usize + 1)];
            for (row, number) in read.of_row.iter().enumerate().rev() {
                rows[*number as usize] = row as u32;
            }
            let panes = vec![pane; rows.len()];
            return Heads { of_row: Cow::Borrowed(&read.of_row), rows, panes };
        }
        let mut known: HashMap<(u32, i64), u32, foldhash::fast::FixedState> = HashMap::default();
        let (mut rows, mut of_head) = (Vec::new(), Vec::new());
        let mut head = |(row, (number, time)): (usize, (&u32, &i64))| {
            let pane = panes.pane_of(*time);
            *known.entry((*number, pane)).or_insert_with(|| {
                rows.push(row as u32);
                of_head.push(pane);
                rows.len() as u32 - 1
            })
        };
        let of_row = read.of_row.iter().zip(read.times.iter()).enumerate().map(&mut head).collect();
        Heads { of_row, rows, panes: of_head }
    }

    fn keys(&self, read: &Read<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        let numbers: Vec<u32> = self.rows.iter().map(|row| read.of_row[*row as usize]).collect();
        if numbers.iter().enumerate().all(|(at, number)| at == *number as usize) {
            return Ok(read.keys.iter().map(Arc::clone).collect());
        }
        let numbers = UInt32Array::from(numbers);
        read.keys.iter().map(|keys| take(keys, &numbers, None)).collect()
    }
}
