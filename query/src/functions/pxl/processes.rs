//! Ids of processes, names of services, and what PxL asks of the agent and cluster that answer.

use std::sync::LazyLock;

use watershed_model::Upid;
use watershed_model::upid::START_TICKS_PER_SECOND;

use super::json::Json;
use super::rows::{Time, map0, map1, map2, map3};
use super::{B, Entry, I, S, T, U, entry, over};

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "upid",
        &[over(&[I, I, I], U, |a| map3(a, upid)), over(&[I, I], U, |a| map2(a, |pid, start| upid(0, pid, start)))],
        "The id of a process: agent (0 where left out), pid and start time in clock ticks; that of no process where \
         one of them is impossible.",
    ),
    entry("upid_to_asid", &[over(&[U], I, |a| map1(a, |upid: Upid| i64::from(upid.asid)))], "Number of the agent."),
    entry("upid_to_pid", &[over(&[U], I, |a| map1(a, |upid: Upid| i64::from(upid.pid)))], "Process id on its host."),
    entry(
        "upid_to_start_ts",
        &[over(&[U], T, |a| map1(a, start))],
        "Start of the process after its host's, as a time since 1970.",
    ),
    entry("upid_to_string", &[over(&[U], S, |a| map1(a, |upid: Upid| upid.to_string()))], "`asid:pid:start_ticks`."),
    entry(
        "has_service_name",
        &[over(&[S, S], B, |a| map2(a, has))],
        "Whether the first argument is the second, or a JSON array that has it.",
    ),
    entry(
        "has_service_id",
        &[over(&[S, S], B, |a| map2(a, has))],
        "Whether the first argument is the second, or a JSON array that has it.",
    ),
    entry(
        "has_value",
        &[over(&[S, S], B, |a| map2(a, has))],
        "Whether the first argument is the second, or a JSON array that has it.",
    ),
    entry(
        "shared_libraries",
        &[over(&[U], S, |a| map1(a, |_: Upid| ""))],
        "Empty: which libraries a process has loaded is not observed.",
    ),
    entry("asid", &[over(&[], I, |_| map0(0_i64))], "0: answers come from all agents together."),
    entry("_exec_hostname", &[over(&[], S, |_| map0(HOST.as_str()))], "Name of the host that answers."),
    entry("_exec_host_num_cpus", &[over(&[], I, |_| map0(*PROCESSORS))], "Processors of the host that answers."),
    entry("vizier_id", &[over(&[], S, |_| map0(""))], "Empty: there is no such id."),
    entry("vizier_name", &[over(&[], S, |_| map0(""))], "Empty: there is no such name."),
    entry("vizier_namespace", &[over(&[], S, |_| map0(""))], "Empty: there is no such namespace."),
];

/// Read once, so that a view's rows agree with each other.
static HOST: LazyLock<String> = LazyLock::new(|| {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
});
static PROCESSORS: LazyLock<i64> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, |count| count.get() as i64));

fn upid(asid: i64, pid: i64, start_ticks: i64) -> Upid {
    let parts = (u32::try_from(asid), u32::try_from(pid), u64::try_from(start_ticks));
    let (Ok(asid), Ok(pid), Ok(start_ticks)) = parts else { return Upid::NONE };
    Upid { asid, pid, start_ticks }
}

fn start(upid: Upid) -> Time {
    let nanoseconds = upid.start_ticks.saturating_mul(1_000_000_000 / START_TICKS_PER_SECOND);
    Time(i64::try_from(nanoseconds).unwrap_or(i64::MAX))
}

fn has(values: &str, value: &str) -> bool {
    if values == value {
        return true;
    }
    let Ok(Json::Array(values)) = serde_json::from_str(values) else { return false };
    values.iter().any(|known| matches!(known, Json::Text(known) if known == value))
}

#[cfg(test)]
mod tests;
