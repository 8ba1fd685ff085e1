//! Ids taken apart, services in arrays, constants.

use super::super::tests::{check, value_of};

#[test]
fn ids_are_made_and_taken_apart() {
    check(&[
        ("px_upid_to_string(px_upid(3, 77, 1234))", "3:77:1234"),
        ("px_upid_to_string(px_upid(77, 1234))", "0:77:1234"),
        ("px_upid_to_pid(px_upid(3, 77, 1234))", "77"),
        ("px_upid_to_asid(px_upid(3, 77, 1234))", "3"),
        ("px_time_to_int64(px_upid_to_start_ts(px_upid(3, 77, 1234)))", "12340000000"),
        ("px_time_to_int64(px_upid_to_start_ts(px_upid(3, 77, 9223372036854775807)))", "9223372036854775807"),
        ("px_upid_to_string(px_upid(-1, 77, 1234))", "0:0:0"),
        ("px_upid_to_string(px_upid(1, 4294967296, 0))", "0:0:0"),
        ("px_equal(px_upid(1, 2, 3), px_upid(1, 2, 3))", "true"),
    ]);
}

#[test]
fn services_are_one_or_an_array() {
    check(&[
        ("px_has_service_name('ns/a', 'ns/a')", "true"),
        (r#"px_has_service_name('["ns/a","ns/b"]', 'ns/b')"#, "true"),
        (r#"px_has_service_id('["ns/a"]', 'a')"#, "false"),
        ("px_has_value('', '')", "true"),
        ("px_has_value('[1', '1')", "false"),
    ]);
}

#[test]
fn the_host_answers_the_same_each_time() {
    assert_eq!(value_of("px__exec_hostname()"), value_of("px__exec_hostname() FROM (VALUES (1)) t"));
    check(&[("px__exec_host_num_cpus() > 0", "true"), ("px_asid()", "0"), ("px_vizier_id() = ''", "true")]);
}
