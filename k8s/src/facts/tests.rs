//! What is told of a cluster equals what follows from all that is known of it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Change, Facts, News, Row, Value};
use crate::object::{Body, Kind, Object, Owner, Pod, Service};

const RETENTION_NS: i64 = 100;

type Rows = BTreeMap<(&'static str, Box<[Value]>), i64>;

fn object(uid: &str, version: u64, body: Body) -> Object {
    let namespace = if matches!(body, Body::Node { .. } | Body::Namespace) { "" } else { "shop" };
    let (uid, name) = (uid.to_owned(), uid.trim_end_matches('\'').to_owned());
    Object { uid, namespace: namespace.into(), name, version, created_ns: 1, owners: vec![], body }
}

fn labels(app: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), app.to_owned())])
}

fn pod(uid: &str, version: u64, app: &str) -> Object {
    let pod = Pod { ips: vec!["10.0.0.1".into()], labels: labels(app), ..Pod::default() };
    object(uid, version, Body::Pod(Box::new(pod)))
}

fn service(uid: &str, version: u64, app: &str) -> Object {
    object(uid, version, Body::Service(Service { selector: labels(app), ..Service::default() }))
}

fn owned(mut object: Object, kind: &str, uid: &str) -> Object {
    object.owners = vec![Owner { uid: uid.into(), kind: kind.into(), name: uid.into() }];
    object
}

fn add(rows: &mut Rows, changes: Vec<Change>) {
    for Change { row, diff } in changes {
        let key = (row.table.name, row.values);
        let count = rows.entry(key.clone()).or_default();
        *count += diff;
        if *count == 0 {
            rows.remove(&key);
        }
    }
}

fn told(news: impl IntoIterator<Item = News>) -> (Facts, Rows) {
    let mut facts = Facts::new(RETENTION_NS);
    let mut rows = Rows::new();
    for news in news {
        facts.learn(news);
        add(&mut rows, facts.changes());
    }
    (facts, rows)
}

fn cells(rows: &Rows, table: &str, column: &str) -> Vec<Value> {
    let position = watershed_model::tables::by_name(table).unwrap().column(column).unwrap();
    rows.keys().filter(|(name, _)| *name == table).map(|(_, values)| values[position].clone()).collect()
}

fn texts(values: &[&str]) -> Vec<Value> {
    values.iter().map(|value| Value::Text((*value).into())).collect()
}

#[test]
fn a_changed_selector_moves_pods_to_the_service() {
    let before = [pod("p", 1, "a"), service("s", 2, "b")].map(News::Applied);
    let (mut facts, mut rows) = told(before);
    assert_eq!(cells(&rows, "k8s.pods", "service_name"), texts(&[""]));
    facts.learn(News::Applied(service("s", 3, "a")));
    add(&mut rows, facts.changes());
    assert_eq!(cells(&rows, "k8s.pods", "service_name"), texts(&["shop/s"]));
}

