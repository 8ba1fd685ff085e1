//! Needs root and what tools/kubernetes.sh builds: on a real cluster of two nodes with an agent on each, `service_map`
//! names every request rightly and counts exactly what the client counted.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use watershed_integration::agent::{Agent, integer};
use watershed_integration::kubernetes::User;
use watershed_integration::kubernetes::nodes::{self, Nodes, OUTSIDE};
use watershed_integration::kubernetes::objects::{
    delete_pod, job, namespace, patch, program, real_pod, service_of, workload,
};
use watershed_integration::network::inside;
use watershed_integration::processes::{self, Owned, wait_at_most};

type Scenario = fn(&mut World) -> Result<()>;

/// In this order: after the last one there is only one node.
const SCENARIOS: &[(&str, Scenario)] = &[
    ("pods_call_a_service_by_name_across_nodes", pods_call_a_service_by_name_across_nodes),
    ("a_deployment_is_rolled_over_under_load", a_deployment_is_rolled_over_under_load),
    ("an_address_is_given_on", an_address_is_given_on),
    ("daemons_on_the_hosts_network_are_named_by_process", daemons_on_the_hosts_network_are_named_by_process),
    ("a_pod_calls_itself_by_its_service", a_pod_calls_itself_by_its_service),
    ("a_job_keeps_its_name_when_it_is_complete", a_job_keeps_its_name_when_it_is_complete),
    ("a_service_without_selector_is_named_by_its_address", a_service_without_selector_is_named_by_its_address),
    ("pods_of_a_headless_service_are_named_by_it", pods_of_a_headless_service_are_named_by_it),
    ("a_killed_container_is_told_and_its_pod_keeps_its_name", a_killed_container_is_told_and_its_pod_keeps_its_name),
    ("a_node_goes_away", a_node_goes_away),
];

#[test]
fn every_request_in_a_real_cluster_is_named_and_counted_as_root() -> Result<()> {
    let Some(binaries) = nodes::binaries("every_request_in_a_real_cluster") else { return Ok(()) };
    let only = std::env::var("WATERSHED_SCENARIO").unwrap_or_default();
    let mut world = World::start(&binaries)?;
    let mut failed = Vec::new();
    for (name, scenario) in SCENARIOS.iter().filter(|(name, _)| name.contains(&only)) {
        let started = std::time::Instant::now();
        let result = scenario(&mut world);
        println!("{name}: {} in {:.1?}", if result.is_ok() { "ok" } else { "FAILED" }, started.elapsed());
        failed.extend(result.err().map(|error| format!("{name}: {error:#}")));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    Ok(())
}

/// Requestor and responder as `kind name`, and requests.
type Edges = BTreeMap<(String, String), i64>;

/// A cluster of two nodes and the agent of each.
struct World {
    agents: Vec<Agent>,
    nodes: Nodes,
}

/// A pod that requests are made from.
struct Client<'a> {
    world: &'a World,
    namespace: &'a str,
    node: u8,
    container: String,
}

/// What a load tool counted.
#[derive(Debug)]
struct Answers {
    answered: i64,
    failed: i64,
    by: BTreeMap<String, i64>,
}

impl Answers {
    fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text.trim()).with_context(|| text.to_owned())?;
        let number = |value: &Value| value.as_i64().unwrap_or(0);
        let by = value["by"].as_object().context("counts by server")?;
        if value["failed"] != 0 {
            println!("failed requests: {}", value["errors"]);
        }
        let by = by.iter().map(|(host, count)| (host.clone(), number(count))).collect();
        Ok(Answers { answered: number(&value["answered"]), failed: number(&value["failed"]), by })
    }
}

impl World {
    fn start(binaries: &std::path::Path) -> Result<Self> {
        let nodes = Nodes::start(binaries, 2)?;
        let kubeconfig = nodes.cluster().kubeconfig(User::Admin, nodes.cluster().port())?.display().to_string();
        let agent = |number| {
            let node = nodes.node(number);
            let flags = ["--scope", &node.scope(), "--kubeconfig", &kubeconfig, "--data-budget", "256MiB"];
            Agent::start_in(Some(node.namespace()), &flags)
        };
        let agents = [1, 2].into_iter().map(agent).collect::<Result<Vec<_>>>()?;
        Ok(World { agents, nodes })
    }

