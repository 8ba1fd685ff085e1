//! Needs root, etcd and kube-apiserver (tools/kubernetes.sh): traffic between network namespaces with pods' addresses is
//! named by pod and service, also when the pod becomes known afterwards or its address is given on.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;
use serde_json::{Value, json};
use watershed_integration::agent::Agent;
use watershed_integration::kubernetes::objects::{delete_pod, namespace, patch, pod, service};
use watershed_integration::kubernetes::{Cluster, User, binaries};
use watershed_integration::machine;
use watershed_integration::network::{Network, inside, path_of};
use watershed_integration::processes::{self, Owned, wait_until};
use watershed_integration::proxy::Proxy;
use watershed_integration::subscription::Subscription;

const CART: &str = "10.201.0.2";
/// No pod's.
const OUTSIDE: &str = "10.201.0.9";

/// Requests by the owner of the address at the second of the request.
const BY_PEER: &str = "SELECT pod, service, addr, sum(n) AS requests FROM ( \
     SELECT ip_to_pod_name(remote_addr, at) AS pod, \
     pod_id_to_service_name(ip_to_pod_id(remote_addr, at)) AS service, remote_addr AS addr, n FROM ( \
     SELECT remote_addr, bin(time_, 1000000000) AS at, count(*) AS n FROM http_events \
     WHERE time_ > now() - INTERVAL '10 minutes' AND trace_role = 1 \
     GROUP BY remote_addr, bin(time_, 1000000000)) AS e) AS named GROUP BY pod, service, addr";

fn row(pod: &str, service: &str, requests: i64) -> String {
    json!({"pod": pod, "service": service, "addr": CART, "requests": requests}).to_string()
}

fn serve(namespace: &str, address: &str) -> Result<Owned> {
    let mut server = inside(namespace, "python3");
    server.args(["-m", "http.server", "8080", "--bind", address]).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Owned::spawn(&mut server)?;
    let url = format!("http://{address}:8080/");
    wait_until("the server", || {
        inside(namespace, "curl").args(["-sfo", "/dev/null", &url]).status().is_ok_and(|status| status.success())
    })?;
    Ok(server)
}

fn request(namespace: &str, address: &str, count: u32) -> Result<()> {
    let load = ["-q", "-n", &count.to_string(), "-c", "4", &format!("http://{address}:8080/")];
    processes::output(inside(namespace, "ab").args(load)).map(drop)
}

fn wait_for_rows(subscription: &Subscription, rows: &[String]) -> Result<()> {
    let shown = |seen: &watershed_integration::subscription::Seen| {
        seen.rows.len() == rows.len() && rows.iter().all(|row| seen.rows.get(row) == Some(&1))
    };
    let done = wait_until("the rows", || shown(&subscription.seen()));
    done.map_err(|error| error.context(format!("{rows:?} instead of {:?}", subscription.seen().rows)))
}

/// The next second begins: what follows is not in a second with what was before.
fn next_second() -> Result<()> {
    let second = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    let now = second();
    wait_until("the next second", || second() > now)
}

fn started_now() -> Result<Value> {
    let now = processes::output(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]))?;
    Ok(json!({"status": {"startTime": now.trim()}}))
}

