//! Batches as the lines of `watershed subscribe -o jsonl`, for endpoints that take text.

use std::fmt::Write as _;

use watershed_model::json::{Objects, quote};

use crate::endpoint::{Batch, Changes};

/// Each row as a JSON object, with the change of its multiplicity.
pub(crate) fn rows(changes: &Changes) -> impl Iterator<Item = (String, i64)> + '_ {
    let objects = Objects::of(&changes.rows);
    changes.diffs.iter().enumerate().map(move |(row, diff)| {
        let mut text = String::new();
        objects.object(&mut text, row, None);
        (text, *diff)
    })
}

/// A batch's lines; a snapshot begins with a restart line, and the last line is the progress.
pub(crate) fn of_batch(batch: &Batch) -> String {
    let mut text = String::new();
    let replaces = batch.snapshot && !batch.shape.append;
    if replaces {
        text.push_str("{\"restart\":\"a snapshot follows\"}\n");
    }
    let mut view = String::new();
    quote(&mut view, &batch.shape.view);
    let kind = if replaces { "snapshot" } else { "table" };
    for changes in &batch.changes {
        for (row, diff) in rows(changes) {
            writeln!(text, "{{\"{kind}\":{view},\"time\":{},\"diff\":{diff},\"row\":{row}}}", changes.time)
                .expect("text grows");
        }
    }
    writeln!(text, "{{\"progress\":{}}}", batch.frontier).expect("text grows");
    text
}
