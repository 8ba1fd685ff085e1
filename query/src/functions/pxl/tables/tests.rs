//! Table functions as tables: rows where this system knows some, columns always, once and kept up.
#![allow(clippy::unwrap_used)]

use super::super::tests::check;
use super::{SCHEMAS, is_one};
use crate::lower;
use crate::script::{Catalog, compile};

#[test]
fn tables_and_functions_are_listed() {
    check(&[
        ("count(*) FROM px_GetTables WHERE table_name = 'http_events'", "1"),
        ("column_type FROM \"px_GetSchemas\" WHERE table_name = 'http_events' AND column_name = 'time_'", "TIME64NS"),
        ("args FROM px_getudflist WHERE name = 'substring'", "STRING, INT64, INT64"),
        ("count(*) FROM px_GetUDAList WHERE name = 'mean'", "3"),
        ("init_args FROM px_GetUDTFList WHERE name = 'GetAgentStatus'", "include_kelvin:BOOLEAN"),
        ("version <> '' FROM px_Version", "true"),
    ]);
}

#[test]
fn every_table_has_its_columns_and_can_be_a_view() {
    let catalog = Catalog::new();
    for schema in &SCHEMAS {
        let script = compile(&catalog, &format!("SELECT * FROM \"px_{}\"", schema.name), "test").unwrap();
        let table = &script.tables[0];
        let columns = table.columns.iter().map(|column| (column.name.as_str(), column.data_type));
        assert!(columns.eq(schema.columns.iter().map(|(name, kind)| (*name, kind.name()))), "{}", schema.name);
        lower(&catalog, table).unwrap();
    }
}

#[test]
fn their_names_are_taken() {
    let catalog = Catalog::new();
    assert!(is_one("px_getTables") && !is_one("GetTables"));
    assert!(catalog.define_view("px_GetTables", "SELECT 1 AS one").is_err());
    assert!(!catalog.drop_view("px_GetTables"));
    assert!(compile(&catalog, "SELECT * FROM px_GetTables", "test").is_ok());
}