    fn send(&self, request: watershed_integration::kubernetes::Request) -> Result<()> {
        self.nodes.cluster().send(&[request])
    }

    /// Makes a service of pods with `app: APP`, whose servers listen at 8080; its address.
    fn service(&self, namespace: &str, app: &str) -> Result<String> {
        let spec = json!({"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8080}]});
        self.send(service_of(namespace, app, &spec))?;
        let service = self.nodes.object(&format!("/api/v1/namespaces/{namespace}/services/{app}"))?;
        Ok(service["spec"]["clusterIP"].as_str().context("an address")?.to_owned())
    }

    /// Makes a deployment and its service, one pod on each node, and waits for them; the service's address.
    fn web(&self, namespace: &str) -> Result<String> {
        let address = self.service(namespace, "web")?;
        let mut spec = program(&["serve", "8080"], Some(8080));
        spec["topologySpreadConstraints"] = json!([{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"app": "web"}}}]);
        let strategy = json!({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}});
        self.send(workload(namespace, "deployments", "web", &spec, &json!({"replicas": 2, "strategy": strategy})))?;
        self.rolled_out(namespace, 2)?;
        Ok(address)
    }

    fn rolled_out(&self, namespace: &str, replicas: i64) -> Result<()> {
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/web");
        let done = |object: &Value| {
            let status = &object["status"];
            let counts = ["replicas", "updatedReplicas", "availableReplicas"].map(|key| status[key].as_i64());
            counts == [Some(replicas); 3] && status["observedGeneration"] == object["metadata"]["generation"]
        };
        self.nodes.wait_for(&path, done)?;
        let slices = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
        let ready = |list: &Value| {
            let endpoints =
                list["items"].as_array().into_iter().flatten().flat_map(|slice| slice["endpoints"].as_array());
            let ready = endpoints.flatten().filter(|endpoint| endpoint["conditions"]["ready"] == true);
            ready.count() as i64 == replicas
        };
        self.nodes.wait_for(&slices, ready)?;
        self.proxied(&format!("{namespace}/web"), replicas as usize)
    }

    /// Waits until what is sent to a service goes to so many servers, on every node.
    fn proxied(&self, service: &str, servers: usize) -> Result<()> {
        for number in (1..).take(self.agents.len()) {
            wait_at_most(60, "the proxies", || {
                let rules = inside(self.nodes.node(number).namespace(), "nft").args(["list", "chains"]).output();
                let rules = rules.map(|rules| String::from_utf8_lossy(&rules.stdout).into_owned()).unwrap_or_default();
                let is_server = |line: &&str| line.contains("endpoint-") && line.contains(&format!("-{service}/tcp/"));
                rules.lines().filter(is_server).count() == servers
            })?;
        }
        Ok(())
    }

    /// Waits until a pod runs and is ready; the object.
    fn running(&self, namespace: &str, name: &str) -> Result<Value> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        self.nodes.wait_for(&path, |pod| {
            let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
            conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
        })
    }

    /// Makes a server on a node, with `app: APP`, and waits for it; its address.
    fn server(&self, namespace: &str, name: &str, app: &str, node: u8) -> Result<String> {
        let mut spec = program(&["serve", "8080"], Some(8080));
        spec["nodeName"] = json!(format!("node-{node}"));
        self.send(real_pod(namespace, name, app, &spec))?;
        let pod = self.running(namespace, name)?;
        Ok(pod["status"]["podIP"].as_str().context("an address")?.to_owned())
    }

    /// Makes a pod on a node that knows some names, and waits for it.
    fn client<'a>(&'a self, namespace: &'a str, node: u8, names: &[(&str, &str)]) -> Result<Client<'a>> {
        let mut spec = program(&["idle"], None);
        spec["nodeName"] = json!(format!("node-{node}"));
        let alias = |(name, ip): &(&str, &str)| json!({"ip": ip, "hostnames": [name]});
        spec["hostAliases"] = names.iter().map(alias).collect();
        self.send(real_pod(namespace, "client", "client", &spec))?;
        self.client_of(namespace, "client", node)
    }

    /// A pod that is there already.
    fn client_of<'a>(&'a self, namespace: &'a str, name: &str, node: u8) -> Result<Client<'a>> {
        let pod = self.running(namespace, name)?;
        let id = pod["status"]["containerStatuses"][0]["containerID"].as_str().context("a container")?;
        let container = id.trim_start_matches("containerd://").to_owned();
        Ok(Client { world: self, namespace, node, container })
    }

    /// Names of the pods of `web` that are not told to end.
    fn pods(&self, namespace: &str) -> Result<Vec<String>> {
        let list = self.nodes.object(&format!("/api/v1/namespaces/{namespace}/pods?labelSelector=app=web"))?;
        let living = list["items"].as_array().into_iter().flatten().map(|pod| &pod["metadata"]);
        let living = living.filter(|metadata| metadata["deletionTimestamp"].is_null());
        Ok(living.filter_map(|metadata| metadata["name"].as_str()).map(str::to_owned).collect())
    }

    /// How many of the answers came from pods of node 2.
    fn on_second_node(&self, namespace: &str, answers: &Answers) -> Result<i64> {
        let mut sum = 0;
        for (host, count) in &answers.by {
            let pod = self.nodes.object(&format!("/api/v1/namespaces/{namespace}/pods/{host}"))?;
            sum += if pod["spec"]["nodeName"] == "node-2" { *count } else { 0 };
        }
        Ok(sum)
    }

    /// What the map of each agent shows.
    fn maps(&self) -> Result<Vec<Edges>> {
        self.agents.iter().map(edges).collect()
    }

    /// Waits until each agent's map has got these edges and nothing else since `before`.
    fn check(&self, before: &[Edges], expected: &[Vec<(&str, &str, i64)>]) -> Result<()> {
        for ((number, agent), (before, expected)) in (1..).zip(&self.agents).zip(before.iter().zip(expected)) {
            let mut expected: Edges = (expected.iter().filter(|(_, _, count)| *count != 0))
                .map(|(from, to, count)| (((*from).to_owned(), (*to).to_owned()), *count))
                .collect();
            let wanted = expected.clone();
            for (edge, count) in before {
                *expected.entry(edge.clone()).or_default() += count;
            }
            agent.settled("SELECT count(*) FROM http_events")?;
            let mut shown = Edges::new();
            let done = wait_at_most(20, "the map", || {
                shown = edges(agent).unwrap_or_default();
                shown == expected
            });
            if done.is_err() {
                let changed: Vec<_> =
                    (shown.iter().map(|(edge, count)| (edge, count - before.get(edge).unwrap_or(&0))))
                        .filter(|(_, count)| *count != 0)
                        .collect();
                let gone: Vec<_> = before.keys().filter(|edge| !shown.contains_key(edge)).collect();
                bail!("agent {number}: {changed:#?} instead of {wanted:#?}; gone: {gone:?}");
            }
            let losses =
                agent.query("SELECT source, reason, sum(count) AS n FROM system.losses GROUP BY source, reason")?;
            anyhow::ensure!(losses.is_empty(), "agent {number}: {losses:?}");
        }
        Ok(())
    }
}