#[test]
fn a_pod_with_several_services_names_them_as_an_array() {
    let (_, rows) = told([service("s", 1, "a"), service("t", 2, "a"), pod("p", 3, "a")].map(News::Applied));
    assert_eq!(cells(&rows, "k8s.pods", "service_name"), texts(&[r#"["shop/s","shop/t"]"#]));
}

#[test]
fn a_late_replica_set_names_the_deployment_of_its_pods() {
    let set = object("r", 2, Body::ReplicaSet("{}".into()));
    let news = [owned(pod("p", 1, "a"), "ReplicaSet", "r"), owned(set, "Deployment", "d")];
    let (_, rows) = told(news.map(News::Applied));
    assert_eq!(cells(&rows, "k8s.pods", "deployment_name"), texts(&["shop/d"]));
    assert_eq!(cells(&rows, "k8s.pods", "owner_kind"), texts(&["Deployment"]));
}

#[test]
fn a_completed_job_releases_its_address_to_the_next_pod() {
    let mut done = pod("p", 1, "a");
    if let Body::Pod(pod) = &mut done.body {
        pod.ended_ns = 40;
    }
    let (_, rows) = told([done, pod("q", 2, "a")].map(News::Applied));
    assert_eq!(cells(&rows, "k8s.addresses", "valid_to"), [Value::Time(40), Value::Time(0)]);
}

#[test]
fn a_node_replaced_under_its_name_is_another_node() {
    let node = |uid, version| object(uid, version, Body::Node { ips: vec!["10.9.0.1".into()], pod_cidrs: vec![] });
    let replaced = News::Listed { kind: Kind::Node, objects: vec![node("n'", 5)], version: 5, at_ns: 50 };
    let (_, rows) = told([News::Applied(node("n", 1)), replaced]);
    assert_eq!(cells(&rows, "k8s.nodes", "name"), texts(&["n", "n"]));
    assert_eq!(cells(&rows, "k8s.nodes", "stop_time"), [Value::Time(50), Value::Time(0)]);
}

#[test]
fn the_life_of_a_pod_is_told_once_and_not_the_past_of_older_ones() {
    let mut facts = Facts::new(RETENTION_NS);
    facts.advance(10);
    let mut born = pod("p", 1, "a");
    born.created_ns = 11;
    for news in [News::Applied(pod("old", 1, "a")), News::Applied(born.clone()), News::Deleted(born, 20)] {
        facts.learn(news.clone());
        facts.learn(news);
    }
    let position = watershed_model::tables::POD_EVENTS.column("event").unwrap();
    let events: Vec<_> = facts.events().iter().map(|row| row.values[position].clone()).collect();
    assert_eq!(events, texts(&["created", "deleted"]));
}

fn objects() -> impl Strategy<Value = Object> {
    let app = prop_oneof![Just("a"), Just("b")];
    (0..5_usize, 0..4_usize, 1..20_u64, app).prop_map(|(kind, which, version, app)| {
        let uid = format!("{kind}-{which}");
        // What an object is follows from its version, as it does in a cluster.
        let app = if version % 2 == 0 { app } else { "a" };
        let version = version * 2 + u64::from(app == "b");
        match kind {
            0 | 1 => owned(pod(&uid, version, app), "ReplicaSet", &format!("3-{which}")),
            2 => service(&uid, version, app),
            3 => owned(object(&uid, version, Body::ReplicaSet("{}".into())), "Deployment", app),
            _ => {
                let pods = vec![format!("0-{which}"), format!("1-{}", version % 4)];
                object(&uid, version, Body::EndpointSlice { service: format!("2-{}", version % 3), pods })
            }
        }
    })
}

fn news() -> impl Strategy<Value = News> {
    prop_oneof![
        4 => objects().prop_map(News::Applied),
        1 => (objects(), 1..50_i64).prop_map(|(object, at_ns)| News::Deleted(object, at_ns)),
    ]
}

/// What is known in the end, from nothing but the newest state and the first deletion of every object.
fn recomputed(news: &[News]) -> Rows {
    let mut newest = BTreeMap::<String, Object>::new();
    let mut stops = BTreeMap::<String, i64>::new();
    for news in news {
        let object = match news {
            News::Applied(object) => object,
            News::Deleted(object, at_ns) => {
                let stop_ns = stops.entry(object.uid.clone()).or_insert(*at_ns);
                *stop_ns = (*stop_ns).min(*at_ns);
                object
            }
            News::Listed { .. } => continue,
        };
        let held = newest.entry(object.uid.clone()).or_insert_with(|| object.clone());
        if object.version > held.version {
            *held = object.clone();
        }
    }
    let mut facts = Facts::new(RETENTION_NS);
    for object in newest.into_values() {
        let stop_ns = stops.get(&object.uid).copied();
        facts.learn(stop_ns.map_or(News::Applied(object.clone()), |at_ns| News::Deleted(object, at_ns)));
    }
    let rows: Vec<Row> = facts.held.keys().flat_map(|uid| facts.rows_of(uid)).collect();
    rows.into_iter().map(|row| ((row.table.name, row.values), 1)).collect()
}

proptest! {
    #[test]
    fn rows_follow_from_what_is_known_whatever_the_order(
        news in proptest::collection::vec(news(), 0..40),
        order in any::<proptest::sample::Index>(),
    ) {
        let mut shuffled = news.clone();
        if !shuffled.is_empty() {
            let by = order.index(shuffled.len());
            shuffled.rotate_left(by);
        }
        let (mut facts, mut rows) = told(news.iter().cloned().chain(shuffled));
        prop_assert_eq!(&rows, &recomputed(&news));

        for kind in [Kind::Pod, Kind::Service, Kind::ReplicaSet, Kind::EndpointSlice] {
            facts.learn(News::Listed { kind, objects: vec![], version: u64::MAX, at_ns: 60 });
        }
        add(&mut rows, facts.changes());
        facts.advance(60 + 2 * RETENTION_NS);
        add(&mut rows, facts.changes());
        prop_assert!(rows.is_empty() && facts.is_empty() && facts.by_namespace.is_empty());
        prop_assert!(facts.stopped.is_empty() && facts.dirty.is_empty());
    }
}