#[test]
fn late_pods_rename_past_traffic_and_an_address_that_is_given_on_names_both_owners_as_root() -> Result<()> {
    let name = "late_pods_rename_past_traffic";
    let Some(binaries) = binaries(name) else { return Ok(()) };
    if !machine::can_trace(name, &["python3", "ab", "curl", "nsenter", "ip"]) {
        return Ok(());
    }
    let mut cluster = Cluster::start(&binaries)?;
    let mut network = Network::new("wsn")?;
    let client = network.add("client", "10.201.0.1")?;
    let server = network.add("server", CART)?;
    let _server = serve(&server, CART)?;
    let proxy = Proxy::start(cluster.port())?;
    let kubeconfig = cluster.kubeconfig(User::Admin, proxy.port())?;
    let scope = format!("netns:{}", path_of(&client));
    let agent = Agent::start(&["--scope", &scope, "--kubeconfig", &kubeconfig.display().to_string()])?;
    let subscription = Subscription::start(&agent, BY_PEER)?;

    // The agent learns nothing yet, so the address is all that is known.
    proxy.cut();
    cluster.send(&[namespace("shop"), service("shop", "cart", "cart"), service("shop", "other", "other")])?;
    cluster.send(&pod("shop", "cart-1", "cart", CART, "c1"))?;
    next_second()?;
    request(&client, CART, 200)?;
    wait_for_rows(&subscription, &[row("", "", 200)])?;
    let unnamed = subscription.seen().changes.len();
    proxy.mend();
    wait_for_rows(&subscription, &[row("shop/cart-1", "shop/cart", 200)])?;
    // The pod may be known before its service is, and nothing else is ever shown.
    let right = [("", ""), ("shop/cart-1", ""), ("shop/cart-1", "shop/cart")].map(|(pod, of)| row(pod, of, 200));
    let changes = subscription.seen().changes.split_off(unnamed);
    assert!(changes.iter().all(|(row, _)| right.contains(row)), "{changes:?}");

    // The address is given on.
    next_second()?;
    cluster.send(&[delete_pod("shop", "cart-1")])?;
    let gone = "SELECT count(*) FROM k8s.addresses WHERE name = 'shop/cart-1' AND valid_to > valid_from";
    wait_until("the end of cart-1", || agent.number(gone).ok() == Some(1))?;
    next_second()?;
    cluster.send(&pod("shop", "other-1", "other", CART, "c2"))?;
    cluster.send(&[patch("/api/v1/namespaces/shop/pods/other-1/status", started_now()?)])?;
    next_second()?;
    request(&client, CART, 100)?;
    let first = row("shop/cart-1", "shop/cart", 200);
    wait_for_rows(&subscription, &[first.clone(), row("shop/other-1", "shop/other", 100)])?;

    // Names stay while the server is away, and follow it when it is back.
    cluster.kill_server();
    request(&client, CART, 50)?;
    wait_for_rows(&subscription, &[first.clone(), row("shop/other-1", "shop/other", 150)])?;
    cluster.start_server()?;
    cluster.send(&[patch("/api/v1/namespaces/shop/services/cart", json!({"spec": {"selector": {"app": "other"}}}))])?;
    let both = r#"["shop/cart","shop/other"]"#;
    wait_for_rows(&subscription, &[row("shop/cart-1", "", 200), row("shop/other-1", both, 150)])?;

    let asked: Vec<_> = agent.query(BY_PEER)?.iter().map(|row| (row.to_string(), 1)).collect();
    assert_eq!(subscription.seen().rows.into_iter().collect::<Vec<_>>(), {
        let mut asked = asked;
        asked.sort();
        asked
    });
    drop(subscription);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

/// Of the bundled map, who was called.
fn map() -> String {
    let map = include_str!("../../scripts/ws/service_map/view.sql");
    format!(
        "SELECT responder, responder_kind, sum(requests) AS requests FROM ({map}) AS map \
         GROUP BY responder, responder_kind"
    )
}

fn called(responder: &str, kind: &str, requests: i64) -> String {
    json!({"responder": responder, "responder_kind": kind, "requests": requests}).to_string()
}

#[test]
fn the_map_names_both_owners_of_an_address_given_on_and_an_outside_address_by_itself_as_root() -> Result<()> {
    let name = "the_map_names_both_owners_of_an_address_given_on";
    let Some(binaries) = binaries(name) else { return Ok(()) };
    if !machine::can_trace(name, &["python3", "ab", "curl", "nsenter", "ip"]) {
        return Ok(());
    }
    let cluster = Cluster::start(&binaries)?;
    cluster.send(&[namespace("shop")])?;
    cluster.send(&pod("shop", "first", "first", CART, "c1"))?;
    let mut network = Network::new("wsm")?;
    let client = network.add("client", "10.201.0.1")?;
    let (server, outside) = (network.add("server", CART)?, network.add("outside", OUTSIDE)?);
    let _servers = [serve(&server, CART)?, serve(&outside, OUTSIDE)?];
    let kubeconfig = cluster.kubeconfig(User::Admin, cluster.port())?;
    let scope = format!("netns:{}", path_of(&client));
    let agent = Agent::start(&["--scope", &scope, "--kubeconfig", &kubeconfig.display().to_string()])?;
    let subscription = Subscription::start(&agent, &map())?;
    request(&client, CART, 60)?;
    request(&client, OUTSIDE, 20)?;
    let (first, outside) = (called("shop/first", "pod", 60), called(OUTSIDE, "address", 20));
    wait_for_rows(&subscription, &[first.clone(), outside.clone()])?;

    // All within a second or two, whose first nanosecond is all that the next pod's status says of when it began.
    cluster.send(&[delete_pod("shop", "first")])?;
    let gone = "SELECT count(*) FROM k8s.addresses WHERE name = 'shop/first' AND valid_to > valid_from";
    wait_until("the end of the first", || agent.number(gone).ok() == Some(1))?;
    cluster.send(&pod("shop", "second", "second", CART, "c2"))?;
    request(&client, CART, 40)?;
    let second = called("shop/second", "pod", 40);
    wait_for_rows(&subscription, &[first.clone(), second.clone(), outside.clone()])?;
    let mut asked: Vec<_> = agent.query(&map())?.iter().map(ToString::to_string).collect();
    asked.sort();
    let mut expected = vec![first, second, outside];
    expected.sort();
    assert_eq!(asked, expected);
    drop(subscription);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

/// A cgroup that a test made, in a hierarchy that processes can be put into; it goes with its processes.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(path: &str) -> Option<Self> {
        let roots = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].map(PathBuf::from);
        let root = roots.into_iter().find(|root| root.join("cgroup.procs").exists())?;
        std::fs::create_dir_all(root.join(path)).ok()?;
        Some(Cgroup(root.join(path)))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let mut folder = self.0.as_path();
        // Its processes were ended, but leave it only once they are reaped; folders that others use stay.
        let _ = wait_until("an empty cgroup", || std::fs::remove_dir(&self.0).is_ok());
        while let Some(parent) = folder.parent() {
            if std::fs::remove_dir(parent).is_err() {
                break;
            }
            folder = parent;
        }
    }
}

