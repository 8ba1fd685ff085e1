//! Every look-up can be planned, has a key and the columns that functions read.
use watershed_model::DataType;

use super::functions::{FUNCTIONS, Means};
use super::lookups::Lookup;
use crate::script::Catalog;

#[test]
fn every_function_finds_its_column() {
    let catalog = Catalog::new();
    for function in FUNCTIONS {
        let (lookup, column) = match &function.means {
            Means::Column(lookup, column) => (lookup, *column),
            Means::Owner(lookup) => (lookup, "owners"),
            Means::Since => (&Lookup::AddressSpans, "spans"),
            Means::Of(..)
            | Means::ContainerName
            | Means::PodOrAddress
            | Means::BestName
            | Means::BestKind
            | Means::Nothing => continue,
        };
        let plan = catalog.facts.plan(*lookup);
        let schema = plan.schema();
        assert!(schema.has_column_with_unqualified_name("key"), "{lookup:?}");
        let field = schema.field_with_unqualified_name(column).unwrap_or_else(|e| panic!("{}: {e}", function.name));
        let told = if function.means == Means::Since { DataType::String } else { function.result };
        assert_eq!(field.data_type(), &told.arrow(), "{}", function.name);
    }
}
