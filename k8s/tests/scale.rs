//! What a cluster of 5,000 pods costs: memory, and the time of one change. Prints both; the bounds are generous.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use watershed_k8s::facts::{Facts, News};
use watershed_k8s::object::{Body, Container, Object, Owner, Pod, Service};

const PODS: usize = 5000;
const SERVICES: usize = 500;
const NODES: usize = 50;
/// As the keeper of the watches tells them.
const OBJECTS_AT_ONCE: usize = 500;

fn object(kind: &str, n: usize, version: u64, body: Body) -> Object {
    let namespace = if matches!(body, Body::Node { .. }) { String::new() } else { "shop".to_owned() };
    let uid = format!("{kind:a>8}-0000-0000-0000-{n:012}").into();
    Object { uid, namespace, name: format!("{kind}-{n}"), version, created_ns: 1, owners: vec![], body }
}

fn owned(mut object: Object, kind: &str, n: usize) -> Object {
    let owner = self::object(kind, n, 0, Body::Namespace);
    object.owners = vec![Owner { uid: owner.uid, kind: kind.into(), name: owner.name }];
    object
}

fn pod(n: usize, version: u64) -> Object {
    let labels = [("app", format!("app-{}", n % SERVICES)), ("version", "v1".into()), ("team", "shop".into())];
    let container =
        Container { id: format!("{n:064}"), name: "main".into(), state: "Running".into(), ..Container::default() };
    let pod = Pod {
        node: format!("node-{}", n % NODES),
        ips: vec![format!("10.{}.{}.{}", n / 65536, n / 256 % 256, n % 256)],
        phase: "Running".into(),
        labels: labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<BTreeMap<_, _>>().into(),
        ready: version.is_multiple_of(2),
        containers: vec![container],
        ..Pod::default()
    };
    owned(object("pod", n, version, Body::Pod(Box::new(pod))), "ReplicaSet", n % SERVICES)
}

fn service(n: usize) -> Object {
    let selector = BTreeMap::from([("app".to_owned(), format!("app-{n}"))]);
    let cluster_ips = vec![format!("10.96.{}.{}", n / 256, n % 256)];
    object("service", n, 1, Body::Service(Service { selector, cluster_ips, ..Service::default() }))
}

fn slice(n: usize, version: u64, without: Option<usize>) -> Object {
    let pods = (n..PODS).step_by(SERVICES).filter(|pod| Some(*pod) != without);
    let pods = pods.map(|pod| object("pod", pod, 0, Body::Namespace).uid).collect::<Vec<Arc<str>>>();
    object("slice", n, version, Body::EndpointSlice { service: format!("service-{n}"), pods })
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

fn timed(facts: &mut Facts, object: Object) -> (Duration, usize) {
    let started = Instant::now();
    facts.learn(News::Applied(object));
    let changes = facts.changes().len();
    (started.elapsed(), changes)
}

#[test]
fn a_change_in_a_namespace_of_5000_pods_costs_what_it_touches() {
    let before_kib = resident_kib();
    let mut facts = Facts::new(1);
    let started = Instant::now();
    let nodes = (0..NODES).map(|n| {
        let ips = vec![format!("10.9.0.{n}")];
        object("node", n, 1, Body::Node { ips, pod_cidrs: vec![] })
    });
    let sets = (0..SERVICES).map(|n| owned(object("ReplicaSet", n, 1, Body::ReplicaSet("{}".into())), "Deployment", n));
    let deployments = (0..SERVICES).map(|n| object("Deployment", n, 1, Body::Deployment("{}".into())));
    let pods = (0..PODS).map(|n| pod(n, 2));
    let slices = (0..SERVICES).map(|n| slice(n, 1, None));
    for object in pods.chain((0..SERVICES).map(service)).chain(slices).chain(nodes).chain(sets).chain(deployments) {
        facts.learn(News::Applied(object));
    }
    let parts = std::iter::from_fn(|| Some(facts.changes_of(OBJECTS_AT_ONCE).len()).filter(|rows| *rows > 0));
    let rows: usize = parts.sum();
    println!("all of {} objects, {rows} rows: {:?}", facts.len(), started.elapsed());
    println!("resident: {} KiB more", resident_kib().saturating_sub(before_kib));

    let (pod_time, pod_changes) = timed(&mut facts, pod(7, 3));
    let (slice_time, slice_changes) = timed(&mut facts, slice(7, 2, Some(7)));
    let (service_time, service_changes) = timed(&mut facts, Object { version: 2, ..service(7) });
    println!(
        "a pod: {pod_time:?}, {pod_changes} changes; a slice: {slice_time:?}, {slice_changes}; a service: {service_time:?}, {service_changes}"
    );
    assert_eq!((pod_changes, slice_changes, service_changes), (0, 0, 0), "none of it changes a row");
    let bound = Duration::from_millis(20);
    assert!(pod_time < bound && slice_time < bound && service_time < bound);
}
