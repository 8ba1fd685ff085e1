//! Needs etcd and kube-apiserver (tools/kubernetes.sh); figures: what a cluster of 5,000 pods costs the agent that names
//! by it, and the API server that it asks.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use watershed_integration::agent::Agent;
use watershed_integration::kubernetes::objects::{delete_pod, endpoint_slice, grant, namespace, patch, pod, service};
use watershed_integration::kubernetes::{Cluster, Request, User, binaries};
use watershed_integration::processes::wait_at_most;
use watershed_integration::subscription::Subscription;

const PODS: usize = 5_000;
const SERVICES: usize = 500;
const NODES: usize = 50;
const CHANGES_PER_SECOND: u32 = 100;
const SECONDS: u64 = 30;
const KINDS: &[&str] = &[
    "pods",
    "services",
    "endpointslices",
    "nodes",
    "namespaces",
    "replicasets",
    "deployments",
    "statefulsets",
    "daemonsets",
    "jobs",
    "cronjobs",
];
const MIB: f64 = 1024.0;

/// A pod with as much around it as real ones have.
fn made(number: usize) -> [Request; 2] {
    let (app, ip) = (format!("app-{}", number % SERVICES), format!("10.{}.{}.{}", 64, number / 250, number % 250 + 1));
    let mut requests = pod("many", &name(number), &app, &ip, &format!("{number:064x}"));
    let body = requests[0].2.as_mut().unwrap();
    body["spec"]["nodeName"] = json!(format!("node-{}", number % NODES));
    body["metadata"]["annotations"] = json!({"checksum/config": "c".repeat(64), "prometheus.io/scrape": "true"});
    body["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
        "name": format!("{app}-7d5c"), "uid": format!("00000000-0000-4000-8000-{:012}", number % SERVICES)}]);
    let variables: Vec<_> = (0..20).map(|n| json!({"name": format!("SETTING_{n}"), "value": "v".repeat(40)})).collect();
    body["spec"]["containers"][0]["env"] = json!(variables);
    requests
}

fn name(number: usize) -> String {
    format!("app-{}-7d5c-{number}", number % SERVICES)
}

fn fill(cluster: &Cluster) -> Result<()> {
    let node = |n: usize| -> Request {
        let status = json!({"addresses": [{"type": "InternalIP", "address": format!("10.65.0.{}", n + 1)}]});
        let body = json!({"metadata": {"name": format!("node-{n}")}, "status": status});
        ("POST", "/api/v1/nodes".into(), Some(body))
    };
    cluster.send(&(0..NODES).map(node).collect::<Vec<_>>())?;
    cluster.send(&[namespace("many")])?;
    let services = (0..SERVICES).map(|n| service("many", &format!("app-{n}"), &format!("app-{n}")));
    cluster.send(&services.collect::<Vec<_>>())?;
    cluster.send(&(0..PODS).flat_map(made).collect::<Vec<_>>())?;
    let list: Value = serde_json::from_str(&cluster.get("/api/v1/namespaces/many/pods")?)?;
    let mut pods_by_service: BTreeMap<String, Vec<[&str; 3]>> = BTreeMap::new();
    for pod in list["items"].as_array().unwrap() {
        let text = |value: &'_ Value| value.as_str().unwrap().to_owned();
        let of = ["name", "uid"].map(|key| pod["metadata"][key].as_str().unwrap());
        let pods = pods_by_service.entry(text(&pod["metadata"]["labels"]["app"])).or_default();
        pods.push([of[0], of[1], pod["status"]["podIP"].as_str().unwrap()]);
    }
    let slices = pods_by_service.iter().map(|(app, pods)| endpoint_slice("many", &format!("{app}-x1"), app, pods));
    cluster.send(&slices.collect::<Vec<_>>())
}

/// So many changes: pods become ready and unready, and some go and come back.
fn churn(count: usize) -> Vec<Request> {
    let mut requests = Vec::with_capacity(count + 4);
    for number in (0..PODS).cycle() {
        if requests.len() >= count {
            break;
        }
        let status = format!("/api/v1/namespaces/many/pods/{}/status", name(number));
        let ready = |is: &str| json!({"status": {"conditions": [{"type": "Ready", "status": is}]}});
        requests.extend([patch(&status, ready("False")), patch(&status, ready("True"))]);
        if number % 2 == 0 {
            requests.push(delete_pod("many", &name(number)));
            requests.extend(made(number));
        }
    }
    requests
}

