//! Loads and attaches the programs, drains their rings, reads their maps.

use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use libbpf_rs::btf::Btf;
use libbpf_rs::{Link, MapCore, MapFlags, MapHandle, Object, ObjectBuilder, OpenObject};

use crate::batches;
use crate::older;
use crate::requirements::{has_tracepoint, kernel_version, missing_privilege};
use crate::ring::{Live, Ring};
use crate::scope::{Cgroup, NESTED_MAX, Scope, cgroups, descendants, members, netns_inode, pids};
use crate::skipped;
use crate::tls::{self, Tls, TlsLibrary};
use crate::warnings;
use crate::wire::{self, Connection, Data, Lifecycle, LossCount, Plain, RawConnection, Settings, Totals, Transport};

/// ELF headers are read in place, so the embedded object is aligned like them.
#[repr(C, align(16))]
struct Aligned<B: ?Sized>(B);

static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/watershed.bpf.o")));

/// What to trace, and the budgets of the kernel side.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is traced; the union. Empty means nothing.
    pub scopes: Vec<Scope>,
    /// At most this many bytes of a transfer are copied (4095 is the highest).
    pub capture_bytes: u32,
    /// Size of the data ring; rounded up to a power of two.
    pub ring_bytes: u32,
    /// Size of the lifecycle ring; rounded up to a power of two.
    pub lifecycle_ring_bytes: u32,
    /// Connections known at a time.
    pub connections: u32,
    /// A UDP socket without traffic for so long is shown as closed: no hook tells of its end.
    pub datagram_idle: Duration,
    /// Use the way of older kernels (syscall exits) where the better one exists.
    pub force_syscall_hooks: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            scopes: vec![Scope::All],
            capture_bytes: 1024,
            ring_bytes: 16 << 20,
            lifecycle_ring_bytes: 2 << 20,
            connections: 65536,
            datagram_idle: Duration::from_secs(60),
            force_syscall_hooks: false,
        }
    }
}

/// Why nothing can be traced; each is one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A privilege is missing.
    #[error("not permitted: {what}; {mend}")]
    NotPermitted {
        /// What is missing.
        what: String,
        /// What to do.
        mend: String,
    },
    /// This kernel cannot do it.
    #[error("this kernel is not supported: {0}")]
    Unsupported(String),
    /// A scope names nothing that exists.
    #[error("scope {0}")]
    Scope(String),
    /// The kernel refused the programs.
    #[error("loading the BPF programs failed while {doing}: {reason}")]
    Load {
        /// What was being done.
        doing: String,
        /// What the kernel or libbpf said.
        reason: String,
    },
}

/// What one reason has cost so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelLoss {
    /// Why.
    pub reason: &'static str,
    /// Events.
    pub count: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// The transfers were delivered, but not their content.
    pub content_only: bool,
}

/// One hook.
#[derive(Clone, Debug)]
pub struct ProbeStatus {
    /// Tracepoint.
    pub name: &'static str,
    /// It is attached.
    pub attached: bool,
    /// Why not; empty if attached or not needed.
    pub error: String,
    /// What is not seen without it.
    pub lost: &'static str,
}

struct Hook {
    program: &'static str,
    name: &'static str,
    lost: &'static str,
}

const HOOKS: [Hook; 10] = [
    Hook { program: "socket_sent", name: "sock_send_length", lost: "sent bytes" },
    Hook { program: "socket_received", name: "sock_recv_length", lost: "received bytes" },
    Hook { program: "syscall_exit", name: "sys_exit", lost: "sent and received bytes" },
    Hook { program: "syscall_exit_plain", name: "sys_exit", lost: "sent and received bytes" },
    Hook {
        program: "socket_state",
        name: "inet_sock_set_state",
        lost: "opening times, roles, connections without bytes",
    },
    Hook { program: "socket_destroyed", name: "tcp_destroy_sock", lost: "the end of connections" },
    Hook { program: "process_forked", name: "sched_process_fork", lost: "children of processes in scope" },
    Hook { program: "process_executed", name: "sched_process_exec", lost: "program changes of processes" },
    Hook { program: "process_exited", name: "sched_process_exit", lost: "exits of processes" },
    Hook { program: "process_moved", name: "cgroup_attach_task", lost: "moves between cgroups, for up to a second" },
];

