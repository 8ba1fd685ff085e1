//! Statements without literals: strings, numbers, comments, own parameters, no SQL.

use proptest::prelude::*;

use super::super::tests::check;
use super::{mysql, pgsql};

#[test]
fn literals_become_numbered_parameters() {
    check(&[
        (
            "px_normalize_pgsql('SELECT * FROM t WHERE a=''x'' AND b = 1.5 -- 7', 'QUERY')",
            r#"{"query":"SELECT * FROM t WHERE a=$1 AND b = $2 -- 7","params":["'x'","1.5"],"error":""}"#,
        ),
        (
            r#"px_normalize_pgsql('SELECT "c" FROM t WHERE a=$3 AND b IN (1, 2)', 'Execute')"#,
            r#"{"query":"SELECT \"c\" FROM t WHERE a=$3 AND b IN ($4, $5)","params":["1","2"],"error":""}"#,
        ),
        ("px_normalize_pgsql('', 'PARSE')", r#"{"query":"","params":[],"error":""}"#),
        ("px_normalize_pgsql('x', 'BIND')", r#"{"query":"","params":[],"error":"command BIND has no statement"}"#),
    ]);
}

#[test]
fn literals_become_question_marks() {
    check(&[
        (
            r#"px_normalize_mysql('SELECT `a` FROM t WHERE b="ä" AND c = -3', 3)"#,
            r#"{"query":"SELECT `a` FROM t WHERE b=? AND c = -?","params":["\"ä\"","3"],"error":""}"#,
        ),
        (
            "px_normalize_mysql('INSERT INTO t VALUES (?, ''it''''s'')', 23)",
            r#"{"query":"INSERT INTO t VALUES (?, ?)","params":["'it''s'"],"error":""}"#,
        ),
        ("px_normalize_mysql('SELECT 1', 14)", r#"{"query":"","params":[],"error":"command 14 has no statement"}"#),
    ]);
}

#[test]
fn values_of_an_executed_statement_are_among_the_parameters() {
    check(&[
        (
            "px_normalize_pgsql('query=[SELECT * FROM t WHERE a=$1 AND b=''x''] params=[''1,2'']', 'EXECUTE')",
            r#"{"query":"SELECT * FROM t WHERE a=$1 AND b=$2","params":["'1,2'","'x'"],"error":""}"#,
        ),
        (
            "px_normalize_mysql('query=[INSERT INTO t VALUES (?, 1.5, ?, true)] params=[1, X''AB'']', 23)",
            r#"{"query":"INSERT INTO t VALUES (?, ?, ?, ?)","params":["1","1.5","X'AB'","true"],"error":""}"#,
        ),
        ("px_normalize_mysql('query=[SELECT ?] params=[]', 23)", r#"{"query":"SELECT ?","params":[],"error":""}"#),
    ]);
}

#[test]
fn what_cannot_be_read_is_an_error_in_the_answer() {
    let answer = pgsql("SELECT 'open", "QUERY");
    assert!(answer.starts_with(r#"{"query":"","params":[],"error":"Unterminated"#), "{answer}");
}

proptest! {
    #[test]
    fn any_text_is_normalized_without_a_panic(sql in "[a-z0-9'\"$`@#\\\\/*ä ?;-]{0,40}") {
        let _ = (pgsql(&sql, "QUERY"), mysql(&sql, 3));
    }

    #[test]
    fn statements_of_one_shape_are_the_same_text(left in 0_u32..9999, right in 0_u32..9999) {
        let query = |number: u32| mysql(&format!("SELECT * FROM t WHERE id = {number} LIMIT 5"), 3);
        let shape = |answer: String| answer.split("params").next().map(str::to_owned);
        prop_assert_eq!(shape(query(left)), shape(query(right)));
    }
}
