//! `sum` and `avg` whose answers do not depend on the order of rows: floats are added as fixed point of 2^-32
//! (`model::fixed`), integers as integers. Other types are summed by DataFusion.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, SetMonotonicity, Signature, Volatility,
};
use watershed_model::Fixed;

use super::fold::{Fold, Folding, Rows};

/// `sum`: fixed point for floats, DataFusion's own for the rest.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sum {
    plain: Arc<AggregateUDF>,
}

impl Sum {
    pub(crate) fn new() -> Self {
        Sum { plain: sum_udaf() }
    }
}

fn fixed_sum(args: &AccumulatorArgs<'_>) -> bool {
    args.return_type() == &DataType::Float64 && !args.is_distinct
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.plain.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.plain.return_type(arguments)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if fixed_sum(&args) {
            return Ok(Folding::single(Numbers { result: Made::Sum }));
        }
        self.plain.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if args.return_type() == &DataType::Float64 && !args.is_distinct {
            return Ok(lanes(args.name));
        }
        self.plain.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        fixed_sum(&args) || self.plain.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        if fixed_sum(&args) {
            return Ok(Folding::grouped(Numbers { result: Made::Sum }));
        }
        self.plain.create_groups_accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if fixed_sum(&args) {
            return Ok(Folding::single(Numbers { result: Made::Sum }));
        }
        self.plain.create_sliding_accumulator(args)
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.plain.inner().set_monotonicity(data_type)
    }
}

/// `avg`: the exact sum divided once by the count.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Avg {
    signature: Signature,
    aliases: Vec<String>,
}

impl Avg {
    pub(crate) fn new() -> Self {
        Avg { signature: Signature::user_defined(Volatility::Immutable), aliases: vec!["mean".into()] }
    }
}

impl AggregateUDFImpl for Avg {
    fn name(&self) -> &str {
        "avg"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [only] => Ok(vec![lane_type("avg", only)?]),
            _ => Err(DataFusionError::Plan("avg takes one argument".into())),
        }
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        no_distinct("avg", &args)?;
        Ok(Folding::single(Numbers { result: Made::Mean }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(lanes(args.name))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Folding::grouped(Numbers { result: Made::Mean }))
    }
}

/// The type that an argument is read as: `Int64` or `Float64`.
pub(crate) fn lane_type(function: &str, argument: &DataType) -> Result<DataType> {
    match argument {
        DataType::Null => Ok(DataType::Float64),
        DataType::UInt64 => Ok(DataType::Float64),
        integer if integer.is_integer() => Ok(DataType::Int64),
        number if number.is_numeric() => Ok(DataType::Float64),
        other => Err(DataFusionError::Plan(format!("{function} takes numbers, not {other}"))),
    }
}

/// DISTINCT that the optimizer did not turn into a group-by.
pub(crate) fn no_distinct(function: &str, args: &AccumulatorArgs<'_>) -> Result<()> {
    if args.is_distinct {
        return Err(DataFusionError::NotImplemented(format!(
            "{function}(DISTINCT …) beside other aggregates; select the distinct values in a subquery"
        )));
    }
    Ok(())
}

fn lanes(name: &str) -> Vec<FieldRef> {
    let lane = |lane| Arc::new(Field::new(format_state_name(name, lane), DataType::Int64, false));
    vec![lane("whole"), lane("parts"), lane("count")]
}

#[derive(Debug, Clone, Copy)]
enum Made {
    Sum,
    Mean,
}

#[derive(Debug)]
struct Numbers {
    result: Made,
}

#[derive(Debug, Default)]
struct Total {
    sum: Fixed,
    count: i64,
}

impl Fold for Numbers {
    type Group = Total;
    const RETRACTS: bool = true;

    fn update(&self, rows: &Rows<'_>, values: &[ArrayRef], times: i64, groups: &mut [Total]) -> Result<()> {
        let mut add = |group: usize, value: Fixed| {
            groups[group].sum.add(value, times);
            groups[group].count += times;
        };
        if let Some(integers) = values[0].as_primitive_opt::<Int64Type>() {
            for (row, group) in rows.each().filter(|(row, _)| integers.is_valid(*row)) {
                add(group, Fixed { whole: integers.value(row), parts: 0 });
            }
        } else {
            let floats = values[0].as_primitive::<Float64Type>();
            for (row, group) in rows.each().filter(|(row, _)| floats.is_valid(*row)) {
                add(group, Fixed::of(floats.value(row)));
            }
        }
        Ok(())
    }

    fn merge(&self, rows: &Rows<'_>, states: &[ArrayRef], groups: &mut [Total]) -> Result<()> {
        let [whole, parts, count] = states else {
            return Err(DataFusionError::Internal("a sum has three lanes".into()));
        };
        let lane = |array: &ArrayRef| array.as_primitive::<Int64Type>().clone();
        let (whole, parts, count) = (lane(whole), lane(parts), lane(count));
        for (row, group) in rows.each() {
            groups[group].sum.add(Fixed { whole: whole.value(row), parts: parts.value(row) }, 1);
            groups[group].count += count.value(row);
        }
        Ok(())
    }

    fn state(&self, groups: &[Total]) -> Result<Vec<ArrayRef>> {
        let lane =
            |of: fn(&Total) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(groups.iter().map(of))) };
        Ok(vec![lane(|total| total.sum.whole), lane(|total| total.sum.parts), lane(|total| total.count)])
    }

    fn finish(&self, groups: &[Total]) -> Result<ArrayRef> {
        let results = groups.iter().map(|total| {
            let sum = total.sum.value();
            (total.count > 0).then(|| match self.result {
                Made::Sum => sum,
                Made::Mean => sum / total.count as f64,
            })
        });
        Ok(Arc::new(Float64Array::from_iter(results)))
    }

    fn heap_bytes(_group: &Total) -> usize {
        0
    }
}