const LOSSES: [(&str, bool); 7] = [
    ("ring_full", false),
    ("lifecycle_ring_full", false),
    ("connection_map_full", false),
    ("read_failed", true),
    ("batch_unattributed", true),
    ("process_map_full", false),
    ("tls_unpaired", true),
];

const IN: u32 = 1;
const INHERITS: u32 = 2;
const BY_CGROUP: u32 = 4;

/// Loaded and attached programs; dropping it detaches them.
pub struct Probe {
    links: Vec<Link>,
    data: Ring,
    lifecycle: Ring,
    live: Live,
    connections: MapHandle,
    controls: MapHandle,
    processes: MapHandle,
    losses: MapHandle,
    status: Vec<ProbeStatus>,
    cgroups: Vec<Cgroup>,
    everything: bool,
    datagram_idle: Duration,
    map_bytes: u64,
    tls: Tls,
    object: Object,
}

/// The clock of the records.
fn monotonic() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists and the pointer is to a timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn load_error(doing: &str, reason: &dyn std::fmt::Display) -> Error {
    Error::Load { doing: doing.to_owned(), reason: reason.to_string().replace('\n', "; ") }
}

fn load_error_with_warning(error: &libbpf_rs::Error) -> Error {
    let warning = warnings::last();
    load_error("loading", &if warning.is_empty() { error.to_string() } else { format!("{error} ({warning})") })
}

/// Entries of a map are allocated as they come (`BPF_F_NO_PREALLOC`).
const NO_PREALLOC: u32 = 1;

/// Whether tracing programs may allocate entries of maps as they come: since Linux 6.1 they do so from caches of their own.
fn allocates_on_demand() -> bool {
    kernel_version() >= (6, 1)
}

fn open(config: &Config, settings: Settings, wanted: &dyn Fn(&str) -> bool) -> Result<OpenObject, Error> {
    let mut object = ObjectBuilder::default()
        .name("watershed")
        .and_then(|builder| builder.open_memory(&OBJECT.0))
        .map_err(|error| load_error("reading the object", &error))?;
    for mut program in object.progs_mut() {
        let name = program.name().to_string_lossy().into_owned();
        program.set_autoload(wanted(&name));
    }
    let ring = |bytes: u32| bytes.clamp(4096, 1 << 30).next_power_of_two();
    for mut map in object.maps_mut() {
        let name = map.name().to_string_lossy().into_owned();
        let resized = match name.as_str() {
            "data" => map.set_max_entries(ring(config.ring_bytes)),
            "lifecycle" => map.set_max_entries(ring(config.lifecycle_ring_bytes)),
            "connections" | "controls" => map.set_max_entries(config.connections.max(1)),
            "names" if settings.syscall_hooks == 0 => map.set_max_entries(1),
            "names" => map.set_max_entries(config.connections.max(1)),
            _ => Ok(()),
        };
        let resized = resized.and_then(|()| match name.as_str() {
            "connections" | "controls" | "processes" if allocates_on_demand() => map.set_map_flags(NO_PREALLOC),
            _ => Ok(()),
        });
        resized.map_err(|error| load_error("sizing maps", &error))?;
        if name.ends_with(".rodata.settings")
            && let Some(value) = map.initial_value_mut()
        {
            value[..size_of::<Settings>()].copy_from_slice(settings.as_bytes());
        }
    }
    Ok(object)
}

fn map(object: &Object, name: &str) -> Result<MapHandle, Error> {
    let found = object.maps().find(|map| map.name().to_string_lossy().ends_with(name));
    let found = found.ok_or_else(|| load_error("finding maps", &name))?;
    MapHandle::try_from(&found).map_err(|error| load_error("finding maps", &error))
}

/// The kernel's part of the scopes: flags, and what goes into the maps.
#[derive(Default)]
struct Targets {
    flags: u32,
    cgroups: Vec<Cgroup>,
    namespaces: Vec<u32>,
    ports: Vec<u16>,
    pids: Vec<(u32, bool)>,
}

fn targets(scopes: &[Scope]) -> Result<Targets, Error> {
    let mut targets = Targets::default();
    for scope in scopes {
        match scope {
            Scope::All => targets.flags |= 1,
            Scope::Cgroup(path) => {
                let found = cgroups(path);
                if found.is_empty() {
                    return Err(Error::Scope(format!("cgroup:{}: no such cgroup", path.display())));
                }
                targets.flags |= 2;
                targets.cgroups.extend(found);
            }
            Scope::Netns(path) => {
                let inode =
                    netns_inode(path).map_err(|error| Error::Scope(format!("netns:{}: {error}", path.display())))?;
                targets.flags |= 4;
                targets.namespaces.push(inode);
            }
            Scope::Port(port) => {
                targets.flags |= 8;
                targets.ports.push(*port);
            }
            Scope::Pid { pid, children } => targets.pids.push((*pid, *children)),
        }
    }
    Ok(targets)
}

