//! What a name that is not stored becomes, and when it stays a mistake.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::util::display::array_value_to_string;
use datafusion::scalar::ScalarValue;
use watershed_model::{Table, TickTime, Upid, tables};

use super::VIRTUAL_COLUMNS;
use crate::{Catalog, Snapshot, compile, execute, lower};

const NOW_S: i64 = 1_000_000;

struct Rows(BTreeMap<&'static str, RecordBatch>);

impl Snapshot for Rows {
    fn time(&self) -> TickTime {
        TickTime((NOW_S * 1000) as _)
    }

    fn batches(&self, table: &str) -> Vec<RecordBatch> {
        self.0.get(table).cloned().into_iter().collect()
    }
}

/// A row whose other columns are empty.
fn row(table: &'static Table, values: &[(&str, ScalarValue)]) -> (&'static str, RecordBatch) {
    let schema = table.storage_schema();
    let value = |field: &Arc<arrow::datatypes::Field>| -> ArrayRef {
        let given = values.iter().find(|(name, _)| name == field.name()).map(|(_, value)| value.clone());
        let empty = || match field.data_type() {
            arrow::datatypes::DataType::FixedSizeBinary(16) => ScalarValue::FixedSizeBinary(16, Some(vec![0; 16])),
            other => ScalarValue::new_default(other).unwrap(),
        };
        given.unwrap_or_else(empty).cast_to(field.data_type()).unwrap().to_array().unwrap()
    };
    let columns = schema.fields().iter().map(value).collect();
    (table.name, RecordBatch::try_new(schema, columns).unwrap())
}

/// One request of a pod of `shop/cart` to `10.0.0.9`, which is a pod of `db/mysql`.
fn world() -> Rows {
    let upid = ScalarValue::FixedSizeBinary(16, Some(Upid { asid: 1, pid: 7, start_ticks: 5 }.to_bytes().to_vec()));
    let address = ScalarValue::FixedSizeBinary(16, Some(vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 9]));
    let time = ScalarValue::TimestampNanosecond(Some((NOW_S - 9) * 1_000_000_000), Some("+00:00".into()));
    let event = [("time_", time), ("upid", upid.clone()), ("remote_addr", address.clone())];
    let process = [("upid", upid), ("container", "c1".into()), ("cmdline", "cart --serve".into())];
    let container = [("container_id", "c1".into()), ("name", "main".into()), ("pod_id", "p1".into())];
    let of_pod = |id: &str, name: &str, service: &str| {
        let values = [("pod_id", id.into()), ("name", name.into()), ("service_name", service.into())];
        let more = [("namespace", name.split('/').next().unwrap().into()), ("node", "n1".into())];
        row(&tables::K8S_PODS, &[values.as_slice(), &more].concat()).1
    };
    let pods = [of_pod("p1", "shop/cart-1", "shop/cart"), of_pod("p2", "db/mysql-0", "db/mysql")];
    let address_of = |kind: &str, id: &str| {
        row(&tables::K8S_ADDRESSES, &[("addr", address.clone()), ("kind", kind.into()), ("id", id.into())]).1
    };
    let addresses = [address_of("pod", "p2"), address_of("service", "s1")];
    let together = |batches: &[RecordBatch]| arrow::compute::concat_batches(&batches[0].schema(), batches).unwrap();
    Rows(BTreeMap::from([
        row(&tables::HTTP_EVENTS, &event),
        row(&tables::PROCESSES, &process),
        row(&tables::K8S_CONTAINERS, &container),
        row(&tables::K8S_SERVICES, &[("service_id", "s1".into()), ("name", "db/mysql".into())]),
        (tables::K8S_PODS.name, together(&pods)),
        (tables::K8S_ADDRESSES.name, together(&addresses)),
    ]))
}

/// Names and cells of the answer; the same script must be able to be a view.
fn answer(sql: &str) -> String {
    let catalog = Catalog::new();
    let table = compile(&catalog, sql, "a.sql").unwrap_or_else(|e| panic!("{sql}: {e:?}")).tables.remove(0);
    lower(&catalog, &table).unwrap_or_else(|refusal| {
        panic!(
            "{sql}: {refusal} {}",
            crate::prepare::prepare(&catalog, &table.plan, crate::metadata::Spans::Joined).unwrap().display_indent()
        )
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let batches = runtime.block_on(execute(&catalog, &table, Arc::new(world()))).unwrap();
    let names = table.schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(",");
    let cells = |batch: &RecordBatch, row| {
        let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
        cells.collect::<Vec<_>>().join(",")
    };
    let rows = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| cells(batch, row)));
    rows.fold(names, |text, row| format!("{text} | {row}"))
}

