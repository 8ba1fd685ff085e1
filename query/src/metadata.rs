//! Functions of what the cluster is known to be. A call is no look-up at run time: the plan is rewritten to a left join
//! with the state tables, so that one answer and a view that is kept up read the same facts, and a fact that comes
//! late corrects the view. A name means what it means at the time of the question; who had an address can be asked for a
//! time, and since when it was so.

mod functions;
mod lookups;
mod owner;
mod rewrite;
mod span;

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::prelude::SessionContext;
use watershed_model::DataType;

use crate::functions::{FunctionDoc, ways};
use functions::{FUNCTIONS, Function};

pub(crate) use lookups::Facts;
pub(crate) use rewrite::{Spans, join_facts};
pub(crate) use span::SPAN_OF;

/// The name under which SQL always finds a function.
const PREFIX: &str = "px_";

/// Whether a function looks the cluster's metadata up.
pub(crate) fn is_metadata(name: &str) -> bool {
    function_named(name).is_some()
}

fn function_named(name: &str) -> Option<&'static Function> {
    let bare = name.strip_prefix(PREFIX).unwrap_or(name);
    FUNCTIONS.iter().find(|function| function.name == bare)
}

/// Makes the functions known under both of their names.
pub(crate) fn register(context: &SessionContext) {
    for function in FUNCTIONS {
        let prefixed = Call { name: format!("{PREFIX}{}", function.name), function, signature: signature() };
        context.register_udf(ScalarUDF::from(prefixed).with_aliases([function.name]));
    }
}

/// The functions for `docs` and completions.
pub(crate) fn documented() -> impl Iterator<Item = FunctionDoc> {
    FUNCTIONS.iter().map(|function| FunctionDoc {
        name: format!("{PREFIX}{}", function.name).into(),
        signature: ways(function.name, ways_of(function).into_iter()).into(),
        doc: function.doc().into(),
    })
}

/// Name, arguments and result of every way to call one.
pub(crate) fn ways_to_call() -> impl Iterator<Item = (&'static str, &'static [DataType], DataType)> {
    let of = |function: &'static Function| {
        ways_of(function).into_iter().map(|(arguments, result)| (function.name, arguments, result))
    };
    FUNCTIONS.iter().flat_map(of)
}

/// Arguments after the first may be left out.
fn ways_of(function: &'static Function) -> Vec<(&'static [DataType], DataType)> {
    (1..=function.arguments.len()).map(|count| (&function.arguments[..count], function.result)).collect()
}

fn signature() -> Signature {
    Signature::user_defined(Volatility::Stable)
}

/// A call in a plan that was not rewritten yet.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Call {
    name: String,
    function: &'static Function,
    signature: Signature,
}

impl ScalarUDFImpl for Call {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[ArrowType]) -> Result<Vec<ArrowType>> {
        let wanted = self.function.arguments;
        let given: Option<Vec<DataType>> = arguments.iter().map(DataType::of_arrow).collect();
        // A bin of a time may have been made an integer.
        let fits = |(given, wanted): (&DataType, &DataType)| {
            given == wanted || (*wanted == DataType::Time64Ns && *given == DataType::Int64)
        };
        match given {
            Some(given) if (1..=wanted.len()).contains(&given.len()) && given.iter().zip(wanted).all(fits) => {
                Ok(wanted[..given.len()].iter().map(|data_type| data_type.arrow()).collect())
            }
            _ => {
                let names: Vec<&str> = wanted.iter().map(|data_type| data_type.name()).collect();
                Err(DataFusionError::Plan(format!("{} takes ({})", self.function.name, names.join(", "))))
            }
        }
    }

    fn return_type(&self, _: &[ArrowType]) -> Result<ArrowType> {
        Ok(self.function.result.arrow())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::Plan(format!("{} cannot stand here", self.function.name)))
    }
}

#[cfg(test)]
mod tests;
