//! Needs etcd and kube-apiserver (tools/kubernetes.sh): what a real API server says becomes names.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use anyhow::Result;
use serde_json::{Value, json};
use watershed_integration::agent::{Agent, binary};
use watershed_integration::kubernetes::objects::{delete_pod, endpoint_slice, grant, namespace, patch, pod, service};
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
fn a_slice_names_the_pods_of_a_service_without_selector() -> Result<()> {
    let Some(binaries) = binaries("a_slice_names_the_pods_of_a_service_without_selector") else { return Ok(()) };
    let cluster = Cluster::start(&binaries)?;
    cluster.send(&[namespace("shop"), service("shop", "old", "")])?;
    cluster.send(&pod("shop", "cart-1", "cart", "10.200.0.1", "c1"))?;
    let agent = agent(&cluster.kubeconfig(User::Admin, cluster.port())?)?;
    wait_for(&agent, 1, "SELECT count(*) FROM k8s.pods WHERE name = 'shop/cart-1' AND service_name = ''")?;
    let object: Value = serde_json::from_str(&cluster.get("/api/v1/namespaces/shop/pods/cart-1")?)?;
    let uid = object["metadata"]["uid"].as_str().unwrap();
    cluster.send(&[endpoint_slice("shop", "old-1", "old", &[["cart-1", uid, "10.200.0.1"]])])?;
    wait_for(&agent, 1, "SELECT count(*) FROM k8s.pods WHERE name = 'shop/cart-1' AND service_name = 'shop/old'")?;
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn a_completed_job_has_its_address_until_its_container_ended() -> Result<()> {
    let Some(binaries) = binaries("a_completed_job_has_its_address_until_its_container_ended") else { return Ok(()) };
    let cluster = Cluster::start(&binaries)?;
    cluster.send(&[namespace("jobs")])?;
    cluster.send(&pod("jobs", "once", "once", "10.200.0.1", "c1"))?;
    let ended = json!({"exitCode": 0, "reason": "Completed", "containerID": "containerd://c1",
        "startedAt": "2000-01-01T00:00:00Z", "finishedAt": "2100-01-01T00:00:00Z"});
    let done = json!({"name": "main", "image": "none", "imageID": "none", "ready": false, "restartCount": 0,
        "containerID": "containerd://c1", "state": {"terminated": ended}});
    let status = json!({"status": {"phase": "Succeeded", "containerStatuses": [done]}});
    cluster.send(&[patch("/api/v1/namespaces/jobs/pods/once/status", status)])?;
    let agent = agent(&cluster.kubeconfig(User::Admin, cluster.port())?)?;
    let until = "SELECT CAST(max(valid_to) AS BIGINT) / 1000000000 FROM k8s.addresses WHERE name = 'jobs/once'";
    wait_for(&agent, 4_102_444_800, until)?;
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn a_kubeconfig_that_cannot_be_used_ends_the_start_with_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "apiVersion: v1\nkind: Config\n")?;
    let broken = folder.path().join("broken");
    std::fs::write(&broken, "{clusters: [")?;
    for file in [empty, broken, folder.path().join("missing")] {
        let mut command = Command::new(binary());
        command.args(["run", "--listen", "127.0.0.1:0", "--scope", &format!("pid:{}", std::process::id())]);
        let output = command.arg("--kubeconfig").arg(&file).output()?;
        let told = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert_eq!(told.lines().filter(|line| !line.is_empty()).count(), 1, "{told}");
        assert!(told.contains(&file.display().to_string()), "{told}");
    }
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
