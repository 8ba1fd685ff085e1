//! Processes by id: rows that are corrected when more is known and leave some time after the process.

use std::collections::VecDeque;

use hashbrown::HashMap;
use watershed_model::{StateChange, Upid, tables as model_tables};

use crate::tables::containers::{container_of, pod_of, service_of};
use crate::tables::rows::Rows;

const PROCESSES_MAX: usize = 64 << 10;
const KEPT_AFTER_EXIT_NS: i64 = 600_000_000_000;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Process {
    pub(crate) upid: Upid,
    pub(crate) parent: Upid,
    pub(crate) name: String,
    pub(crate) cmdline: String,
    pub(crate) exe: String,
    pub(crate) cgroup: String,
    pub(crate) container_name: String,
    pub(crate) start_ns: i64,
    pub(crate) exit_ns: i64,
    pub(crate) exit_code: i64,
}

#[derive(Debug)]
pub(crate) struct Processes {
    host: String,
    by_upid: HashMap<Upid, Process, foldhash::fast::RandomState>,
    upid_by_pid: HashMap<u32, Upid, foldhash::fast::RandomState>,
    exited: VecDeque<(i64, Upid)>,
    /// Names that the machine gives to containers, by their ids.
    container_names: HashMap<String, String, foldhash::fast::RandomState>,
    rows: Rows,
    diffs: Vec<i64>,
    pub(crate) dropped: u64,
}

impl Processes {
    pub(crate) fn new(host: &str) -> Self {
        Processes {
            host: host.to_owned(),
            by_upid: HashMap::default(),
            upid_by_pid: HashMap::default(),
            exited: VecDeque::new(),
            container_names: HashMap::default(),
            rows: Rows::new(&model_tables::PROCESSES),
            diffs: Vec::new(),
            dropped: 0,
        }
    }

    pub(crate) fn upid(&self, pid: u32) -> Option<Upid> {
        self.upid_by_pid.get(&pid).copied()
    }

    pub(crate) fn process(&self, upid: Upid) -> Option<&Process> {
        self.by_upid.get(&upid)
    }

    /// Corrects what is known of a process; the first call for an id adds it.
    pub(crate) fn correct(&mut self, upid: Upid, correction: impl FnOnce(&mut Process)) {
        self.upid_by_pid.insert(upid.pid, upid);
        let before = self.by_upid.get(&upid);
        if before.is_none() && self.by_upid.len() >= PROCESSES_MAX {
            self.dropped += 1;
            return;
        }
        let mut after = before.cloned().unwrap_or_else(|| Process { upid, ..Process::default() });
        correction(&mut after);
        if before == Some(&after) {
            return;
        }
        if let Some(before) = before.cloned() {
            self.change(&before, -1);
        }
        self.change(&after, 1);
        self.by_upid.insert(upid, after);
    }

    pub(crate) fn name_container(&mut self, id: &str, name: &str) {
        if self.container_names.len() < PROCESSES_MAX {
            self.container_names.insert(id.to_owned(), name.to_owned());
        }
    }

    /// What the machine calls the container or the service of a cgroup; Kubernetes has better names.
    pub(crate) fn container_name(&self, cgroup: &str) -> String {
        let by_runtime = self.container_names.get(container_of(cgroup)).map(String::as_str);
        let by_systemd = || if pod_of(cgroup).is_empty() { service_of(cgroup) } else { "" };
        by_runtime.unwrap_or_else(by_systemd).to_owned()
    }

    pub(crate) fn exit(&mut self, pid: u32, exit_ns: i64, exit_code: i64) {
        let Some(upid) = self.upid_by_pid.remove(&pid) else { return };
        self.correct(upid, |process| {
            process.exit_ns = exit_ns;
            process.exit_code = exit_code;
        });
        self.upid_by_pid.remove(&pid);
        self.exited.push_back((exit_ns, upid));
    }

    fn change(&mut self, process: &Process, diff: i64) {
        self.diffs.push(diff);
        self.rows
            .fixed(process.upid.to_bytes())
            .int(i64::from(process.upid.pid))
            .fixed(process.parent.to_bytes())
            .text(&process.name)
            .text(&process.cmdline)
            .text(&process.exe)
            .text(&process.cgroup)
            .text(container_of(&process.cgroup))
            .text(&self.host)
            .int(process.start_ns)
            .int(process.exit_ns)
            .int(process.exit_code)
            .text(&pod_of(&process.cgroup))
            .text(&process.container_name);
    }

    pub(crate) fn flush(&mut self, now_ns: i64) -> Option<StateChange> {
        while self.exited.front().is_some_and(|(exit_ns, _)| now_ns.saturating_sub(*exit_ns) > KEPT_AFTER_EXIT_NS) {
            let Some((_, upid)) = self.exited.pop_front() else { break };
            if let Some(process) = self.by_upid.remove(&upid) {
                self.change(&process, -1);
            }
        }
        let (table, rows) = self.rows.take()?;
        Some(StateChange { table, rows, diffs: std::mem::take(&mut self.diffs) })
    }
}
