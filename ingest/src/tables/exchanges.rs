//! Exchanges as rows of their protocol's table.

use watershed_model::{Column, Table, tables as model_tables};
use watershed_protocols::exchange::Exchange;
use watershed_protocols::protocol::{Description, RowTime};
use watershed_protocols::registry::PROTOCOLS;
use watershed_protocols::{Decoder, http1};

use crate::redaction::Rule;
use crate::tables::placed::{Place, Runs, is_placed};
use crate::tables::rows::Rows;

/// What a column of a protocol's table is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Time,
    Number(usize),
    Text(usize),
    Latency,
    Note,
    RequestBytes,
    ResponseBytes,
    Partial,
    Failed,
}

fn source(column: &Column, values: &mut usize) -> Source {
    match column.name {
        "time_" => Source::Time,
        "latency" => Source::Latency,
        "px_info_" => Source::Note,
        "req_bytes" => Source::RequestBytes,
        "resp_bytes" => Source::ResponseBytes,
        "partial" => Source::Partial,
        "failed" => Source::Failed,
        _ => {
            *values += 1;
            let at = *values - 1;
            if column.data_type == watershed_model::DataType::Int64 { Source::Number(at) } else { Source::Text(at) }
        }
    }
}

#[derive(Debug)]
struct TableRows {
    rows: Rows,
    /// Of the columns that are given row after row.
    sources: Vec<Source>,
    places: Runs,
}

/// Rows of all protocols' tables in the making.
#[derive(Debug)]
pub(crate) struct Exchanges {
    tables: Vec<TableRows>,
    /// Index in `tables`, by index in [`PROTOCOLS`].
    table_of: Vec<usize>,
    http: usize,
    decoders: [Decoder; 2],
    body_bytes: usize,
}

impl Exchanges {
    pub(crate) fn new(body_bytes: usize, rules: &[Rule]) -> Self {
        let mut names: Vec<&'static str> = Vec::new();
        let mut table_of = Vec::new();
        for protocol in PROTOCOLS {
            let name = protocol.description.table;
            let at = names.iter().position(|known| *known == name).unwrap_or(names.len());
            if at == names.len() {
                names.push(name);
            }
            table_of.push(at);
        }
        let tables: Vec<TableRows> = names.iter().map(|name| table_rows(table(name), rules)).collect();
        let http = names.iter().position(|name| *name == model_tables::HTTP_EVENTS.name);
        let http = http.expect("HTTP is one of the protocols");
        Exchanges { tables, table_of, http, decoders: Default::default(), body_bytes }
    }

    /// What was appended since the last call, by table.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (&'static str, arrow::array::RecordBatch)> + '_ {
        self.tables.iter_mut().filter_map(|TableRows { rows, places, .. }| {
            places.fill(rows);
            rows.take()
        })
    }

    /// An exchange of HTTP/1.
    pub(crate) fn http1(&mut self, place: Place<'_>, exchange: &http1::Exchange) {
        let (request, response) = (&exchange.request, &exchange.response);
        let [of_request, of_response] = &mut self.decoders;
        let TableRows { rows, places, .. } = &mut self.tables[self.http];
        places.push(place);
        rows.int(response.end_ns)
            .int(1)
            .int(i64::from(response.minor_version))
            .int(response.content_type as i64)
            .bytes(request.headers())
            .bytes(request.method())
            .bytes(request.target())
            .bytes(request.body(of_request, self.body_bytes))
            .int(signed(request.body_bytes))
            .bytes(response.headers())
            .int(i64::from(response.status))
            .bytes(response.reason())
            .bytes(response.body(of_response, self.body_bytes))
            .int(signed(response.body_bytes))
            .int(exchange.latency_ns())
            .text("")
            .int(signed(request.wire_bytes))
            .int(signed(response.wire_bytes))
            .flag(exchange.partial());
    }

    /// An exchange of any other protocol, by its index in [`PROTOCOLS`].
    pub(crate) fn other(&mut self, protocol: usize, place: Place<'_>, exchange: &Exchange) {
        let TableRows { rows, sources, places } = &mut self.tables[self.table_of[protocol]];
        places.push(place);
        for source in &*sources {
            match *source {
                Source::Time => rows.int(time_ns(PROTOCOLS[protocol].description, exchange)),
                Source::Number(at) => rows.int(exchange.int(at)),
                Source::Text(at) => rows.bytes(exchange.text(at)),
                Source::Latency => rows.int(exchange.latency_ns()),
                Source::Note => rows.text(exchange.note),
                Source::RequestBytes => rows.int(signed(exchange.request.bytes)),
                Source::ResponseBytes => rows.int(signed(exchange.response.bytes)),
                Source::Partial => rows.flag(exchange.partial),
                Source::Failed => rows.flag(exchange.failed),
            };
        }
    }
}

fn table(name: &str) -> &'static Table {
    model_tables::ALL.iter().find(|table| table.name == name).expect("every protocol's table is one of the model's")
}

fn table_rows(table: &'static Table, rules: &[Rule]) -> TableRows {
    let mut values = 0;
    let given = table.columns.iter().filter(|column| !is_placed(column.name));
    let sources = given.map(|column| source(column, &mut values)).collect();
    TableRows { rows: Rows::redacted(table, rules).without(is_placed), sources, places: Runs::of(table) }
}

fn time_ns(description: &Description, exchange: &Exchange) -> i64 {
    match description.time {
        RowTime::Response => exchange.response.end_ns,
        RowTime::Request => exchange.request.end_ns,
        RowTime::Later => exchange.response.end_ns.max(exchange.request.end_ns),
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
