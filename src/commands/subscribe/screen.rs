//! The rows of a subscription as a table: redrawn in place on a terminal, printed after changes elsewhere.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use crossterm::cursor::{MoveToColumn, MoveUp};
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType, size};

use crate::format::table::{cells_of, render, titles};
use crate::rows::{Event, TableSchema};

/// Shortest time between two drawings.
const PAUSE: Duration = Duration::from_millis(100);
/// Rows kept for drawing; what is beyond is counted, not shown.
const MOST_ROWS: usize = 100_000;

/// All rows, by table, as texts.
pub(super) struct Screen {
    terminal: bool,
    schema: Vec<TableSchema>,
    rows: BTreeMap<String, BTreeMap<Vec<String>, i64>>,
    /// Rows that had no room.
    left_out: u64,
    time: Option<u64>,
    changed: bool,
    drawn: Option<Instant>,
    /// Lines that the last drawing took.
    lines: u16,
}

impl Screen {
    pub(super) fn new(terminal: bool) -> Self {
        Self {
            terminal,
            schema: Vec::new(),
            rows: BTreeMap::new(),
            left_out: 0,
            time: None,
            changed: true,
            drawn: None,
            lines: 0,
        }
    }

    /// Takes an event in, and draws at progress marks.
    pub(super) fn apply(&mut self, event: Event, output: &mut impl Write) -> io::Result<()> {
        match event {
            Event::Schema(schema) => self.schema = schema,
            Event::Restart(_) => {
                self.rows.clear();
                self.left_out = 0;
                self.changed = true;
            }
            Event::Changes(changes) => {
                self.changed = true;
                let Some(table) = self.schema.iter().find(|table| table.name == changes.table) else { return Ok(()) };
                let cells = cells_of(&changes.rows, &table.columns);
                let rows = self.rows.entry(changes.table).or_default();
                for (row, diff) in cells.into_iter().zip(&changes.diffs) {
                    if rows.len() >= MOST_ROWS && !rows.contains_key(&row) {
                        self.left_out += 1;
                        continue;
                    }
                    let count = rows.entry(row.clone()).or_default();
                    *count += diff;
                    if *count == 0 {
                        rows.remove(&row);
                    }
                }
            }
            Event::Progress(time) => {
                self.time = Some(time);
                let rested = self.drawn.is_none_or(|drawn| drawn.elapsed() >= PAUSE);
                if rested && (self.changed || self.terminal) {
                    self.draw(output)?;
                    self.drawn = Some(Instant::now());
                }
            }
        }
        Ok(())
    }

    /// Draws what there is, over what was drawn before.
    pub(super) fn draw(&mut self, output: &mut impl Write) -> io::Result<()> {
        let Some(time) = self.time else { return Ok(()) };
        if !self.terminal {
            if self.changed {
                write!(output, "{}\n{}\n", rfc3339(time), self.text(None, usize::MAX))?;
            }
            self.changed = false;
            return output.flush();
        }
        let (width, height) = size().unwrap_or((120, 40));
        let text = self.text(Some(usize::from(width)), usize::from(height).saturating_sub(3));
        let text = format!("{}\n{text}", rfc3339(time));
        if self.lines > 0 {
            queue!(output, MoveUp(self.lines), MoveToColumn(0))?;
        }
        queue!(output, Clear(ClearType::FromCursorDown))?;
        output.write_all(text.as_bytes())?;
        self.lines = u16::try_from(text.lines().count()).unwrap_or(u16::MAX);
        self.changed = false;
        output.flush()
    }

    fn text(&self, width: Option<usize>, height: usize) -> String {
        let each = height / self.schema.len().max(1);
        let mut text = String::new();
        for table in &self.schema {
            if self.schema.len() > 1 {
                text += &format!("{}\n", table.name);
            }
            let rows = self.rows.get(&table.name);
            let repeated = rows
                .into_iter()
                .flatten()
                .flat_map(|(row, count)| std::iter::repeat_n(row, usize::try_from(*count).unwrap_or_default()));
            let total: i64 = rows.into_iter().flatten().map(|(_, count)| (*count).max(0)).sum();
            let shown: Vec<_> = repeated.take(each.saturating_sub(2)).cloned().collect();
            text += &render(&titles(&table.columns), &shown, width);
            let hidden = total as u64 - shown.len() as u64 + self.left_out;
            if hidden > 0 {
                text += &format!("… {hidden} more rows\n");
            }
        }
        text
    }
}

fn rfc3339(milliseconds: u64) -> String {
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + Duration::from_millis(milliseconds)).to_string()
}
