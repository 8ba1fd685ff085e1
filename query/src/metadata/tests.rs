//! Every look-up can be planned, has a key and the columns that functions read.
use super::functions::{FUNCTIONS, Means};
use crate::script::Catalog;

#[test]
fn every_function_finds_its_column() {
    let catalog = Catalog::new();
    for function in FUNCTIONS {
        let (lookup, column) = match &function.means {
            Means::Column(lookup, column) => (lookup, *column),
            Means::Owner(lookup) => (lookup, "owners"),
            Means::Of(..) | Means::PodOrAddress | Means::BestName | Means::BestKind | Means::Nothing => continue,
        };
        let plan = catalog.facts.plan(*lookup);
        let schema = plan.schema();
        assert!(schema.has_column_with_unqualified_name("key"), "{lookup:?}");
        let field = schema.field_with_unqualified_name(column).unwrap_or_else(|e| panic!("{}: {e}", function.name));
        assert_eq!(field.data_type(), &function.result.arrow(), "{}", function.name);
    }
}
