//! PxL's aggregates. Each is one of ours or DataFusion's with something before or after it, and the analyzer writes
//! it so: both ways of running then see only aggregates that they know.

mod expand;
mod shown;
mod stacks;

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::prelude::SessionContext;
use watershed_model::DataType as Type;

use super::super::FunctionDoc;
use super::{B, F, I, S, T, U, choose, ways};

/// What an aggregate is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Meaning {
    Smallest,
    Mean,
    Sum,
    Largest,
    Count,
    Quantiles,
    Sample,
    Stacks,
    /// An empty text for every group.
    Nothing,
}

/// One aggregate.
#[derive(Debug)]
struct Entry {
    name: &'static str,
    overloads: &'static [(&'static [Type], Type)],
    meaning: Meaning,
    doc: &'static str,
}

static ENTRIES: [Entry; 11] = [
    Entry {
        name: "any",
        overloads: &[(&[B], B), (&[I], I), (&[F], F), (&[T], T), (&[S], S), (&[U], U)],
        meaning: Meaning::Smallest,
        doc: "One value of a group: the smallest, so that it is the same each time.",
    },
    Entry {
        name: "mean",
        overloads: &[(&[F], F), (&[I], F), (&[B], F)],
        meaning: Meaning::Mean,
        doc: "Mean of a group; of truth values, the fraction that is true.",
    },
    Entry {
        name: "sum",
        overloads: &[(&[F], F), (&[I], I), (&[B], I)],
        meaning: Meaning::Sum,
        doc: "Sum of a group; of truth values, how many are true.",
    },
    Entry {
        name: "max",
        overloads: &[(&[F], F), (&[I], I), (&[T], T)],
        meaning: Meaning::Largest,
        doc: "Largest value of a group; of floats, at least 2.2e-308, as in PxL.",
    },
    Entry {
        name: "min",
        overloads: &[(&[F], F), (&[I], I), (&[T], T)],
        meaning: Meaning::Smallest,
        doc: "Smallest value of a group.",
    },
    Entry {
        name: "count",
        overloads: &[(&[F], I), (&[I], I), (&[T], I), (&[B], I), (&[S], I), (&[U], I)],
        meaning: Meaning::Count,
        doc: "Rows of a group.",
    },
    Entry {
        name: "quantiles",
        overloads: &[(&[I], S), (&[F], S)],
        meaning: Meaning::Quantiles,
        doc: "JSON of a group's quantiles p01, p10, p25, p50, p75, p90 and p99, within 1.6 %.",
    },
    Entry {
        name: "sample",
        overloads: &[(&[S], S)],
        meaning: Meaning::Sample,
        doc: "One text of a group, chosen by its hash, so that it is the same each time.",
    },
    Entry {
        name: "pprof",
        overloads: &[(&[S, I, I], S)],
        meaning: Meaning::Stacks,
        doc: "Folded stacks of a group, one a line in order: frames, a space, and the sum of counts; not PxL's encoded \
              profile. The period is not part of it. The only aggregate of its group-by.",
    },
    Entry {
        name: "_build_request_path_clusters",
        overloads: &[(&[S], S)],
        meaning: Meaning::Nothing,
        doc: "Empty: paths are not clustered; http_endpoint has the shape of a path.",
    },
    Entry {
        name: "_kmeans_fit",
        overloads: &[(&[S, I], S)],
        meaning: Meaning::Nothing,
        doc: "Empty: there are no clusters of embeddings.",
    },
];

/// Makes the aggregates known as `px_<name>`, and as `<name>` where the context has none of that name.
pub(super) fn register(context: &SessionContext) {
    for entry in &ENTRIES {
        context.register_udaf(AggregateUDF::from(Named::new(entry, format!("px_{}", entry.name))));
        let known = context.state_ref().read().aggregate_functions().contains_key(entry.name);
        // `any` is a word of SQL.
        if !known && entry.name != "any" {
            context.register_udaf(AggregateUDF::from(Named::new(entry, entry.name.to_owned())));
        }
    }
    context.add_analyzer_rule(Arc::new(expand::Expand::new(&context.state())));
}

/// The aggregates for `docs` and completions.
pub(super) fn documented() -> impl Iterator<Item = FunctionDoc> {
    ENTRIES.iter().map(|entry| FunctionDoc {
        name: format!("px_{}", entry.name).into(),
        signature: ways(entry.name, entry.overloads.iter().copied()).into(),
        doc: entry.doc.into(),
    })
}

/// Name, arguments and result of every way to call an aggregate.
pub(super) fn ways_to_call() -> impl Iterator<Item = (&'static str, &'static [Type], Type)> {
    let of =
        |entry: &'static Entry| entry.overloads.iter().map(|(arguments, result)| (entry.name, *arguments, *result));
    ENTRIES.iter().flat_map(of)
}

/// An aggregate under one of its names: types only, as it is written as another one before it runs.
#[derive(Debug)]
struct Named {
    entry: &'static Entry,
    name: String,
    signature: Signature,
}

impl Named {
    fn new(entry: &'static Entry, name: String) -> Self {
        Named { entry, name, signature: Signature::user_defined(Volatility::Immutable) }
    }

    fn way(&self, arguments: &[DataType]) -> Result<(&'static [Type], Type)> {
        let overloads = self.entry.overloads;
        let at = choose(overloads.iter().map(|(arguments, _)| *arguments), arguments);
        at.and_then(|at| overloads.get(at).copied()).ok_or_else(|| {
            let signature = ways(self.entry.name, overloads.iter().copied());
            DataFusionError::Plan(format!("{} takes {signature}", self.name))
        })
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Named {}

impl std::hash::Hash for Named {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl AggregateUDFImpl for Named {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(self.way(arguments)?.0.iter().map(|kind| kind.arrow()).collect())
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(self.way(arguments)?.1.arrow())
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Err(DataFusionError::NotImplemented(format!("{} outside of a group", self.name)))
    }

    fn state_fields(&self, _args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests;