const RECENT: &str = "time_ > now() - INTERVAL '5 minutes'";

#[test]
fn every_virtual_column_can_be_selected_and_keeps_its_name() {
    let names = VIRTUAL_COLUMNS.map(|column| column.name).join(", ");
    assert_eq!(
        answer(&format!("SELECT {names} FROM http_events WHERE {RECENT}")),
        "pod,service,namespace,node,container,cmdline,remote_pod,remote_service | \
         shop/cart-1,shop/cart,shop,n1,main,cart --serve,db/mysql-0,db/mysql"
    );
}

#[test]
fn virtual_columns_filter_group_order_and_join() {
    for (sql, expected) in [
        ("SELECT pod, count(*) AS n FROM http_events WHERE {} GROUP BY pod", "pod,n | shop/cart-1,1"),
        ("SELECT count(*) AS n FROM http_events WHERE {} AND service = 'shop/cart'", "n | 1"),
        ("SELECT count(*) AS n FROM http_events WHERE {} AND service = 'other'", "n | 0"),
        ("SELECT count(*) AS n FROM http_events WHERE {} GROUP BY namespace, node HAVING namespace <> ''", "n | 1"),
        ("SELECT upper(e.pod) AS p FROM http_events AS e WHERE {} ORDER BY e.pod LIMIT 3", "p | SHOP/CART-1"),
        ("SELECT e.service FROM (SELECT * FROM http_events WHERE {}) AS e", "service | shop/cart"),
        ("WITH e AS (SELECT upid, latency FROM http_events WHERE {}) SELECT Pod FROM e", "pod | shop/cart-1"),
        ("SELECT o.node FROM http_events e JOIN k8s.pods o ON e.pod = o.name WHERE e.{}", "node | n1"),
        ("SELECT o.name AS o FROM http_events e JOIN k8s.pods o ON o.name = e.remote_pod WHERE e.{}", "o | db/mysql-0"),
        ("SELECT count(DISTINCT pod) AS n FROM http_events WHERE {}", "n | 1"),
        ("SELECT CASE WHEN pod = '' THEN 'none' ELSE pod END AS pod FROM http_events WHERE {}", "pod | shop/cart-1"),
        (
            "SELECT pod FROM http_events WHERE {} UNION ALL SELECT name FROM k8s.pods WHERE name = 'x'",
            "pod | shop/cart-1",
        ),
    ] {
        assert_eq!(answer(&sql.replace("{}", RECENT)), expected, "{sql}");
    }
}

#[test]
fn what_is_stored_or_made_by_the_query_goes_first() {
    let columns = |sql: &str| compile(&Catalog::new(), sql, "a.sql").unwrap().tables[0].columns.len();
    assert_eq!(columns("SELECT * FROM http_events"), tables::HTTP_EVENTS.columns.len());
    assert_eq!(columns("SELECT e.* FROM http_events e"), tables::HTTP_EVENTS.columns.len());
    assert_eq!(answer("SELECT cmdline FROM processes"), "cmdline | cart --serve");
    let sql = format!("SELECT e.pod FROM (SELECT upid, 'mine' AS pod FROM http_events WHERE {RECENT}) e");
    assert_eq!(answer(&sql), "pod | mine");
    let sql = format!("SELECT node FROM http_events e JOIN k8s.pods o ON o.name = 'db/mysql-0' AND e.{RECENT}");
    assert_eq!(answer(&sql), "node | n1");
}

#[test]
fn what_no_relation_tells_is_a_located_mistake() {
    let mistake = |sql: &str| compile(&Catalog::new(), sql, "a.sql").unwrap_err().remove(0);
    let unknown = mistake("SELECT\n  pod FROM k8s.nodes");
    assert_eq!((unknown.line, unknown.column), (2, 3), "{unknown}");
    let ambiguous = mistake("SELECT pod FROM http_events e JOIN processes p ON e.upid = p.upid");
    assert!(ambiguous.message.contains("write e.pod or p.pod"), "{ambiguous}");
}

#[test]
fn virtual_columns_mean_what_the_stored_ones_mean() {
    let sql = "SELECT pod, remote_service, count(*) AS n FROM http_events GROUP BY pod, remote_service";
    let table = compile(&Catalog::new(), sql, "a.sql").unwrap().tables.remove(0);
    let semantics: Vec<_> = table.columns.iter().map(|column| column.semantic.name()).collect();
    assert_eq!(semantics, ["ST_POD_NAME", "ST_SERVICE_NAME", "ST_NONE"]);
}