/// Cores that it uses while something goes on.
fn cores(agent: &Agent, meanwhile: impl FnOnce() -> Result<()>) -> Result<f64> {
    let (before, started) = (agent.processor_hundredths()?, Instant::now());
    meanwhile()?;
    Ok((agent.processor_hundredths()? - before) as f64 / 100.0 / started.elapsed().as_secs_f64())
}

/// Memory that it stays at, MiB: the allocator gives back what is free after some seconds.
fn resident_mib(agent: &Agent) -> Result<f64> {
    std::thread::sleep(Duration::from_secs(20));
    Ok(agent.resident_kib()? as f64 / MIB)
}

#[test]
#[ignore = "figures: run it with --ignored --nocapture on a quiet machine, WATERSHED_BIN naming a release build"]
fn five_thousand_pods_cost_an_agent_and_the_server_little() -> Result<()> {
    let Some(binaries) = binaries("five_thousand_pods_cost_little") else { return Ok(()) };
    let cluster = Cluster::start_audited(&binaries)?;
    cluster.send(&grant("all", KINDS))?;
    fill(&cluster)?;
    let scope = format!("pid:{}", std::process::id());
    let map = "SELECT requestor, responder, sum(requests) AS n FROM service_map GROUP BY requestor, responder";
    let start = |kubeconfig: &str| -> Result<_> {
        let agent = Agent::start(&["--scope", &scope, "--kubeconfig", kubeconfig, "--data-budget", "256MiB"])?;
        let subscription = Subscription::start(&agent, map)?;
        Ok((agent, subscription))
    };
    let (without, subscription) = start("none")?;
    let base_mib = resident_mib(&without)?;
    drop(subscription);
    without.stop();

    let kubeconfig = cluster.kubeconfig(User::Limited, cluster.port())?;
    let (agent, _subscription) = start(&kubeconfig.display().to_string())?;
    let known = "SELECT count(*) FROM k8s.pods WHERE service_name <> '' AND ip <> ''";
    let started = Instant::now();
    wait_at_most(60, "the pods", || agent.number(known).ok() == Some(PODS as i64))?;
    println!("{PODS} pods known after {:.1?}", started.elapsed());
    let with_mib = resident_mib(&agent)?;
    println!(
        "memory: {with_mib:.1} MiB with the cluster, {base_mib:.1} MiB without: {:.1} MiB more",
        with_mib - base_mib
    );

    let largest = "SELECT view, operator, sum(records) AS records, sum(bytes) / 1048576.0 AS mib FROM system.arrangements \
                   GROUP BY view, operator ORDER BY mib DESC LIMIT 25";
    agent.query(largest)?.iter().for_each(|row| println!("  {row}"));

    let sleep = || {
        std::thread::sleep(Duration::from_secs(SECONDS));
        Ok(())
    };
    let idle = cores(&agent, sleep)?;
    let requests = churn(SECONDS as usize * CHANGES_PER_SECOND as usize);
    let busy = cores(&agent, || cluster.send_at(CHANGES_PER_SECOND, &requests))?;
    println!("churn of {CHANGES_PER_SECOND} changes a second: {busy:.4} core, idle {idle:.4}: {:.4} more", busy - idle);
    println!("memory after churn: {:.1} MiB", resident_mib(&agent)?);

    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    let audited = cluster.audited()?;
    for (verb, uri) in &audited {
        let page = if uri.contains("continue=") { " further page" } else { "" };
        let path = uri.split('?').next().unwrap_or_default();
        *asked.entry(format!("{verb}{page} {}", path.rsplit('/').next().unwrap_or_default())).or_default() += 1;
    }
    println!("asked of the API server: {asked:?}");
    for kind in KINDS {
        assert_eq!(asked.get(&format!("list {kind}")), Some(&1), "one list: {asked:?}");
        assert_eq!(asked.get(&format!("watch {kind}")), Some(&1), "one watch: {asked:?}");
    }
    let others = audited.iter().filter(|(verb, uri)| verb != "watch" && !(verb == "list" && uri.contains("limit=")));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "nothing is polled");
    assert!(with_mib - base_mib <= 60.0, "memory");
    assert!(busy - idle <= 0.02, "churn");
    Ok(())
}
