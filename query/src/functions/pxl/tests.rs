//! How functions are called: overloads, NULL, constants, names; and `check`, which all subjects' tests use.
#![allow(clippy::unwrap_used)]

use datafusion::prelude::{SessionConfig, SessionContext};

use super::entries;
use crate::functions::{documented, register};

/// What an expression of constants is, as text; `NULL` for NULL.
pub(super) fn value_of(expression: &str) -> Result<String, String> {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    register(&context);
    let run = async { context.sql(&format!("SELECT {expression}")).await?.collect().await };
    let batches = futures::executor::block_on(run).map_err(|error| error.strip_backtrace())?;
    let value = datafusion::scalar::ScalarValue::try_from_array(batches[0].column(0), 0).unwrap();
    Ok(value.to_string())
}

pub(super) fn check(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        assert_eq!(value_of(expression).as_deref(), Ok(*expected), "{expression}");
    }
}

#[test]
fn null_in_is_null_out() {
    check(&[("px_length(NULL)", "NULL"), ("px_contains('a', NULL)", "NULL"), ("px_substring(NULL, 1, 2)", "NULL")]);
}

#[test]
fn the_wrong_arguments_are_told_the_right_ones() {
    let error = value_of("px_length(1.5)").unwrap_err();
    assert!(error.contains("px_length(STRING) -> INT64"), "{error}");
}

#[test]
fn columns_and_constants_give_the_same() {
    check(&[
        ("px_length(x) FROM (VALUES ('abc')) t(x)", "3"),
        ("length('abc')", "3"),
        ("px_length(concat('a', 'b'))", "2"),
    ]);
}

#[test]
fn every_function_has_a_name_of_its_own_and_is_documented() {
    let documented = documented();
    let mut names: Vec<&str> = entries().map(|entry| entry.name).collect();
    names.iter().for_each(|name| assert!(documented.iter().any(|doc| doc.name == format!("px_{name}")), "{name}"));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
