//! A node of a cluster: containerd, kubelet and kube-proxy in namespaces of their own for network, mounts and processes,
//! so that all of it ends with one process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::image;
use crate::namespace::Namespace;
use crate::network::{ip, path_of};
use crate::processes::{self, Owned, signal};

/// Folders that containerd, kubelet and plugins write to are empty ones that go with the node. The first process adopts
/// and reaps what they leave behind.
const INIT: &str = "set -e; for folder in /run /var/lib /var/log; do mount -t tmpfs none $folder; done; touch $0; \
    while :; do sleep 3600 & wait $! || true; done";
const CGROUPS: &str = "/sys/fs/cgroup";

/// What all nodes of a cluster are told.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) binaries: &'a Path,
    pub(super) kubeconfig: &'a Path,
    pub(super) image: &'a Path,
    /// The namespace with the bridge `br0`.
    pub(super) bridge: &'a str,
    pub(super) nodes: u8,
}

/// A running node; everything on it ends with it.
#[derive(Debug)]
pub struct Node {
    number: u8,
    folder: PathBuf,
    namespace: Namespace,
    cgroup: String,
    holder: Owned,
    init: u32,
    running: Vec<Owned>,
}

impl Node {
    /// Starts node `number`, with what it writes in a folder.
    pub(super) fn start(plan: &Plan<'_>, number: u8, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder.join("cni"))?;
        let namespace = Namespace::new(&format!("node{number}"))?;
        connect(plan, number, namespace.name())?;
        let cgroup = namespace.name().to_owned();
        let ready = folder.join("ready");
        let mut holder = Command::new("nsenter");
        holder.arg(format!("--net={}", path_of(namespace.name())));
        holder.args(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", INIT]);
        let holder = Owned::spawn(holder.arg(&ready).stdout(Stdio::null()).stderr(Stdio::null()))?;
        processes::wait_at_most(60, "the first process of a node", || ready.exists())?;
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", holder.pid()))?;
        let init = children.split_whitespace().next().and_then(|pid| pid.parse().ok()).context("a child")?;
        let folder = folder.to_owned();
        let mut node = Node { number, folder, namespace, cgroup, holder, init, running: Vec::new() };
        make_cgroups(&node.cgroup)?;
        fs::write(node.folder.join("cni/10-pods.conflist"), node.cni())?;
        fs::write(node.folder.join("containerd.toml"), node.containerd())?;
        fs::write(node.folder.join("kubelet.yaml"), node.kubelet())?;
        node.run(Path::new("containerd"), |command, node| {
            command.arg("-c").arg(node.folder.join("containerd.toml"));
        })?;
        let socket = node.socket();
        processes::wait_at_most(60, "containerd", || {
            Command::new("ctr")
                .arg("-a")
                .arg(&socket)
                .arg("version")
                .output()
                .is_ok_and(|output| output.status.success())
        })?;
        processes::output(node.ctr().args(["images", "import"]).arg(plan.image))?;
        node.run(&plan.binaries.join("kubelet"), |command, node| {
            command.arg("--kubeconfig").arg(plan.kubeconfig).arg("--config").arg(node.folder.join("kubelet.yaml"));
            command.arg("--root-dir").arg(node.folder.join("kubelet")).arg("--cert-dir").arg(node.folder.join("pki"));
            command.arg(format!("--hostname-override={}", node.name())).arg(format!("--node-ip={}", node.address()));
        })?;
        node.run(&plan.binaries.join("kube-proxy"), |command, node| {
            command
                .arg("--kubeconfig")
                .arg(plan.kubeconfig)
                .args(["--proxy-mode=nftables", "--cluster-cidr=10.88.0.0/16"]);
            command.arg(format!("--hostname-override={}", node.name())).arg("--nodeport-addresses=primary");
            // The number of entries is the machine's, and can be set from its own namespaces only.
            command.arg("--conntrack-max-per-core=0");
        })?;
        Ok(node)
    }

    /// As the cluster calls it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("node-{}", self.number)
    }

    /// Its own address.
    #[must_use]
    pub fn address(&self) -> String {
        format!("10.99.0.{}", self.number)
    }

