//! Resident memory of what is known of a cluster: bytes a pod, with its services, slices and nodes.

use std::collections::BTreeMap;

use watershed_k8s::facts::{Facts, News};
use watershed_k8s::object::{Body, Container, Kind, Object, Owner, Pod, Service};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PODS: usize = 50_000;
const PODS_OF_A_SERVICE: usize = 10;
const PODS_OF_A_NODE: usize = 100;
/// So many objects are told of at once, as the agent does.
const AT_ONCE: usize = 500;
/// Page of this kernel.
const PAGE_BYTES: usize = 4_096;
const NOW_NS: i64 = 1_000_000_000_000;

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells what a process holds");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number is resident pages") * PAGE_BYTES
}

fn uid(kind: u32, number: usize) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012}")
}

fn object(uid: String, name: String, owners: Vec<Owner>, body: Body) -> Object {
    let namespace = if matches!(body, Body::Node { .. }) { "" } else { "many" };
    Object { uid: uid.into(), namespace: namespace.into(), name, version: 1, created_ns: 1, owners, body }
}

fn labels(app: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), app.to_owned()), ("pod-template-hash".to_owned(), "7d5c".to_owned())])
}

fn pod(number: usize) -> Object {
    let service = number / PODS_OF_A_SERVICE;
    let app = format!("app-{service}");
    let owner = Owner { uid: uid(1, service).into(), kind: "ReplicaSet".into(), name: format!("{app}-7d5c") };
    let container = Container {
        id: format!("{number:064x}"),
        name: "main".into(),
        state: "Running".into(),
        started_ns: 1,
        ..Container::default()
    };
    let pod = Pod {
        node: format!("node-{}", number / PODS_OF_A_NODE),
        ips: vec![format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255)],
        phase: "Running".into(),
        labels: labels(&app).into(),
        qos: "BestEffort".into(),
        ready: true,
        containers: vec![container],
        ..Pod::default()
    };
    object(uid(2, number), format!("{app}-7d5c-{number}"), vec![owner], Body::Pod(Box::new(pod)))
}

fn service(number: usize) -> Object {
    let selector = BTreeMap::from([("app".to_owned(), format!("app-{number}"))]);
    let ip = format!("10.200.{}.{}", number >> 8, number & 255);
    let service = Service { selector, cluster_ips: vec![ip], external_ips: vec![] };
    object(uid(3, number), format!("app-{number}"), vec![], Body::Service(service))
}

fn slice(number: usize) -> Object {
    let pods = (0..PODS_OF_A_SERVICE).map(|pod| uid(2, number * PODS_OF_A_SERVICE + pod).into()).collect();
    let body = Body::EndpointSlice { service: format!("app-{number}"), pods };
    object(uid(4, number), format!("app-{number}-x1"), vec![], body)
}

fn node(number: usize) -> Object {
    let body = Body::Node { ips: vec![format!("10.100.{}.{}", number >> 8, number & 255)], pod_cidrs: vec![] };
    object(uid(5, number), format!("node-{number}"), vec![], body)
}

fn main() {
    let before = resident_bytes();
    let mut facts = Facts::new(NOW_NS);
    facts.advance(NOW_NS);
    let services = PODS / PODS_OF_A_SERVICE;
    let kinds: [(Kind, usize, fn(usize) -> Object); 4] = [
        (Kind::Node, PODS / PODS_OF_A_NODE, node),
        (Kind::Service, services, service),
        (Kind::EndpointSlice, services, slice),
        (Kind::Pod, PODS, pod),
    ];
    for (kind, count, make) in kinds {
        let objects = (0..count).map(make).collect();
        facts.learn(News::Listed { kind, objects, version: 1, at_ns: NOW_NS });
    }
    let known = resident_bytes();
    let mut rows = 0;
    loop {
        let changes = facts.changes_of(AT_ONCE);
        rows += changes.len();
        if changes.is_empty() {
            break;
        }
    }
    let told = resident_bytes();
    let of_a_pod = |bytes: usize| bytes as f64 / PODS as f64;
    println!(
        "{PODS} pods, {services} services and slices: {:.0} bytes a pod, of them {:.0} since its {rows} rows were told",
        of_a_pod(told - before),
        of_a_pod(told.saturating_sub(known))
    );
}
