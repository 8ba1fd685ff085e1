//! The calendar of a sliding window: rows or sums by pane, put into the view when their pane enters and taken back
//! when it leaves. A tick costs what it changes.

use std::collections::BTreeMap;
use std::ops::Range;

use watershed_query::view::Window;

/// Whether a pane's contents are in the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Waiting,
    Inside,
    Left,
}

/// Contents by pane.
pub(crate) struct Panes<C> {
    window: Option<Window>,
    panes: BTreeMap<i64, (bool, C)>,
}

/// The pane of rows that are not in a window.
const ALWAYS: i64 = i64::MIN;

impl<C: Default> Panes<C> {
    pub(crate) fn new(window: Option<Window>) -> Self {
        let window = window.filter(|window| window.pane_ns > 0);
        Panes { window, panes: BTreeMap::new() }
    }

    /// The pane of a row.
    pub(crate) fn pane_of(&self, time_ns: i64) -> i64 {
        self.window.map_or(ALWAYS, |window| window.pane_of(time_ns))
    }

    /// Whether panes leave again.
    pub(crate) fn leave(&self) -> bool {
        self.window.is_some_and(|window| window.age_ns.is_some())
    }

    /// Whether contents of a pane are to be kept, because they will enter or leave.
    pub(crate) fn keeps(&self, standing: Standing) -> bool {
        match standing {
            Standing::Waiting => true,
            Standing::Inside => self.leave(),
            Standing::Left => false,
        }
    }

    /// Where a pane stands at a time.
    pub(crate) fn standing(&self, pane: i64, now_ns: i64) -> Standing {
        let Some(window) = self.window else { return Standing::Inside };
        if window.contains(pane, now_ns) {
            return Standing::Inside;
        }
        let left = window.age_ns.is_some_and(|age| pane < window.pane_of(now_ns - age));
        if left { Standing::Left } else { Standing::Waiting }
    }

    /// Takes out the panes that left by a time, with whether each was inside.
    pub(crate) fn left(&mut self, now_ns: i64) -> Vec<(bool, C)> {
        let Some((window, age)) = self.window.and_then(|window| Some((window, window.age_ns?))) else {
            return Vec::new();
        };
        let first = window.pane_of(now_ns - age);
        let mut left = Vec::new();
        while let Some(pane) = self.panes.first_entry().filter(|pane| *pane.key() < first) {
            left.push(pane.remove());
        }
        left
    }

    /// Lets in the panes whose time has come.
    pub(crate) fn entered(&mut self, now_ns: i64) -> Vec<i64> {
        let Some(window) = self.window.filter(|window| window.delay_ns.is_some()) else { return Vec::new() };
        let mut entered = Vec::new();
        for (pane, (inside, _)) in &mut self.panes {
            if !*inside && window.contains(*pane, now_ns) {
                *inside = true;
                entered.push(*pane);
            }
        }
        entered
    }

    /// Takes out the panes that are inside, if none of them will leave.
    pub(crate) fn settled(&mut self) -> Vec<C> {
        if self.leave() {
            return Vec::new();
        }
        self.panes.extract_if(.., |_, (inside, _)| *inside).map(|(_, (_, contents))| contents).collect()
    }

    /// Whether rows of a pane are late by more than a pane.
    pub(crate) fn is_past(&self, pane: i64, now_ns: i64) -> bool {
        self.window.is_some_and(|window| pane < window.pane_of(now_ns - window.pane_ns))
    }

    /// The contents of a pane.
    pub(crate) fn get(&self, pane: i64) -> Option<&C> {
        self.panes.get(&pane).map(|(_, contents)| contents)
    }

    /// As `get`, to be changed.
    pub(crate) fn get_mut(&mut self, pane: i64) -> Option<&mut C> {
        self.panes.get_mut(&pane).map(|(_, contents)| contents)
    }

    /// The contents that are inside.
    pub(crate) fn inside(&self) -> impl Iterator<Item = &C> {
        self.panes.values().filter(|(inside, _)| *inside).map(|(_, contents)| contents)
    }

    /// The first nanosecond of the oldest pane that is inside or waiting at a time.
    pub(crate) fn first(&self, now_ns: i64) -> i64 {
        let first = self.window.and_then(|window| Some(window.pane_of(now_ns - window.age_ns?)));
        first.unwrap_or(ALWAYS)
    }

    /// The first nanosecond of the pane after one.
    pub(crate) fn end_of(&self, pane: i64) -> i64 {
        self.window.map_or(i64::MAX, |window| pane.saturating_add(window.pane_ns))
    }

    /// The panes that reach into a span of time.
    pub(crate) fn reaching(&self, times: Range<i64>) -> impl Iterator<Item = (i64, &C)> {
        let first = self.pane_of(times.start);
        self.panes.range(first..times.end.max(first)).map(|(pane, (_, contents))| (*pane, contents))
    }

    /// The contents of a pane that has not left.
    pub(crate) fn contents(&mut self, pane: i64, standing: Standing) -> &mut C {
        let (inside, contents) = self.panes.entry(pane).or_default();
        *inside |= standing == Standing::Inside;
        contents
    }
}