    /// Its network namespace, as `ip netns` knows it.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.namespace.name()
    }

    /// The scope of an agent that traces its pods.
    #[must_use]
    pub fn scope(&self) -> String {
        format!("cgroup:/{}", self.cgroup)
    }

    /// A command that runs the pods' program in a container, as one of its processes.
    #[must_use]
    pub fn exec_command(&self, container: &str, arguments: &[&str]) -> Command {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut command = self.ctr();
        command.args(["tasks", "exec", "--exec-id", &format!("test-{count}"), "--fifo-dir"]).arg(&self.folder);
        command.arg(container).arg(image::PROGRAM).args(arguments);
        command
    }

    /// The next pod of this node gets this address, if it is free.
    ///
    /// # Errors
    /// When the folder of addresses cannot be written.
    pub fn give_next(&self, address: &str) -> Result<()> {
        let address: std::net::Ipv4Addr = address.parse()?;
        let before = std::net::Ipv4Addr::from_bits(address.to_bits() - 1);
        Ok(fs::write(self.folder.join("ipam/pods/last_reserved_ip.0"), before.to_string())?)
    }

    /// Ends everything on it at once, as a machine does that loses its power.
    pub fn power_off(&mut self) {
        if matches!(self.holder.0.try_wait(), Ok(None)) {
            signal(self.init, "KILL");
        }
        let _ = self.holder.0.wait();
        self.running.clear();
    }

    fn ctr(&self) -> Command {
        let mut ctr = Command::new("ctr");
        ctr.arg("-a").arg(self.socket()).args(["-n", "k8s.io"]);
        ctr
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("containerd.sock")
    }

    /// Starts a program on the node; its output goes to a file.
    fn run(&mut self, program: &Path, arguments: impl FnOnce(&mut Command, &Node)) -> Result<()> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = File::create(self.folder.join(format!("{name}.log")))?;
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init.to_string(), "--net", "--mount", "--pid"]).arg(program);
        arguments(&mut command, self);
        self.running.push(Owned::spawn(command.stdout(log.try_clone()?).stderr(log))?);
        Ok(())
    }

    fn cni(&self) -> String {
        CNI.replace("FOLDER", &self.folder.to_string_lossy()).replace("NUMBER", &self.number.to_string())
    }

    fn containerd(&self) -> String {
        CONTAINERD.replace("FOLDER", &self.folder.to_string_lossy()).replace("IMAGE", image::NAME)
    }

    fn kubelet(&self) -> String {
        KUBELET.replace("FOLDER", &self.folder.to_string_lossy()).replace("CGROUP", &self.cgroup)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.power_off();
        remove_cgroups(&self.cgroup);
    }
}

const CNI: &str = r#"{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "FOLDER/ipam", "ranges": [[{"subnet": "10.88.NUMBER.0/24"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
"#;

// Without CAP_SYS_RESOURCE the score of the OOM killer cannot be lowered.
const CONTAINERD: &str = r#"
version = 2
root = "FOLDER/root"
state = "FOLDER/state"
[grpc]
  address = "FOLDER/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "IMAGE"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "FOLDER/cni"
"#;

const KUBELET: &str = r#"
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://FOLDER/containerd.sock
podLogsDir: FOLDER/logs
volumePluginDir: FOLDER/plugins
resolvConf: ""
cgroupDriver: cgroupfs
cgroupRoot: /CGROUP
failSwapOn: false
failCgroupV1: false
nodeStatusUpdateFrequency: 2s
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
enforceNodeAllocatable: []
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}
"#;

/// Puts the node on the bridge, and says to it and to the bridge where the others' pods are.
fn connect(plan: &Plan<'_>, number: u8, namespace: &str) -> Result<()> {
    let (port, address) = (format!("node{number}"), format!("10.99.0.{number}"));
    ip(&["-n", plan.bridge, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", namespace])?;
    ip(&["-n", plan.bridge, "link", "set", &port, "master", "br0", "up"])?;
    ip(&["-n", plan.bridge, "route", "add", &format!("10.88.{number}.0/24"), "via", &address])?;
    ip(&["-n", namespace, "addr", "add", &format!("{address}/24"), "dev", "eth0"])?;
    ip(&["-n", namespace, "link", "set", "eth0", "up"])?;
    ip(&["-n", namespace, "route", "add", "default", "via", super::nodes::OUTSIDE])?;
    for other in (1..=plan.nodes).filter(|other| *other != number) {
        let (pods, via) = (format!("10.88.{other}.0/24"), format!("10.99.0.{other}"));
        ip(&["-n", namespace, "route", "add", &pods, "via", &via])?;
    }
    let mut forward = crate::network::inside(namespace, "sh");
    processes::output(forward.args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])).map(drop)
}

/// The folders of a cgroup: one in every hierarchy of v1, or the one of v2.
fn cgroup_folders(name: &str) -> Vec<PathBuf> {
    let root = Path::new(CGROUPS);
    if root.join("cgroup.controllers").exists() {
        return vec![root.join(name)];
    }
    let hierarchies = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    hierarchies.filter(|path| path.is_dir() && !path.is_symlink()).map(|path| path.join(name)).collect()
}

fn make_cgroups(name: &str) -> Result<()> {
    for folder in cgroup_folders(name) {
        fs::create_dir_all(&folder).with_context(|| format!("making the cgroup {}", folder.display()))?;
        // A cpuset of v1 begins empty, and nothing can run in it.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if folder.join(file).exists() && folder.parent().is_some_and(|parent| parent.ends_with("cpuset")) {
                fs::write(folder.join(file), fs::read(folder.with_file_name(file))?)?;
            }
        }
    }
    Ok(())
}

fn remove_cgroups(name: &str) {
    for folder in cgroup_folders(name) {
        // Processes leave their cgroup a moment after they are gone.
        let _ = processes::wait_at_most(60, "an empty cgroup", || remove_cgroup(&folder));
    }
}

fn remove_cgroup(folder: &Path) -> bool {
    let children = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for child in children.filter(|path| path.is_dir()) {
        remove_cgroup(&child);
    }
    fs::remove_dir(folder).is_ok() || !folder.exists()
}