impl Probe {
    /// Loads and attaches. Hooks that cannot attach are in `status`; without any that sees traffic it fails.
    pub fn load(config: &Config) -> Result<Probe, Error> {
        if let Some(what) = missing_privilege() {
            let mend = "run as root, or grant both to the binary (setcap cap_bpf,cap_perfmon+ep)".to_owned();
            return Err(Error::NotPermitted { what: format!("{what} missing"), mend });
        }
        warnings::keep();
        let btf = Btf::from_vmlinux()
            .map_err(|_| Error::Unsupported("no BTF at /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)".into()))?;
        let lengths = !config.force_syscall_hooks && has_tracepoint(Some(&btf), "sock_send_length");
        let modern = kernel_version() >= (5, 12);
        let targets = targets(&config.scopes)?;
        let settings = Settings {
            self_tgid: std::process::id(),
            scope: targets.flags,
            cookie_helper: u8::from(modern),
            syscall_hooks: u8::from(!lengths),
            pad: [0; 6],
        };
        let unused = |program: &str| match program {
            "socket_sent" | "socket_received" => !lengths,
            "syscall_exit" => lengths || !modern,
            "syscall_exit_plain" => lengths || modern,
            _ => false,
        };
        let wanted = |program: &str| {
            tls::is_program(program)
                || !unused(program)
                    && HOOKS.iter().any(|hook| hook.program == program && has_tracepoint(Some(&btf), hook.name))
        };
        let object = open(config, settings, &wanted)?.load().map_err(|error| {
            // The verifier's refusal is EACCES and no matter of privileges.
            let privileges = ["EPERM", "not permitted"].iter().any(|word| warnings::last().contains(word));
            if error.kind() == libbpf_rs::ErrorKind::PermissionDenied && privileges {
                let mend = "run as root; in a container also set privileged or CAP_BPF and CAP_PERFMON".to_owned();
                return Error::NotPermitted { what: "the kernel refused to load BPF programs".into(), mend };
            }
            load_error_with_warning(&error)
        })?;
        let mut probe = Probe::assemble(config, object)?;
        probe.enter(&targets)?;
        probe.attach(&wanted, &unused);
        if lengths {
            let error = older::give_cookies(&config.scopes).map_or_else(|error| error.to_string(), |()| String::new());
            let lost = "clear text that older connections of Go send first";
            probe.status.push(ProbeStatus { name: "SO_COOKIE", attached: error.is_empty(), error, lost });
        }
        let sees = |name: &str| probe.status.iter().any(|row| row.name == name && row.attached);
        if !(sees("sys_exit") || sees("sock_send_length") && sees("sock_recv_length")) {
            let reasons: Vec<_> = probe.status.iter().map(|row| row.error.as_str()).filter(|e| !e.is_empty()).collect();
            return Err(load_error("attaching the traffic hooks", &reasons.join("; ")));
        }
        Ok(probe)
    }

    fn assemble(config: &Config, object: Object) -> Result<Probe, Error> {
        let ring = |name| {
            let map = map(&object, name)?;
            Ring::new(map.as_fd(), map.max_entries() as usize).map_err(|error| load_error("mapping a ring", &error))
        };
        let live = Live::new(map(&object, ".data.live")?.as_fd()).map_err(|e| load_error("mapping live", &e))?;
        live.set_capture_bytes(config.capture_bytes);
        let map_bytes = object
            .maps()
            .map(|map| match map.map_type() {
                libbpf_rs::MapType::RingBuf => u64::from(map.max_entries()),
                _ => u64::from(map.max_entries()) * u64::from(map.key_size() + map.value_size() + 48),
            })
            .sum();
        Ok(Probe {
            links: Vec::new(),
            data: ring("data")?,
            lifecycle: ring("lifecycle")?,
            live,
            connections: map(&object, "connections")?,
            controls: map(&object, "controls")?,
            processes: map(&object, "processes")?,
            losses: map(&object, "losses")?,
            status: Vec::new(),
            cgroups: Vec::new(),
            everything: config.scopes.contains(&Scope::All),
            datagram_idle: config.datagram_idle,
            map_bytes,
            tls: Tls::default(),
            object,
        })
    }

