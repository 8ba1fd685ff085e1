//! The rows of the view that a detector reads, and the features that they are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use watershed_detectors::Observation;
use watershed_detectors::manifest::{Combine, Manifest};

use crate::format::json;
use crate::rows::Changes;

/// Rows that a flag's evidence holds at most.
const EVIDENCE_ROWS: usize = 10;
/// Between the values of a subject of several columns.
const BETWEEN: &str = " ";

/// Rows with their multiplicities.
#[derive(Default)]
pub(super) struct ViewRows {
    form: Option<(SchemaRef, RowConverter)>,
    counts: HashMap<Box<[u8]>, i64>,
}

impl ViewRows {
    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes changes in.
    pub(super) fn apply(&mut self, changes: &Changes) -> Result<()> {
        let encoded = self.encode(&changes.rows)?;
        for (row, diff) in encoded.iter().zip(&changes.diffs) {
            let count = self.counts.entry(row.as_ref().into()).or_default();
            *count += diff;
            if *count == 0 {
                self.counts.remove(row.as_ref());
            }
        }
        Ok(())
    }

    fn encode(&mut self, rows: &RecordBatch) -> Result<Rows> {
        if self.form.as_ref().is_none_or(|(schema, _)| *schema != rows.schema()) {
            let fields = rows.schema().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
            self.form = Some((rows.schema(), RowConverter::new(fields)?));
        }
        let (_, converter) = self.form.as_ref().context("the converter was just made")?;
        Ok(converter.convert_columns(rows.columns())?)
    }

    /// All rows, in the order of their bytes so that batches are the same whenever the rows are.
    fn batch(&self) -> Result<Option<RecordBatch>> {
        let Some((schema, converter)) = &self.form else { return Ok(None) };
        let mut rows: Vec<&[u8]> =
            self.counts.iter().filter(|(_, count)| **count > 0).map(|(row, _)| row.as_ref()).collect();
        rows.sort_unstable();
        let parser = converter.parser();
        let columns = converter.convert_rows(rows.into_iter().map(|row| parser.parse(row)))?;
        Ok(Some(RecordBatch::try_new(Arc::clone(schema), columns)?))
    }

    /// What the rows say of each subject.
    pub(super) fn features(&self, manifest: &Manifest) -> Result<Features> {
        let rows = match self.batch()? {
            Some(rows) if rows.num_rows() > 0 => rows,
            Some(_) | None => return Ok(Features::default()),
        };
        let subjects = manifest.subject.iter().map(|name| texts(&rows, name)).collect::<Result<Vec<_>>>()?;
        let features = manifest.features.iter().map(|name| numbers(&rows, name)).collect::<Result<Vec<_>>>()?;
        let only = manifest.only.iter().map(|(name, values)| Ok((texts(&rows, name)?, values)));
        let only = only.collect::<Result<Vec<_>>>()?;
        let mut rows_by_subject: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in 0..rows.num_rows() {
            if !only.iter().all(|(found, values)| values.contains(&found[row])) {
                continue;
            }
            let values: Vec<&str> = subjects.iter().map(|values| values[row].as_str()).collect();
            rows_by_subject.entry(values.join(BETWEEN)).or_default().push(row);
        }
        Ok(Features { rows: Some(rows), features, rows_by_subject })
    }
}

/// Features by subject, with the rows that they come from.
#[derive(Default)]
pub(super) struct Features {
    rows: Option<RecordBatch>,
    features: Vec<Vec<f32>>,
    rows_by_subject: BTreeMap<String, Vec<usize>>,
}

impl Features {
    /// One observation a subject.
    pub(super) fn observations(&self, manifest: &Manifest) -> Vec<Observation> {
        let combined = |(at, name): (usize, &String), rows: &[usize]| {
            let combine = manifest.combine.get(name).copied().unwrap_or(Combine::Max);
            combine_all(combine, rows.iter().map(|&row| self.features[at][row]))
        };
        let observation = |(subject, rows): (&String, &Vec<usize>)| Observation {
            subject: subject.clone(),
            features: manifest.features.iter().enumerate().map(|feature| combined(feature, rows)).collect(),
        };
        self.rows_by_subject.iter().map(observation).collect()
    }

    /// The rows that contributed to a subject's features, as JSON objects.
    pub(super) fn contributed(&self, subject: &str) -> Vec<serde_json::Value> {
        let (Some(rows), Some(positions)) = (&self.rows, self.rows_by_subject.get(subject)) else { return Vec::new() };
        let objects = positions.iter().take(EVIDENCE_ROWS).flat_map(|&row| json::objects(&rows.slice(row, 1)));
        objects.filter_map(|text| serde_json::from_str(&text).ok()).collect()
    }

    /// A subject's parts by column.
    pub(super) fn parts(&self, manifest: &Manifest, subject: &str) -> serde_json::Map<String, serde_json::Value> {
        let row = self.contributed(subject).into_iter().next();
        let part = |name: &String| Some((name.clone(), row.as_ref()?.get(name)?.clone()));
        manifest.subject.iter().filter_map(part).collect()
    }
}

fn combine_all(combine: Combine, values: impl Iterator<Item = f32> + Clone) -> f32 {
    let sum = || values.clone().map(f64::from).sum::<f64>();
    match combine {
        Combine::Max => values.reduce(f32::max).unwrap_or_default(),
        Combine::Min => values.reduce(f32::min).unwrap_or_default(),
        Combine::Sum => sum() as f32,
        Combine::Mean => (sum() / values.clone().count().max(1) as f64) as f32,
    }
}

fn texts(rows: &RecordBatch, name: &str) -> Result<Vec<String>> {
    let column = rows.column_by_name(name).with_context(|| format!("the view has no column `{name}`"))?;
    let text = cast(column, &DataType::Utf8).unwrap_or_else(|_| Arc::clone(column));
    let value = |row| match text.data_type() {
        DataType::Utf8 => text.as_string::<i32>().value(row).to_owned(),
        _ => arrow::util::display::array_value_to_string(&text, row).unwrap_or_default(),
    };
    Ok((0..rows.num_rows()).map(value).collect())
}

/// Numbers, NaN where there is none.
fn numbers(rows: &RecordBatch, name: &str) -> Result<Vec<f32>> {
    let column = rows.column_by_name(name).with_context(|| format!("the view has no column `{name}`"))?;
    let numbers = cast(column, &DataType::Float32).with_context(|| format!("`{name}` is not a number"))?;
    Ok(numbers.as_primitive::<Float32Type>().iter().map(|value| value.unwrap_or(f32::NAN)).collect())
}
