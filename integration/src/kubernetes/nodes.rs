//! A whole cluster: an API server with controllers and a scheduler outside, and nodes that run pods, each with an
//! address on one bridge. Nothing of it shows in this machine's own network.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

pub use super::node::Node;
use super::node::Plan;
use super::{Cluster, Site, User, image};
use crate::machine;
use crate::namespace::Namespace;
use crate::network::ip;
use crate::processes::{self, Owned};

/// The address of what is no node: the API server's, and of servers outside of the cluster.
pub const OUTSIDE: &str = "10.99.0.254";

const BINARIES: &[&str] =
    &["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"];
const COMMANDS: &[&str] =
    &["containerd", "ctr", "runc", "nft", "ip", "nsenter", "unshare", "bash", "curl", "go", "tar", "sha256sum"];

/// The cluster. Its nodes are `node-1` and so on.
#[derive(Debug)]
pub struct Nodes {
    nodes: Vec<Node>,
    _controllers: Vec<Owned>,
    cluster: Cluster,
    outside: Namespace,
    folder: TempDir,
}

/// The folder of the binaries, if this machine can run nodes; prints why not.
#[must_use]
pub fn binaries(test: &str) -> Option<PathBuf> {
    let folder = super::built(test, BINARIES)?;
    if !machine::can_trace(test, COMMANDS) {
        return None;
    }
    let plugins = Path::new("/usr/lib/cni/bridge").exists() && Path::new("/usr/lib/cni/host-local").exists();
    if !plugins {
        println!("SKIPPED {test}: the plugins of containernetworking-plugins are not installed");
    }
    plugins.then_some(folder)
}

impl Nodes {
    /// Starts so many nodes and waits until they are ready.
    ///
    /// # Errors
    /// When they are not after two minutes.
    pub fn start(binaries: &Path, count: u8) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let outside = Namespace::new("outside")?;
        ip(&["-n", outside.name(), "link", "add", "br0", "type", "bridge"])?;
        ip(&["-n", outside.name(), "addr", "add", &format!("{OUTSIDE}/24"), "dev", "br0"])?;
        ip(&["-n", outside.name(), "link", "set", "br0", "up"])?;
        let site = Site {
            namespace: Some(outside.name().to_owned()),
            address: OUTSIDE,
            flags: &[
                "--advertise-address=10.99.0.254",
                "--allow-privileged=true",
                "--kubelet-preferred-address-types=InternalIP",
            ],
            audited: false,
        };
        let image = image::build(folder.path())?;
        let cluster = Cluster::start_at(binaries, site)?;
        let kubeconfig = cluster.kubeconfig(User::Admin, cluster.port())?;
        let controllers = controllers(&cluster, &kubeconfig, folder.path())?;
        let plan = Plan { binaries, kubeconfig: &kubeconfig, image: &image, bridge: outside.name(), nodes: count };
        let start = |number| Node::start(&plan, number, &folder.path().join(format!("node-{number}")));
        let nodes = (1..=count).map(start).collect::<Result<Vec<_>>>()?;
        let nodes = Nodes { nodes, _controllers: controllers, cluster, outside, folder };
        let ready =
            processes::wait_at_most(120, "the nodes", || nodes.ready().is_ok_and(|ready| ready == usize::from(count)));
        ready.with_context(|| nodes.logs())?;
        Ok(nodes)
    }

    /// Node `number`, from 1.
    #[must_use]
    pub fn node(&self, number: u8) -> &Node {
        &self.nodes[usize::from(number) - 1]
    }

    /// The same, to end it.
    pub fn node_mut(&mut self, number: u8) -> &mut Node {
        &mut self.nodes[usize::from(number) - 1]
    }

    /// The program of the pods, for who runs it elsewhere.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.folder.path().join("layer").join(&image::PROGRAM[1..])
    }

    /// Its API server.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The network namespace that has [`OUTSIDE`] as its address.
    #[must_use]
    pub fn outside(&self) -> &str {
        self.outside.name()
    }

    /// An object.
    ///
    /// # Errors
    /// When there is none.
    pub fn object(&self, path: &str) -> Result<Value> {
        serde_json::from_str(&self.cluster.get(path)?).context("an object")
    }

    /// Waits until an object is as it shall be; returns it.
    ///
    /// # Errors
    /// When it is not after a minute.
    pub fn wait_for(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut last = Value::Null;
        let done = processes::wait_at_most(60, path, || {
            last = self.object(path).unwrap_or_default();
            holds(&last)
        });
        done.with_context(|| format!("{}\n{last}", self.logs()))?;
        Ok(last)
    }

    fn ready(&self) -> Result<usize> {
        let nodes = self.object("/api/v1/nodes")?;
        let nodes = nodes["items"].as_array().context("a list")?;
        let is_ready = |node: &&Value| {
            let conditions = node["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
        };
        Ok(nodes.iter().filter(is_ready).count())
    }

    /// The last lines that each program wrote, for whoever asks why nothing moves.
    fn logs(&self) -> String {
        let mut files: Vec<_> = (1..=self.nodes.len())
            .flat_map(|n| ["containerd", "kubelet", "kube-proxy"].map(|name| format!("node-{n}/{name}.log")))
            .collect();
        files.extend(["kube-controller-manager.log", "kube-scheduler.log"].map(str::to_owned));
        let tail = |file: String| {
            let text = std::fs::read(self.folder.path().join(&file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<_> = text.lines().rev().take(8).collect();
            format!("== {file}\n{}\n", lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        files.into_iter().map(tail).collect()
    }
}

fn controllers(cluster: &Cluster, kubeconfig: &Path, folder: &Path) -> Result<Vec<Owned>> {
    let flags = [
        ("kube-scheduler", &[][..]),
        (
            "kube-controller-manager",
            &["--node-monitor-period=1s", "--node-monitor-grace-period=8s", "--terminated-pod-gc-threshold=100"][..],
        ),
    ];
    let start = |(name, flags): (&str, &[&str])| {
        let log = std::fs::File::create(folder.join(format!("{name}.log")))?;
        let mut command = cluster.command(name);
        command.arg("--kubeconfig").arg(kubeconfig).arg("--leader-elect=false").args(flags);
        Owned::spawn(command.stdout(log.try_clone()?).stderr(log))
    };
    flags.into_iter().map(start).collect()
}