    fn enter(&mut self, targets: &Targets) -> Result<(), Error> {
        let one = 1u32.to_ne_bytes();
        let put = |map: &MapHandle, key: &[u8]| {
            map.update(key, &one, MapFlags::ANY).map_err(|error| load_error("filling the scope", &error))
        };
        let groups = map(&self.object, "cgroups")?;
        for cgroup in &targets.cgroups {
            put(&groups, cgroup.key.as_bytes())?;
        }
        let namespaces = map(&self.object, "namespaces")?;
        for inode in &targets.namespaces {
            put(&namespaces, &inode.to_ne_bytes())?;
        }
        let ports = map(&self.object, "ports")?;
        for port in &targets.ports {
            put(&ports, &port.to_ne_bytes())?;
        }
        for (pid, children) in &targets.pids {
            let verdict = if *children { IN | INHERITS } else { IN };
            self.judge(*pid, verdict);
            for child in children.then(|| descendants(*pid)).into_iter().flatten() {
                self.judge(child, verdict);
            }
        }
        self.cgroups.clone_from(&targets.cgroups);
        self.refresh_scope();
        Ok(())
    }

    fn judge(&self, tgid: u32, verdict: u32) {
        // A full map is counted by the kernel side, which meets the same limit.
        let _ = self.processes.update(&tgid.to_ne_bytes(), &verdict.to_ne_bytes(), MapFlags::ANY);
    }

    fn attach(&mut self, wanted: &dyn Fn(&str) -> bool, unused: &dyn Fn(&str) -> bool) {
        for hook in &HOOKS {
            if unused(hook.program) {
                continue;
            }
            let program = self.object.progs_mut().find(|program| program.name() == hook.program);
            let error = match program.filter(|_| wanted(hook.program)).map(|program| program.attach()) {
                Some(Ok(link)) => {
                    self.links.push(link);
                    String::new()
                }
                Some(Err(error)) => error.to_string(),
                None => "this kernel has no such tracepoint".to_owned(),
            };
            self.status.push(ProbeStatus { name: hook.name, attached: error.is_empty(), error, lost: hook.lost });
        }
    }

    /// Hands out opens, closes, execs, forks and exits; returns how many.
    pub fn drain_lifecycle(&mut self, each: &mut dyn FnMut(Lifecycle<'_>)) -> Result<usize, Error> {
        Ok(self.lifecycle.drain(&mut |record| wire::lifecycle(record).into_iter().for_each(&mut *each)))
    }

    /// Hands out transfers; returns how many.
    pub fn drain_data(&mut self, each: &mut dyn FnMut(Data<'_>)) -> Result<usize, Error> {
        Ok(self.data.drain(&mut |record| wire::data(record).into_iter().for_each(&mut *each)))
    }

    /// The next [`Self::drain_data`] stops at the transfers that are complete by now.
    pub fn bound_data(&mut self) {
        self.data.bound();
    }

    /// Whether transfers that were complete when [`Self::drain_data`] began were left for the next time.
    #[must_use]
    pub fn data_is_behind(&self) -> bool {
        self.data.stopped()
    }

    /// Looks a connection up that was not met before.
    pub fn connection(&self, cookie: u64) -> Option<(Connection, Totals)> {
        let value = self.connections.lookup(&cookie.to_ne_bytes(), MapFlags::ANY).ok()??;
        let raw = RawConnection::from_bytes(&value)?;
        Some((raw.connection(), raw.totals()))
    }

    /// All live connections, and closed ones whose close could not be delivered. An idle UDP socket counts as closed;
    /// should it speak again after `forget`, it opens again.
    pub fn for_each_connection(&self, each: &mut dyn FnMut(&Connection, &Totals)) -> Result<(), Error> {
        let idle_since = monotonic().saturating_sub(self.datagram_idle).as_nanos();
        batches::for_each_value(&self.connections, &mut |value| {
            let Some(raw) = RawConnection::from_bytes(value) else { return };
            let (connection, mut totals) = (raw.connection(), raw.totals());
            totals.closed |= connection.transport == Transport::Udp && u128::from(totals.last_ns) <= idle_since;
            each(&connection, &totals);
        })?;
        Ok(())
    }

    /// Deletes a connection whose totals were read.
    pub fn forget(&self, cookie: u64) {
        // Either may be gone already, which is what is wanted.
        let _ = self.connections.delete(&cookie.to_ne_bytes());
        let _ = self.controls.delete(&cookie.to_ne_bytes());
    }

    /// Stops events of a connection; its bytes stay counted.
    pub fn mute(&self, cookie: u64) {
        self.control(cookie, 1);
    }

    /// Stops events of a connection also for its clear text.
    pub fn mute_plain(&self, cookie: u64) {
        self.control(cookie, 3);
    }

    /// Asks for whole transfers of a connection, up to 128 KiB each, in several events at consecutive positions.
    pub fn capture_whole(&self, cookie: u64) {
        self.control(cookie, 4);
    }

    fn control(&self, cookie: u64, wanted: u32) {
        if self.controls.update(&cookie.to_ne_bytes(), &wanted.to_ne_bytes(), MapFlags::ANY).is_ok() {
            self.live.bump_mutes();
        }
    }

    /// Processes that are in scope by what they are, not by a socket of theirs; all there are, if everything is.
    #[must_use]
    pub fn processes_in_scope(&self) -> Vec<u32> {
        if self.everything {
            return pids().filter(|pid| *pid != std::process::id()).collect();
        }
        let judged = self.processes.keys().filter_map(|key| {
            let verdict = self.processes.lookup(&key, MapFlags::ANY).ok()??;
            let verdict = u32::from_ne_bytes(*verdict.first_chunk()?);
            (verdict & IN != 0).then(|| key.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes)))?
        });
        judged.collect()
    }