#[test]
fn a_process_is_named_by_the_pod_of_its_cgroup_as_root() -> Result<()> {
    let name = "a_process_is_named_by_the_pod_of_its_cgroup";
    let Some(binaries) = binaries(name) else { return Ok(()) };
    if !machine::can_trace(name, &["python3", "ab", "curl", "nsenter", "ip"]) {
        return Ok(());
    }
    let cluster = Cluster::start(&binaries)?;
    let container = "0123456789abcdef".repeat(4);
    cluster.send(&[namespace("shop"), service("shop", "cart", "cart")])?;
    cluster.send(&pod("shop", "cart-1", "cart", CART, "not-this-one"))?;
    let object: Value = serde_json::from_str(&cluster.get("/api/v1/namespaces/shop/pods/cart-1")?)?;
    let uid = object["metadata"]["uid"].as_str().unwrap();
    let Some(cgroup) = Cgroup::new(&format!("names-test/kubepods/besteffort/pod{uid}/{container}")) else {
        println!("SKIPPED {name}: no cgroup can be made here");
        return Ok(());
    };
    let mut network = Network::new("wsp")?;
    let client = network.add("client", "10.201.0.1")?;
    let server = network.add("server", CART)?;
    let kubeconfig = cluster.kubeconfig(User::Admin, cluster.port())?;
    let server = serve(&server, CART)?;
    std::fs::write(cgroup.0.join("cgroup.procs"), server.pid().to_string())?;
    let scope = format!("pid:{}", server.pid());
    let agent = Agent::start(&["--scope", &scope, "--kubeconfig", &kubeconfig.display().to_string()])?;
    let sql = "SELECT pod, service, container, sum(n) AS requests FROM ( \
         SELECT upid_to_pod_name(upid) AS pod, upid_to_service_name(upid) AS service, \
         upid_to_container_name(upid) AS container, n FROM (SELECT upid, count(*) AS n FROM http_events \
         WHERE time_ > now() - INTERVAL '10 minutes' AND trace_role = 2 GROUP BY upid) AS e) AS named \
         GROUP BY pod, service, container";
    let subscription = Subscription::start(&agent, sql)?;
    request(&client, CART, 100)?;
    let row = |container: &str| {
        json!({"pod": "shop/cart-1", "service": "shop/cart", "container": container, "requests": 100}).to_string()
    };
    // The kubelet has not said yet which container it is, but the path says which pod.
    wait_for_rows(&subscription, &[row("")])?;
    let running = json!({"name": "main", "image": "none", "imageID": "none", "ready": true, "restartCount": 0,
        "containerID": format!("containerd://{container}"), "state": {"running": {}}});
    let status = json!({"status": {"containerStatuses": [running]}});
    cluster.send(&[patch("/api/v1/namespaces/shop/pods/cart-1/status", status)])?;
    wait_for_rows(&subscription, &[row("main")])?;
    drop(subscription);
    assert_eq!(agent.stop(), Some(0));
    drop(server);
    Ok(())
}

