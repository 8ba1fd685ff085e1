//! Parts of JSON: what is there, of another type, missing, and no JSON at all.

use proptest::prelude::*;

use super::super::tests::check;
use super::ordered::{Json, element, member};

#[test]
fn texts_are_plucked_as_they_are_and_others_as_json() {
    check(&[
        (r#"px_pluck('{"a":"x\"y"}', 'a')"#, "x\"y"),
        (r#"px_pluck('{"z":{"b": 1, "a":[true,null]}}', 'z')"#, r#"{"b":1,"a":[true,null]}"#),
        (r#"px_pluck('{"a":1.0}', 'a')"#, "1.0"),
        (r#"px_pluck('{"ä":"ö"}', 'ä')"#, "ö"),
        (r#"px_pluck('{"a":1,"a":2}', 'a')"#, "1"),
        (r#"px_pluck('{"a":null}', 'a')"#, ""),
        (r#"px_pluck('{"a":1}', 'b')"#, ""),
        (r#"px_pluck('[1]', 'a')"#, ""),
        (r#"px_pluck('{"a":1} x', 'a')"#, ""),
        (r#"px_pluck('{"a":', 'a')"#, ""),
        ("px_pluck('', 'a')", ""),
        (r#"px_pluck('{"a":1}', NULL)"#, "NULL"),
    ]);
}

#[test]
fn numbers_are_of_their_type_or_zero() {
    check(&[
        (r#"px_pluck_int64('{"a":-3}', 'a')"#, "-3"),
        (r#"px_pluck_int64('{"a":9223372036854775808}', 'a')"#, "0"),
        (r#"px_pluck_int64('{"a":3.0}', 'a')"#, "0"),
        (r#"px_pluck_int64('{"a":"3"}', 'a')"#, "0"),
        (r#"px_pluck_float64('{"a":2.5}', 'a')"#, "2.5"),
        (r#"px_pluck_float64('{"a":1e2}', 'a')"#, "100"),
        (r#"px_pluck_float64('{"a":2}', 'a')"#, "0"),
        ("px_pluck_float64('no', 'a')", "0"),
    ]);
}

#[test]
fn elements_are_counted_from_zero() {
    check(&[
        (r#"px_pluck_array('["a",2,{"b":3}]', 0)"#, "a"),
        (r#"px_pluck_array('["a",2,{"b":3}]', 2)"#, r#"{"b":3}"#),
        (r#"px_pluck_array('["a"]', 1)"#, ""),
        (r#"px_pluck_array('["a"]', -1)"#, ""),
        (r#"px_pluck_array('{"a":1}', 0)"#, ""),
    ]);
}

#[test]
fn texts_become_json() {
    check(&[
        ("px_split('a,b,', ',')", r#"["a","b",""]"#),
        ("px_split('', ',')", r#"[""]"#),
        ("px_split('äb', '')", r#"["ä","b"]"#),
        ("px__script_reference('l', 's')", r#"{"label":"l","script":"s","args":{}}"#),
        (
            "px__script_reference('l\"', 's', 'pod', 'a/b', 'x', '1')",
            r#"{"label":"l\"","script":"s","args":{"pod":"a/b","x":"1"}}"#,
        ),
    ]);
}

#[test]
fn deep_nesting_is_no_json() {
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(member(&deep, "a"), None);
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,60}", key in ".{0,3}", index in any::<i64>()) {
        let _ = (member(&text, &key), element(&text, index));
    }

    #[test]
    fn a_member_is_what_was_written(keys in proptest::collection::vec("[a-c]{1,2}", 1..6), at in 0_usize..6) {
        let members = keys.iter().enumerate().map(|(at, key)| (key.clone(), Json::Number(at.into())));
        let text = Json::Object(members.collect()).to_string();
        let key = &keys[at % keys.len()];
        let first = keys.iter().position(|known| known == key).map(|at| Json::Number(at.into()));
        prop_assert_eq!(member(&text, key), first);
    }
}
