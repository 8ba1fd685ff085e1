//! Numbers of protocols by the names that PxL shows, which are those of their specifications. A number without a
//! name is its digits, or a word where PxL has one.

mod names;

use super::rows::{map1, map2};
use super::{Entry, I, S, entry, over};

pub(super) static ENTRIES: &[Entry] = &[
    entry("protocol_name", &[over(&[I], S, |a| map1(a, protocol))], "Name of a protocol number as in conn_stats."),
    entry(
        "protocol_label",
        &[over(&[I], S, |a| map1(a, |number| label(number).to_owned()))],
        "Protocol number of conn_stats as views write it, such as http or postgresql.",
    ),
    entry("http_resp_message", &[over(&[I], S, |a| map1(a, http_message))], "Reason phrase of an HTTP status code."),
    entry(
        "kafka_api_key_name",
        &[over(&[I], S, |a| map1(a, |number| named(names::KAFKA, number)))],
        "Name of a Kafka API key.",
    ),
    entry(
        "mysql_command_name",
        &[over(&[I], S, |a| map1(a, |number| named(names::MYSQL, number)))],
        "Name of a MySQL command number, without COM_.",
    ),
    entry(
        "cql_opcode_name",
        &[over(&[I], S, |a| map1(a, |number| named(names::CQL, number)))],
        "Name of a Cassandra opcode.",
    ),
    entry(
        "amqp_frame_type_name",
        &[over(&[I], S, |a| map1(a, |number| named(names::AMQP_FRAMES, number)))],
        "Name of an AMQP frame type.",
    ),
    entry(
        "amqp_method_name",
        &[over(&[I, I], S, |a| map2(a, amqp_method))],
        "Name of an AMQP method of a class and a method number, such as BasicPublish.",
    ),
    entry(
        "mux_frame_type_name",
        &[over(&[I], S, |a| map1(a, |number| named(names::MUX, number)))],
        "Name of a Mux frame type.",
    ),
    entry(
        "dns_rcode_name",
        &[over(&[I], S, |a| map1(a, |number| named(names::DNS, number)))],
        "Name of a DNS response code.",
    ),
    entry(
        "grpc_status_code_to_str",
        &[over(&[I], S, |a| map1(a, |number| named(names::GRPC, number)))],
        "Name of a gRPC status code.",
    ),
];

/// Names by number, in ascending order of numbers.
type Names = &'static [(i64, &'static str)];

fn name_of(names: Names, number: i64) -> Option<&'static str> {
    names.binary_search_by_key(&number, |(known, _)| *known).ok().map(|at| names[at].1)
}

fn named(names: Names, number: i64) -> String {
    name_of(names, number).map_or_else(|| number.to_string(), str::to_owned)
}

fn http_message(code: i64) -> &'static str {
    name_of(names::HTTP, code).unwrap_or("Unassigned")
}

/// As the view of endpoints and the map of services write it.
fn label(number: i64) -> &'static str {
    name_of(names::PROTOCOL_LABELS, number).unwrap_or("unknown")
}

fn protocol(number: i64) -> String {
    name_of(names::PROTOCOLS, number).map_or_else(|| format!("Invalid ({number})"), str::to_owned)
}

/// A class alone where the method is 0.
fn amqp_method(class: i64, method: i64) -> String {
    let methods = names::AMQP_METHODS.iter().find(|(known, _, _)| *known == class);
    let name = methods.and_then(|(_, class, methods)| {
        Some(if method == 0 { (*class).to_owned() } else { format!("{class}{}", name_of(methods, method)?) })
    });
    name.unwrap_or_else(|| "Unknown".into())
}

#[cfg(test)]
mod tests;
