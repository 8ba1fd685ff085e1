//! The functions that scripts have beside DataFusion's, and those of DataFusion's whose answer would depend on the
//! order of rows, replaced under the same names. `lower` knows aggregates by these names. PxL's are `px_<name>`, and
//! `<name>` where nothing else has it. Both languages call the same ones.

mod endpoint;
mod fold;
mod last;
mod lines;
mod own;
mod pxl;
mod quantiles;
mod scalars;
mod sums;

use std::borrow::Cow;

use datafusion::prelude::SessionContext;

use own::Udf;
pub(crate) use pxl::{is_table, register_status, ways};
pub use quantiles::quantile_of;

/// A function for `docs` and completions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDoc {
    /// What scripts call.
    pub name: Cow<'static, str>,
    /// Arguments and result.
    pub signature: Cow<'static, str>,
    /// What it does, in one or two sentences.
    pub doc: Cow<'static, str>,
}

impl FunctionDoc {
    /// Whether a word is anywhere in it, in small or large letters; the empty word always is.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        [&self.name, &self.signature, &self.doc].iter().any(|text| text.to_lowercase().contains(&word))
    }
}

/// Makes the functions known to a context.
pub fn register(context: &SessionContext) {
    for (_, _, make) in &own::FUNCTIONS {
        match make() {
            Udf::Scalar(function) => context.register_udf(function),
            Udf::Aggregate(function) => context.register_udaf(function),
        }
    }
    pxl::register(context);
    crate::metadata::register(context);
}

/// What [`register`] makes known, in alphabetical order.
#[must_use]
pub fn documented() -> Vec<FunctionDoc> {
    let own = own::FUNCTIONS.iter().map(|(signature, doc, _)| FunctionDoc {
        name: signature.split('(').next().unwrap_or_default().into(),
        signature: (*signature).into(),
        doc: (*doc).into(),
    });
    let mut all: Vec<_> = own.chain(pxl::documented()).chain(crate::metadata::documented()).collect();
    all.sort_by(|left, right| left.name.cmp(&right.name));
    all
}

#[cfg(test)]
mod tests;
