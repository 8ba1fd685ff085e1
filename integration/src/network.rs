//! Network namespaces that see each other, each with an address of its own, as pods have them.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::namespace::Namespace;
use crate::processes;

/// Namespaces on one bridge, which lies in a namespace too; all go with it.
#[derive(Debug)]
pub struct Network {
    prefix: String,
    bridge: Namespace,
    members: Vec<Namespace>,
}

impl Network {
    /// An empty network; the prefix makes its names unique on the machine.
    ///
    /// # Errors
    /// When namespaces cannot be made.
    pub fn new(prefix: &str) -> Result<Self> {
        let bridge = Namespace::new(&format!("{prefix}br"))?;
        ip(&["-n", bridge.name(), "link", "add", "br0", "type", "bridge"])?;
        ip(&["-n", bridge.name(), "link", "set", "br0", "up"])?;
        Ok(Network { prefix: prefix.to_owned(), bridge, members: Vec::new() })
    }

    /// Adds a namespace with an address in 10.201.0.0/16; returns its name.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn add(&mut self, name: &str, address: &str) -> Result<String> {
        let (bridge, member) = (self.bridge.name(), Namespace::new(&format!("{}{name}", self.prefix))?);
        let port = format!("v-{name}");
        let (namespace, address) = (member.name().to_owned(), format!("{address}/16"));
        ip(&["-n", bridge, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &namespace])?;
        ip(&["-n", bridge, "link", "set", &port, "master", "br0", "up"])?;
        ip(&["-n", &namespace, "addr", "add", &address, "dev", "eth0"])?;
        ip(&["-n", &namespace, "link", "set", "eth0", "up"])?;
        self.members.push(member);
        Ok(namespace)
    }
}

/// A command in a namespace's network, with everything else as it is here.
#[must_use]
pub fn inside(namespace: &str, program: &str) -> Command {
    command_in(Some(namespace), Path::new(program))
}

/// The same, or a command in the network of this process.
#[must_use]
pub fn command_in(namespace: Option<&str>, program: &Path) -> Command {
    let Some(namespace) = namespace else { return Command::new(program) };
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", path_of(namespace))).arg(program);
    command
}

/// The file that names a namespace.
#[must_use]
pub fn path_of(namespace: &str) -> String {
    format!("/run/netns/{namespace}")
}

/// Runs `ip`.
pub(crate) fn ip(arguments: &[&str]) -> Result<()> {
    processes::output(Command::new("ip").args(arguments)).map(drop)
}