    /// Attaches to the TLS libraries that a process has mapped; those that were not met before are handed out.
    pub fn attach_tls(&mut self, tgid: u32) -> Vec<TlsLibrary> {
        let found = self.tls.attach(&mut self.object, tgid);
        if self.tls.is_used() {
            self.live.use_tls();
        }
        found
    }

    /// Changes how many bytes of a transfer are copied, at once.
    pub fn set_capture_bytes(&mut self, bytes: u32) {
        self.live.set_capture_bytes(bytes);
    }

    /// What was lost since the load, by reason.
    pub fn losses(&self) -> Vec<KernelLoss> {
        let total = |index: u32| -> (u64, u64) {
            let values = self.losses.lookup_percpu(&index.to_ne_bytes(), MapFlags::ANY).ok().flatten();
            let counts = values.into_iter().flatten().filter_map(|value| LossCount::from_bytes(&value));
            counts.fold((0, 0), |sum, loss| (sum.0 + loss.count, sum.1 + loss.bytes))
        };
        let rows = (0..).zip(LOSSES).map(|(index, (reason, content_only))| {
            let (count, bytes) = total(index);
            KernelLoss { reason, count, bytes, content_only }
        });
        let skipped =
            KernelLoss { reason: "program_skipped", count: skipped::runs(&self.object), bytes: 0, content_only: false };
        rows.chain([skipped]).collect()
    }

    /// Every hook that is used on this kernel.
    pub fn status(&self) -> &[ProbeStatus] {
        &self.status
    }

    /// Judges processes again that moved into or out of a cgroup; to be called once a second.
    pub fn refresh_scope(&mut self) {
        if self.cgroups.is_empty() {
            return;
        }
        let mut inside = HashSet::new();
        for cgroup in &self.cgroups {
            members(&cgroup.path, NESTED_MAX, &mut inside);
        }
        let mut kept = HashSet::new();
        for key in self.processes.keys() {
            let (Ok(bytes), Ok(Some(value))) =
                (<[u8; 4]>::try_from(&key[..]), self.processes.lookup(&key, MapFlags::ANY))
            else {
                continue;
            };
            let tgid = u32::from_ne_bytes(bytes);
            let verdict = value.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
            if verdict & BY_CGROUP == 0 || inside.contains(&tgid) == (verdict & IN != 0) {
                kept.insert(tgid);
                continue;
            }
            let _ = self.processes.delete(&key);
        }
        for tgid in inside.difference(&kept) {
            self.judge(*tgid, IN | BY_CGROUP);
        }
    }

    /// Memory of rings and maps, estimated from their sizes.
    pub fn map_bytes(&self) -> u64 {
        self.map_bytes
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        load_error("talking to the kernel", &error)
    }
}
