//! What the probe needs of a machine, for `doctor`.

use std::fs;

use libbpf_rs::btf::{Btf, BtfType};

/// One thing that must be there.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// What.
    pub name: &'static str,
    /// It is there.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do; empty if all is well.
    pub mend: String,
}

/// Kernel version as (major, minor); (0, 0) if it cannot be read.
pub(crate) fn kernel_version() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// The privilege that is missing, if one is: CAP_SYS_ADMIN, or CAP_BPF with CAP_PERFMON.
pub(crate) fn missing_privilege() -> Option<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let text = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or("0");
    let effective = u64::from_str_radix(text.trim(), 16).unwrap_or(0);
    let holds = |bit: u32| effective & (1 << bit) != 0;
    (!(holds(21) || holds(39) && holds(38))).then_some("CAP_BPF and CAP_PERFMON")
}

/// The kernel has this tracepoint with typed arguments.
pub(crate) fn has_tracepoint(btf: Option<&Btf<'_>>, name: &str) -> bool {
    btf.is_some_and(|btf| btf.type_by_name::<BtfType<'_>>(&format!("btf_trace_{name}")).is_some())
}

/// Everything that is needed, in the order in which to mend it.
pub fn check() -> Vec<Requirement> {
    let requirement = |name, ok: bool, detail: String, mend: &str| Requirement {
        name,
        ok,
        detail,
        mend: if ok { String::new() } else { mend.to_owned() },
    };
    let (major, minor) = kernel_version();
    let missing = missing_privilege();
    let btf = Btf::from_vmlinux().ok();
    let lengths = has_tracepoint(btf.as_ref(), "sock_send_length");
    let way = if lengths { "socket-length tracepoints" } else { "syscall tracepoints (slower)" };
    vec![
        requirement("kernel", (major, minor) >= (5, 10), format!("{major}.{minor}"), "use Linux 5.10 or later"),
        requirement(
            "privileges",
            missing.is_none(),
            missing.map_or_else(|| "CAP_BPF and CAP_PERFMON".to_owned(), |what| format!("missing {what}")),
            "run as root, or grant CAP_BPF and CAP_PERFMON",
        ),
        requirement(
            "btf",
            btf.is_some(),
            "/sys/kernel/btf/vmlinux".to_owned(),
            "use a kernel built with CONFIG_DEBUG_INFO_BTF=y",
        ),
        requirement("traffic", btf.is_some(), way.to_owned(), "no traffic can be seen without BTF"),
    ]
}
