//! Names of numbers, and of numbers that have none.

use super::super::tests::check;
use super::names;

#[test]
fn numbers_have_the_names_of_their_specification() {
    check(&[
        ("px_protocol_name(10)", "Kafka"),
        ("px_http_resp_message(404)", "Not Found"),
        ("px_kafka_api_key_name(0)", "Produce"),
        ("px_mysql_command_name(22)", "StmtPrepare"),
        ("px_cql_opcode_name(16)", "AuthSuccess"),
        ("px_amqp_frame_type_name(8)", "Heartbeat"),
        ("px_amqp_method_name(60, 40)", "BasicPublish"),
        ("px_mux_frame_type_name(-128)", "Rerr"),
        ("px_dns_rcode_name(3)", "NXDOMAIN"),
        ("px_grpc_status_code_to_str(14)", "UNAVAILABLE"),
    ]);
}

#[test]
fn numbers_without_a_name_stay_numbers() {
    check(&[
        ("px_http_resp_message(-1)", "Unassigned"),
        ("px_protocol_name(99)", "Invalid (99)"),
        ("protocol_label(5)", "postgresql"),
        ("px_protocol_label(0)", "unknown"),
        ("px_cql_opcode_name(4)", "4"),
        ("px_dns_rcode_name(-9223372036854775807)", "-9223372036854775807"),
        ("px_amqp_method_name(60, 41)", "Unknown"),
        ("px_amqp_method_name(0, 0)", "Unknown"),
        ("px_amqp_method_name(60, 0)", "Basic"),
        ("px_amqp_method_name(10, 11)", "ConnectionStart-ok"),
        ("px_kafka_api_key_name(NULL)", "NULL"),
    ]);
}

#[test]
fn names_are_in_order_of_numbers() {
    let by_class = names::AMQP_METHODS.iter().map(|(_, _, methods)| *methods);
    let others = [names::PROTOCOLS, names::HTTP, names::GRPC, names::DNS, names::KAFKA, names::MYSQL, names::CQL];
    for list in by_class.chain(others).chain([names::MUX, names::AMQP_FRAMES]) {
        assert!(list.is_sorted_by(|left, right| left.0 < right.0), "{list:?}");
    }
}
