//! `merge` and `append`.

use std::collections::HashSet;

use datafusion::common::{Column, JoinType};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::{Field, Frame, builder, planned};

/// Which rows without a partner stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum How {
    Inner,
    Left,
    Right,
    Outer,
}

/// What two frames are joined on.
pub(in super::super) struct Merge {
    pub(in super::super) how: How,
    pub(in super::super) left_on: Vec<String>,
    pub(in super::super) right_on: Vec<String>,
    pub(in super::super) suffixes: [String; 2],
}

impl Frame {
    /// Joins on equal keys; columns of the same name get a suffix.
    pub(in super::super) fn merge(&self, lineage: u64, other: &Frame, merge: &Merge) -> Result<Self, String> {
        let (left, right) = (self.flushed()?, other.flushed()?);
        if merge.left_on.len() != merge.right_on.len() || merge.left_on.is_empty() {
            let (left, right) = (merge.left_on.len(), merge.right_on.len());
            return Err(format!("left_on and right_on name as many columns, not {left} and {right}"));
        }
        for (on_left, on_right) in merge.left_on.iter().zip(&merge.right_on) {
            let (on_left, on_right) = (left.known(on_left)?, right.known(on_right)?);
            if on_left.data_type != on_right.data_type {
                return Err(format!(
                    "`{}` is {} and `{}` is {}; keys have the same type",
                    on_left.name,
                    on_left.data_type.name(),
                    on_right.name,
                    on_right.data_type.name()
                ));
            }
        }
        let clash = |name: &str| left.field(name).is_some() && right.field(name).is_some();
        let mut columns = Vec::new();
        let mut outputs = Vec::new();
        let sides = [(&left, "left", &merge.suffixes[0]), (&right, "right", &merge.suffixes[1])];
        for (side, qualifier, suffix) in sides {
            for field in side.columns() {
                let name = if clash(&field.name) { format!("{}{suffix}", field.name) } else { field.name.clone() };
                let column = Expr::Column(Column::new(Some(qualifier), &field.name));
                outputs.push(column.alias(&name));
                columns.push(Field { name, ..field.as_planned() });
            }
        }
        let mut names = HashSet::new();
        if let Some(twice) = columns.iter().find(|column| !names.insert(column.name.as_str())) {
            return Err(format!("there would be two columns `{}`; choose other suffixes", twice.name));
        }
        let kind = match merge.how {
            How::Inner => JoinType::Inner,
            How::Left => JoinType::Left,
            How::Right => JoinType::Right,
            How::Outer => JoinType::Full,
        };
        let keys = |qualifier: &str, names: &[String]| -> Vec<Column> {
            names.iter().map(|name| Column::new(Some(qualifier.to_owned()), name)).collect()
        };
        let right_plan = builder(&right).alias("right").and_then(LogicalPlanBuilder::build).map_err(planned)?;
        let plan = builder(&left)
            .alias("left")
            .and_then(|plan| {
                plan.join(right_plan, kind, (keys("left", &merge.left_on), keys("right", &merge.right_on)), None)
            })
            .and_then(|plan| plan.project(outputs))
            .and_then(LogicalPlanBuilder::build)
            .map_err(planned)?;
        let extent = left.data.extent.beside(right.data.extent).plus(3);
        left.successor(lineage, plan, columns, extent)
    }

    /// All rows of all frames, which have the same columns.
    pub(in super::super) fn append(&self, lineage: u64, others: &[Frame]) -> Result<Self, String> {
        let first = self.flushed()?;
        let names: Vec<String> = first.columns().iter().map(|field| field.name.clone()).collect();
        let mut union = builder(&first);
        let mut extent = first.data.extent;
        for other in others {
            for field in first.columns() {
                let same = other.known(&field.name)?;
                if same.data_type != field.data_type {
                    let (here, there) = (field.data_type.name(), same.data_type.name());
                    return Err(format!("`{}` is {here} here and {there} in what is appended", field.name));
                }
            }
            if let Some(more) = other.columns().iter().find(|field| first.field(&field.name).is_none()) {
                return Err(format!("what is appended has a column `{}` that is not here", more.name));
            }
            let other = other.keep(&names)?.flushed()?;
            extent = extent.beside(other.data.extent);
            let plan: LogicalPlan = other.data.plan.clone();
            union = union.union(plan).map_err(planned)?;
        }
        let plan = union.build().map_err(planned)?;
        first.successor(lineage, plan, first.data.columns.clone(), extent.plus(1))
    }
}
