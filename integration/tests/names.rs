//! Needs etcd and kube-apiserver (tools/kubernetes.sh): what a real API server says becomes names.
#![allow(clippy::unwrap_used)]

use anyhow::Result;
use watershed_integration::agent::Agent;
use watershed_integration::kubernetes::objects::{delete_pod, grant, namespace, pod, service};
use watershed_integration::kubernetes::{Cluster, User, binaries};
use watershed_integration::processes::wait_until;

/// An agent that traces nothing but itself.
fn agent(kubeconfig: &std::path::Path) -> Result<Agent> {
    let scope = format!("pid:{}", std::process::id());
    Agent::start(&["--scope", &scope, "--kubeconfig", &kubeconfig.display().to_string()])
}

fn wait_for(agent: &Agent, number: i64, sql: &str) -> Result<()> {
    wait_until(&format!("{number} from {sql}"), || agent.number(sql).ok() == Some(number))
}

#[test]
fn pods_and_services_are_known_and_their_changes_follow() -> Result<()> {
    let Some(binaries) = binaries("pods_and_services_are_known") else { return Ok(()) };
    let cluster = Cluster::start(&binaries)?;
    cluster.send(&[namespace("shop"), service("shop", "cart", "cart")])?;
    cluster.send(&pod("shop", "cart-1", "cart", "10.200.0.1", "c1"))?;
    let agent = agent(&cluster.kubeconfig(User::Admin, cluster.port())?)?;
    wait_for(&agent, 1, "SELECT count(*) FROM k8s.pods WHERE name = 'shop/cart-1' AND service_name = 'shop/cart'")?;
    wait_for(&agent, 11, "SELECT count(*) FROM system.watches WHERE state = 'watching'")?;

    cluster.send(&pod("shop", "cart-2", "cart", "10.200.0.2", "c2"))?;
    cluster.send(&[delete_pod("shop", "cart-1")])?;
    wait_for(&agent, 1, "SELECT count(*) FROM k8s.pods WHERE service_name = 'shop/cart' AND stop_time > start_time")?;
    wait_for(&agent, 1, "SELECT count(*) FROM k8s.addresses WHERE name = 'shop/cart-2' AND addr = '10.200.0.2'")?;
    wait_for(&agent, 1, "SELECT count(*) FROM pod_events WHERE pod = 'shop/cart-1' AND event = 'deleted'")?;
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn a_kind_without_rights_is_refused_and_the_others_go_on() -> Result<()> {
    let Some(binaries) = binaries("a_kind_without_rights_is_refused") else { return Ok(()) };
    let cluster = Cluster::start(&binaries)?;
    cluster.send(&grant("some", &["pods", "nodes", "namespaces", "replicasets", "deployments", "statefulsets"]))?;
    cluster.send(&[namespace("shop"), service("shop", "cart", "cart")])?;
    cluster.send(&pod("shop", "cart-1", "cart", "10.200.0.1", "c1"))?;
    let agent = agent(&cluster.kubeconfig(User::Limited, cluster.port())?)?;
    wait_for(&agent, 6, "SELECT count(*) FROM system.watches WHERE state = 'watching'")?;
    wait_for(&agent, 5, "SELECT count(*) FROM system.watches WHERE state = 'refused' AND error <> ''")?;
    wait_for(&agent, 1, "SELECT count(*) FROM k8s.pods WHERE name = 'shop/cart-1' AND service_name = ''")?;
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
