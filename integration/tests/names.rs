//! Needs etcd and kube-apiserver (tools/kubernetes.sh): what a real API server says becomes names.
#![allow(clippy::unwrap_used)]

use anyhow::Result;
use watershed_integration::agent::Agent;
use watershed_integration::kubernetes::objects::{delete_pod, grant, namespace, pod, service};
use watershed_integration::kubernetes::{Cluster, User, binaries};
use watershed_integration::processes::wait_until;
use watershed_integration::proxy::Proxy;

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

#[test]
fn what_is_known_stays_while_the_server_is_away_and_a_list_tells_what_was_missed() -> Result<()> {
    let Some(binaries) = binaries("what_is_known_stays_while_the_server_is_away") else { return Ok(()) };
    let mut cluster = Cluster::start(&binaries)?;
    cluster.send(&[namespace("shop"), service("shop", "cart", "cart")])?;
    for (name, ip) in [("stays", "10.200.0.1"), ("goes", "10.200.0.2")] {
        cluster.send(&pod("shop", name, "cart", ip, name))?;
    }
    let proxy = Proxy::start(cluster.port())?;
    let agent = agent(&cluster.kubeconfig(User::Admin, proxy.port())?)?;
    wait_for(&agent, 2, "SELECT count(*) FROM k8s.pods WHERE service_name = 'shop/cart'")?;
    wait_for(&agent, 11, "SELECT count(*) FROM system.watches WHERE state = 'watching'")?;

    cluster.kill_server();
    wait_for(&agent, 11, "SELECT count(*) FROM system.watches WHERE state = 'away' AND error <> ''")?;
    wait_for(&agent, 2, "SELECT count(*) FROM k8s.pods WHERE service_name = 'shop/cart' AND stop_time < start_time")?;
    proxy.cut();
    cluster.start_server()?;

    // The agent sees none of this: a pod goes, one comes, and the versions in between are forgotten.
    cluster.send(&[delete_pod("shop", "goes")])?;
    cluster.send(&pod("shop", "comes", "cart", "10.200.0.2", "comes"))?;
    cluster.compact()?;
    cluster.kill_server();
    cluster.start_server()?;
    proxy.mend();
    wait_for(&agent, 11, "SELECT count(*) FROM system.watches WHERE state = 'watching'")?;
    let living = "SELECT count(*) FROM k8s.pods WHERE stop_time < start_time AND name IN ('shop/stays', 'shop/comes')";
    wait_for(&agent, 2, living)?;
    wait_for(&agent, 1, "SELECT count(*) FROM k8s.pods WHERE stop_time > start_time AND name = 'shop/goes'")?;
    // The address went from one to the other, at a time at which nobody looked.
    wait_for(
        &agent,
        1,
        "SELECT count(*) FROM k8s.addresses AS a JOIN k8s.addresses AS b ON a.addr = b.addr AND a.valid_to = b.valid_from \
         WHERE a.name = 'shop/goes' AND b.name = 'shop/comes'",
    )?;
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn five_thousand_pods_come_change_and_go() -> Result<()> {
    let Some(binaries) = binaries("five_thousand_pods_come_change_and_go") else { return Ok(()) };
    let cluster = Cluster::start(&binaries)?;
    cluster.send(&[namespace("many"), service("many", "all", "many")])?;
    let agent = agent(&cluster.kubeconfig(User::Admin, cluster.port())?)?;
    let name = |n: usize| format!("pod-{n}");
    let made = |n: usize| {
        let ip = format!("10.201.{}.{}", n / 250, n % 250);
        pod("many", &name(n), "many", &ip, &format!("container-{n}"))
    };
    let pods: Vec<_> = (0..5000).flat_map(made).collect();
    cluster.send(&pods)?;
    wait_for(&agent, 5000, "SELECT count(*) FROM k8s.pods WHERE service_name = 'many/all' AND ip <> ''")?;
    wait_for(&agent, 5000, "SELECT count(*) FROM k8s.containers WHERE container_id LIKE 'container-%'")?;
    let gone: Vec<_> = (0..5000).map(|n| delete_pod("many", &name(n))).collect();
    cluster.send(&gone)?;
    wait_for(&agent, 5000, "SELECT count(*) FROM k8s.addresses WHERE valid_to > valid_from")?;
    wait_for(&agent, 0, "SELECT objects FROM system.watches WHERE kind = 'Pod'")?;
    println!("resident after 5000 pods came and went: {} KiB", agent.resident_kib()?);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
