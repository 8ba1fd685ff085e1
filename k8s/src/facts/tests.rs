//! What is told of a cluster, case by case; `world` holds it against a model.

#![allow(clippy::unwrap_used)]

mod naive;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Change, Facts, News, Value};
use crate::object::{Body, Kind, Object, Owner, Pod, Service};

const RETENTION_NS: i64 = 100;

type Rows = BTreeMap<(&'static str, Box<[Value]>), i64>;

fn object(uid: &str, version: u64, body: Body) -> Object {
    let namespace = if matches!(body, Body::Node { .. } | Body::Namespace) { "" } else { "shop" };
    let (uid, name) = (uid.into(), uid.trim_end_matches('\'').to_owned());
    Object { uid, namespace: namespace.into(), name, version, created_ns: 1, owners: vec![], body }
}

fn labels(app: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), app.to_owned())])
}

fn pod(uid: &str, version: u64, app: &str) -> Object {
    let pod = Pod { ips: vec!["10.0.0.1".into()], labels: labels(app).into(), ..Pod::default() };
    object(uid, version, Body::Pod(Box::new(pod)))
}

fn service(uid: &str, version: u64, app: &str) -> Object {
    object(uid, version, Body::Service(Service { selector: labels(app), ..Service::default() }))
}

fn owned(mut object: Object, kind: &str, uid: &str) -> Object {
    object.owners = vec![Owner { uid: uid.into(), kind: kind.into(), name: uid.into() }];
    object
}

/// A list with nothing but an object.
fn replaced(kind: Kind, object: Object, at_ns: i64) -> [News; 2] {
    let (uids, version) = ([Arc::clone(&object.uid)].into(), object.version);
    [News::Applied(object), News::Listed { kind, uids, version, at_ns }]
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
    let [applied, listed] = replaced(Kind::Node, node("n'", 5), 50);
    let (_, rows) = told([News::Applied(node("n", 1)), applied, listed]);
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

#[test]
fn a_pod_that_was_seen_to_end_keeps_its_address_to_the_end() {
    let mut first = pod("p", 1, "a");
    first.created_ns = 10;
    let mut second = pod("q", 3, "a");
    second.created_ns = 20;
    let news = [News::Applied(second), News::Applied(first.clone()), News::Deleted(first, 25)];
    let (_, rows) = told(news);
    assert_eq!(cells(&rows, "k8s.addresses", "valid_from"), [Value::Time(10), Value::Time(25)]);
    assert_eq!(cells(&rows, "k8s.addresses", "valid_to"), [Value::Time(25), Value::Time(0)]);
}

#[test]
fn a_pod_whose_end_was_missed_loses_its_address_to_the_next() {
    let mut second = pod("q", 3, "a");
    second.created_ns = 20;
    let [applied, listed] = replaced(Kind::Pod, second, 600);
    let (_, rows) = told([News::Applied(pod("p", 1, "a")), applied, listed]);
    assert_eq!(cells(&rows, "k8s.addresses", "valid_from"), [Value::Time(1), Value::Time(20)]);
    assert_eq!(cells(&rows, "k8s.addresses", "valid_to"), [Value::Time(20), Value::Time(0)]);
}

#[test]
fn a_change_of_one_slice_touches_only_its_pods() {
    let slice = |version, pods: &[&str]| {
        let pods = pods.iter().map(|pod| Arc::from(*pod)).collect();
        object("e", version, Body::EndpointSlice { service: "s".into(), pods })
    };
    let (mut facts, _) =
        told([pod("p", 1, "a"), pod("q", 2, "a"), service("s", 3, "b"), slice(4, &["p"])].map(News::Applied));
    facts.learn(News::Applied(slice(5, &["q"])));
    assert_eq!(facts.dirty.len(), 3, "the slice and the pods that it named or names");
    facts.learn(News::Applied(slice(6, &["q", "p"])));
    facts.changes();
    facts.learn(News::Applied(slice(7, &["q", "p"])));
    assert_eq!(facts.dirty.len(), 1, "nothing but its version changed");
}