#[test]
fn without_kubernetes_a_process_is_named_by_its_systemd_service_as_root() -> Result<()> {
    let name = "without_kubernetes_a_process_is_named_by_its_systemd_service";
    if !machine::can_trace(name, &["python3", "ab", "curl", "nsenter", "ip"]) {
        return Ok(());
    }
    let Some(cgroup) = Cgroup::new("names-test/system.slice/web.service") else {
        println!("SKIPPED {name}: no cgroup can be made here");
        return Ok(());
    };
    let mut network = Network::new("wss")?;
    let (client, server) = (network.add("client", "10.201.0.1")?, network.add("server", CART)?);
    let server = serve(&server, CART)?;
    std::fs::write(cgroup.0.join("cgroup.procs"), server.pid().to_string())?;
    let agent = Agent::start(&["--scope", &format!("pid:{}", server.pid()), "--kubeconfig", "none"])?;
    request(&client, CART, 30)?;
    let named = "SELECT count(*) FROM http_events WHERE trace_role = 2 AND container = 'web.service'";
    wait_until("the requests", || agent.number(named).ok() == Some(30))?;
    assert_eq!(agent.stop(), Some(0));
    drop(server);
    Ok(())
}

#[test]
fn processes_that_live_for_milliseconds_are_named_by_their_cgroup_as_root() -> Result<()> {
    let name = "processes_that_live_for_milliseconds_are_named_by_their_cgroup";
    if !machine::can_trace(name, &["python3", "sh", "curl", "nsenter", "ip"]) {
        return Ok(());
    }
    let Some(cgroup) = Cgroup::new("names-test/system.slice/job.service") else {
        println!("SKIPPED {name}: no cgroup can be made here");
        return Ok(());
    };
    let mut network = Network::new("wsq")?;
    let (client, server) = (network.add("client", "10.201.0.1")?, network.add("server", CART)?);
    let server = serve(&server, CART)?;
    let agent = Agent::start(&["--scope", &format!("netns:{}", path_of(&client)), "--kubeconfig", "none"])?;
    let enter = format!("echo $$ > {}/cgroup.procs; exec curl -sfo /dev/null http://{CART}:8080/", cgroup.0.display());
    for _ in 0..100 {
        processes::output(inside(&client, "sh").args(["-c", &enter]))?;
    }
    wait_until("the requests", || agent.number("SELECT count(*) FROM http_events").ok() == Some(100))?;
    let named = "SELECT count(*) FROM http_events WHERE container = 'job.service'";
    wait_until("their names", || agent.number(named).ok() == Some(100))?;
    assert_eq!(agent.stop(), Some(0));
    drop(server);
    Ok(())
}