/// The bundled map of the last hour.
fn edges(agent: &Agent) -> Result<Edges> {
    let map = include_str!("../../scripts/ws/service_map/view.sql").replace("'5 minutes'", "'60 minutes'");
    let rows = agent.query(&format!(
        "SELECT requestor_kind || ' ' || requestor AS a, responder_kind || ' ' || responder AS b, sum(requests) AS n \
         FROM ({map}) AS map GROUP BY a, b"
    ))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(rows.iter().map(|row| ((text(&row["a"]), text(&row["b"])), integer(&row["n"]).unwrap_or(0))).collect())
}

impl Client<'_> {
    fn command(&self, flags: &[&str]) -> Command {
        self.world.nodes.node(self.node).exec_command(&self.container, &[&["load"], flags].concat())
    }

    fn load(&self, flags: &[&str]) -> Result<Answers> {
        let answers = Answers::parse(&processes::output(&mut self.command(flags))?)?;
        anyhow::ensure!(answers.failed == 0, "{answers:?} in {}", self.namespace);
        Ok(answers)
    }
}

fn pods_call_a_service_by_name_across_nodes(world: &mut World) -> Result<()> {
    let before = world.maps()?;
    world.send(namespace("plain"))?;
    let address = world.web("plain")?;
    let client = world.client("plain", 1, &[("web", &address)])?;
    let each = client.load(&["-n", "200", "-c", "4", "http://web/"])?;
    let kept = client.load(&["-n", "100", "-c", "2", "-keep", "http://web/"])?;
    anyhow::ensure!(each.by.len() == 2, "both pods answer: {each:?}");
    let second = world.on_second_node("plain", &each)? + world.on_second_node("plain", &kept)?;
    let edge = |count| vec![("pod plain/client", "service plain/web", count)];
    world.check(&before, &[edge(300), edge(second)])
}

fn a_deployment_is_rolled_over_under_load(world: &mut World) -> Result<()> {
    let before = world.maps()?;
    world.send(namespace("rolled"))?;
    let address = world.web("rolled")?;
    let client = world.client("rolled", 1, &[("web", &address)])?;
    let before_change = world.pods("rolled")?;
    let mut load = client.command(&["-for", "90s", "-c", "4", "-pause", "10ms", "http://web/"]);
    let load = load.stdout(Stdio::piped()).spawn()?;
    let seen = "SELECT count(*) FROM http_events WHERE upid_to_pod_name(upid) = 'rolled/client'";
    wait_at_most(60, "the load", || world.agents[0].number(seen).is_ok_and(|count| count > 50))?;
    let change = json!({"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}});
    world.send(patch("/apis/apps/v1/namespaces/rolled/deployments/web", change))?;
    world.rolled_out("rolled", 2)?;
    let already = world.agents[0].number(seen)?;
    wait_at_most(60, "load on what is there now", || {
        world.agents[0].number(seen).is_ok_and(|count| count > already + 100)
    })?;
    // It is passed on into the container.
    processes::signal(load.id(), "TERM");
    let output = load.wait_with_output()?;
    let answers = Answers::parse(&String::from_utf8_lossy(&output.stdout))?;
    anyhow::ensure!(answers.failed == 0, "a rolling update loses nothing");
    let after_change = world.pods("rolled")?;
    let by = |pods: &[String]| answers.by.keys().filter(|host| pods.contains(host)).count();
    let both = (by(&before_change), by(&after_change));
    anyhow::ensure!(both == (2, 2), "pods of both versions answer: {both:?} of {answers:?}");
    let first = vec![("pod rolled/client", "service rolled/web", answers.answered)];
    // Pods that are gone cannot be asked where they were, so the second agent is asked what its servers counted.
    let second = world.agents[1].settled(
        "SELECT count(*) FROM http_events WHERE trace_role = 2 AND upid_to_service_name(upid) = 'rolled/web'",
    )?;
    world.check(&before, &[first, vec![("pod rolled/client", "service rolled/web", second)]])
}

fn an_address_is_given_on(world: &mut World) -> Result<()> {
    let before = world.maps()?;
    world.send(namespace("given"))?;
    let client = world.client("given", 1, &[])?;
    world.service("given", "first")?;
    let address = world.server("given", "first", "first", 2)?;
    let url = format!("http://{address}:8080/");
    client.load(&["-n", "30", &url])?;
    world.send(("DELETE", "/api/v1/namespaces/given/pods/first".into(), None))?;
    wait_at_most(60, "the end of the first", || world.nodes.object("/api/v1/namespaces/given/pods/first").is_err())?;
    world.nodes.node(2).give_next(&address)?;
    anyhow::ensure!(world.server("given", "second", "second", 2)? == address, "the address is given on");
    client.load(&["-n", "20", &url])?;
    let edges = vec![("pod given/client", "service given/first", 30), ("pod given/client", "pod given/second", 20)];
    world.check(&before, &[edges.clone(), edges])
}

fn daemons_on_the_hosts_network_are_named_by_process(world: &mut World) -> Result<()> {
    let before = world.maps()?;
    world.send(namespace("host"))?;
    let address = world.web("host")?;
    let client = world.client("host", 1, &[])?;
    let mut spec = program(&["serve", "9000"], Some(9000));
    spec["hostNetwork"] = json!(true);
    world.send(workload("host", "daemonsets", "daemon", &spec, &json!({})))?;
    world.nodes.wait_for("/apis/apps/v1/namespaces/host/daemonsets/daemon", |set| set["status"]["numberReady"] == 2)?;
    let pods = world.nodes.object("/api/v1/namespaces/host/pods?labelSelector=app=daemon")?;
    let name = |node: &str| {
        let pod = pods["items"].as_array().unwrap().iter().find(|pod| pod["spec"]["nodeName"] == node).unwrap();
        pod["metadata"]["name"].as_str().unwrap().to_owned()
    };
    let (first, second) = (name("node-1"), name("node-2"));
    let [at_first, at_second] = [1, 2].map(|node| format!("http://{}:9000/", world.nodes.node(node).address()));
    client.load(&["-n", "10", &at_first])?;
    client.load(&["-n", "20", &at_second])?;
    // On its way to a service, what a process of the host sends gets the address of the node.
    let daemon = world.client_of("host", &first, 1)?;
    let answers = daemon.load(&["-n", "40", &format!("http://{address}/")])?;
    let from_second = world.on_second_node("host", &answers)?;
    anyhow::ensure!((1..40).contains(&from_second), "both pods answer: {answers:?}");
    let (first, second) = (format!("pod host/{first}"), format!("pod host/{second}"));
    let (first, second) = (first.as_str(), second.as_str());
    world.check(
        &before,
        &[
            vec![
                ("pod host/client", first, 10),
                // Who of the other node's host answers is known there only.
                ("pod host/client", "address 10.99.0.2", 20),
                (first, "service host/web", 40),
            ],
            vec![("pod host/client", second, 20), ("address 10.99.0.1", "service host/web", from_second)],
        ],
    )
}

fn a_pod_calls_itself_by_its_service(world: &mut World) -> Result<()> {
    let before = world.maps()?;
    world.send(namespace("mirror"))?;
    let address = world.service("mirror", "self")?;
    world.server("mirror", "self", "self", 1)?;
    world.proxied("mirror/self", 1)?;
    world.client_of("mirror", "self", 1)?.load(&["-n", "25", &format!("http://{address}/")])?;
    world.check(&before, &[vec![("service mirror/self", "service mirror/self", 25)], vec![]])
}

fn a_job_keeps_its_name_when_it_is_complete(world: &mut World) -> Result<()> {
    let before = world.maps()?;
    world.send(namespace("jobs"))?;
    let address = world.web("jobs")?;
    let mut spec = program(&["load", "-n", "50", "-c", "2", &format!("http://{address}/")], None);
    spec["nodeName"] = json!("node-1");
    world.send(job("jobs", "once", &spec))?;
    world.nodes.wait_for("/apis/batch/v1/namespaces/jobs/jobs/once", |job| job["status"]["succeeded"] == 1)?;
    let pods = world.nodes.object("/api/v1/namespaces/jobs/pods?labelSelector=job-name=once")?;
    let name = pods["items"][0]["metadata"]["name"].as_str().context("a pod")?.to_owned();
    let log = world.nodes.cluster().get(&format!("/api/v1/namespaces/jobs/pods/{name}/log"))?;
    let answers = Answers::parse(&log)?;
    anyhow::ensure!((answers.answered, answers.failed) == (50, 0), "{answers:?}");
    let second = world.on_second_node("jobs", &answers)?;
    let name = format!("pod jobs/{name}");
    let edge = |count| vec![(name.as_str(), "service jobs/web", count)];
    world.check(&before, &[edge(50), edge(second)])
}

fn a_service_without_selector_is_named_by_its_address(world: &mut World) -> Result<()> {
    let before = world.maps()?;
    world.send(namespace("old"))?;
    let mut server = inside(world.nodes.outside(), &world.nodes.program().display().to_string());
    let _server = Owned::spawn(server.args(["serve", "7000"]))?;
    world.send(service_of("old", "legacy", &json!({"ports": [{"port": 80, "targetPort": 7000}]})))?;
    let slice = json!({"metadata": {"name": "legacy-1", "labels": {"kubernetes.io/service-name": "legacy"}},
        "addressType": "IPv4", "ports": [{"port": 7000}],
        "endpoints": [{"addresses": [OUTSIDE], "conditions": {"ready": true}}]});
    world.send(("POST", "/apis/discovery.k8s.io/v1/namespaces/old/endpointslices".into(), Some(slice)))?;
    let service = world.nodes.object("/api/v1/namespaces/old/services/legacy")?;
    let address = service["spec"]["clusterIP"].as_str().context("an address")?.to_owned();
    let client = world.client("old", 1, &[("legacy", &address)])?;
    world.proxied("old/legacy", 1)?;
    client.load(&["-n", "15", "http://legacy/"])?;
    client.load(&["-n", "5", &format!("http://{OUTSIDE}:7000/")])?;
    let outside = format!("address {OUTSIDE}");
    let edges = vec![("pod old/client", "service old/legacy", 15), ("pod old/client", outside.as_str(), 5)];
    world.check(&before, &[edges, vec![]])
}

fn pods_of_a_headless_service_are_named_by_it(world: &mut World) -> Result<()> {
    let before = world.maps()?;
    world.send(namespace("headless"))?;
    let spec = json!({"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 8080}]});
    world.send(service_of("headless", "db", &spec))?;
    let first = world.server("headless", "db-0", "db", 1)?;
    let second = world.server("headless", "db-1", "db", 2)?;
    let client = world.client("headless", 1, &[("db-0.db", &first), ("db-1.db", &second)])?;
    client.load(&["-n", "12", "http://db-0.db:8080/"])?;
    client.load(&["-n", "34", "http://db-1.db:8080/"])?;
    let edge = |count| vec![("pod headless/client", "service headless/db", count)];
    world.check(&before, &[edge(46), edge(34)])
}

fn a_killed_container_is_told_and_its_pod_keeps_its_name(world: &mut World) -> Result<()> {
    let before = world.maps()?;
    world.send(namespace("killed"))?;
    let mut spec = program(&["serve", "8080"], Some(8080));
    spec["nodeName"] = json!("node-2");
    spec["containers"][0]["resources"] = json!({"limits": {"memory": "48Mi"}});
    world.send(real_pod("killed", "hungry", "hungry", &spec))?;
    let pod = world.running("killed", "hungry")?;
    let url = format!("http://{}:8080/", pod["status"]["podIP"].as_str().context("an address")?);
    let client = world.client("killed", 1, &[])?;
    client.load(&["-n", "10", &url])?;
    let hungry = world.client_of("killed", "hungry", 2)?;
    processes::output(&mut world.nodes.node(2).exec_command(&hungry.container, &["grow"]))?;
    let path = "/api/v1/namespaces/killed/pods/hungry";
    world.nodes.wait_for(path, |pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1)?;
    world.running("killed", "hungry")?;
    client.load(&["-n", "20", &url])?;
    let edge = vec![("pod killed/client", "pod killed/hungry", 30)];
    world.check(&before, &[edge.clone(), edge])?;
    for event in ["oom_killed", "restarted"] {
        let told = format!(
            "SELECT count(*) FROM pod_events WHERE pod = 'killed/hungry' AND event = '{event}' AND reason = 'OOMKilled'"
        );
        wait_at_most(60, event, || world.agents.iter().all(|agent| agent.number(&told).ok() == Some(1)))?;
    }
    Ok(())
}

fn a_node_goes_away(world: &mut World) -> Result<()> {
    let before = world.maps()?;
    world.send(namespace("away"))?;
    let address = world.web("away")?;
    let answers = world.client("away", 1, &[("web", &address)])?.load(&["-n", "40", "http://web/"])?;
    anyhow::ensure!(answers.by.len() == 2, "both pods answer: {answers:?}");
    let edge = |count| vec![("pod away/client", "service away/web", count)];
    world.check(&before, &[edge(40), edge(world.on_second_node("away", &answers)?)])?;

    world.agents.pop().unwrap().kill();
    world.nodes.node_mut(2).power_off();
    world.nodes.wait_for("/api/v1/nodes/node-2", |node| {
        let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
        conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "Unknown")
    })?;
    // As whoever looks after the cluster does: nobody will say that its pods ended.
    world.send(("DELETE", "/api/v1/nodes/node-2".into(), None))?;
    let pods = world.nodes.object("/api/v1/pods?fieldSelector=spec.nodeName=node-2")?;
    for pod in pods["items"].as_array().into_iter().flatten() {
        let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
        world.send(delete_pod(&text("namespace"), &text("name")))?;
    }
    world.rolled_out("away", 2)?;
    let client = world.client_of("away", "client", 1)?;
    client.load(&["-n", "60", "-c", "2", "http://web/"])?;
    world.check(&before, &[edge(100)])
}
