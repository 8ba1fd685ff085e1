//! The pure core: events in, ticks of tables out. No clock, no `/proc`, no randomness that shows: the same events
//! give the same tables, always.

mod conn_stats;
mod connections;
pub(crate) mod containers;
mod exchanges;
mod placed;
mod processes;
mod rows;
#[cfg(test)]
mod tests;

use watershed_model::{Tick, TickTime, Upid, tables as model_tables, upid::NS_PER_START_TICK};
use watershed_protocols::{Counts, Direction, Segment};

use crate::event::{Attention, Event, Stream};
use crate::redaction::Rule;
use conn_stats::ConnStats;
use connections::{Bytes, Connections};
use processes::Processes;
use rows::Rows;

/// What tables need to know besides events.
#[derive(Debug, Clone)]
pub struct Config {
    /// Number of the agent.
    pub asid: u32,
    /// Name of the node.
    pub host: String,
    /// Bytes of a body that are kept.
    pub capture_bodies: usize,
    /// What is not stored of what was said.
    pub redact: Vec<Rule>,
}

impl Default for Config {
    fn default() -> Self {
        Config { asid: 1, host: String::new(), capture_bodies: 1024, redact: Vec::new() }
    }
}

/// All tables of a source in the making.
#[derive(Debug)]
pub struct Tables {
    asid: u32,
    host: String,
    realtime_offset_ns: i64,
    boot_ns: Option<i64>,
    now_ns: i64,
    second: u64,
    connections: Connections,
    stats: ConnStats,
    processes: Processes,
    exits: Rows,
    probes: Rows,
    losses: Rows,
    reported: Counts,
    reported_drops: [u64; 3],
}

impl Tables {
    /// Empty tables.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Tables {
            asid: config.asid,
            host: config.host.clone(),
            realtime_offset_ns: 0,
            boot_ns: None,
            now_ns: 0,
            second: 0,
            connections: Connections::new(config.capture_bodies, &config.redact),
            stats: ConnStats::new(),
            processes: Processes::new(&config.host),
            exits: Rows::new(&model_tables::PROC_EXIT_EVENTS),
            probes: Rows::new(&model_tables::PROBE_STATUS),
            losses: Rows::new(&model_tables::SYSTEM_LOSSES),
            reported: Counts::default(),
            reported_drops: [0; 3],
        }
    }

    /// Takes one event; a tick ends the batch and is handed back.
    pub fn apply(&mut self, event: &Event<'_>) -> Option<Tick> {
        match *event {
            Event::Clock { monotonic_ns, boottime_ns, realtime_ns } => {
                self.realtime_offset_ns = realtime_ns.wrapping_sub(monotonic_ns as i64);
                // Start times of processes do not move when the clock is set.
                self.boot_ns.get_or_insert(realtime_ns.wrapping_sub(boottime_ns as i64));
            }
            Event::Data { time_ns, cookie, position, length, sent, tgid, captured } => {
                let direction = if sent { Direction::Sent } else { Direction::Received };
                let time_ns = self.realtime(time_ns);
                self.now_ns = self.now_ns.max(time_ns);
                let segment = Segment { position, length, captured, direction, time_ns };
                let (asid, processes) = (self.asid, &self.processes);
                self.connections.data(Bytes { stream: Stream::of_socket(cookie), tgid, segment }, |pid| {
                    processes.upid(pid).unwrap_or(Upid { asid, pid, start_ticks: 0 })
                });
            }
            Event::Open(connection) => {
                let upid = self.upid(connection.tgid, connection.start_boottime_ns);
                self.connections.open(connection, upid);
            }
            Event::Close { cookie, totals, .. } => self.connections.close(cookie, totals, &mut self.stats),
            Event::Totals { cookie, totals } => self.connections.totals(cookie, totals, &mut self.stats),
            Event::Exec { tgid, start_boottime_ns, comm } => {
                let upid = self.upid(tgid, start_boottime_ns);
                let start_ns = self.start_ns(upid);
                self.processes.correct(upid, |process| {
                    process.start_ns = start_ns;
                    comm.clone_into(&mut process.name);
                });
            }
            Event::Fork { parent, tgid, start_boottime_ns } => {
                let parent = self.processes.upid(parent).unwrap_or(Upid::NONE);
                let upid = self.upid(tgid, start_boottime_ns);
                let start_ns = self.start_ns(upid);
                let inherited = self.processes.process(parent).cloned().unwrap_or_default();
                self.processes.correct(upid, |process| {
                    *process = inherited;
                    (process.upid, process.parent, process.start_ns) = (upid, parent, start_ns);
                    (process.exit_ns, process.exit_code) = (0, 0);
                });
            }
            Event::Exit { tgid, status, time_ns } => self.exit(tgid, status, time_ns),
            Event::Process { tgid, start_ticks, parent, comm, cmdline, exe, cgroup } => {
                let upid = Upid { asid: self.asid, pid: tgid, start_ticks };
                let parent = self.processes.upid(parent).unwrap_or(Upid::NONE);
                let start_ns = self.start_ns(upid);
                let container_name = self.processes.container_name(cgroup);
                self.processes.correct(upid, |process| {
                    process.start_ns = start_ns;
                    process.container_name = container_name;
                    process.parent = if parent.is_some() { parent } else { process.parent };
                    comm.clone_into(&mut process.name);
                    cmdline.clone_into(&mut process.cmdline);
                    exe.clone_into(&mut process.exe);
                    cgroup.clone_into(&mut process.cgroup);
                });
            }
            Event::Loss { source, reason, count, bytes } => self.loss(source, reason, count, bytes),
            Event::Probe { name, attached, error, lost } => {
                // 12 is the gRPC code of "not implemented".
                let status = if attached { 0 } else { 12 };
                self.probes.int(self.now_ns).fixed(Upid::NONE.to_bytes()).text("kernel").text(name).int(status);
                self.probes.text(error).text(lost);
            }
            Event::Plain { time_ns, cookie, position, length, sent, tgid, captured } => {
                let direction = if sent { Direction::Sent } else { Direction::Received };
                let time_ns = self.realtime(time_ns);
                self.now_ns = self.now_ns.max(time_ns);
                let segment = Segment { position, length, captured, direction, time_ns };
                let (asid, processes) = (self.asid, &self.processes);
                self.connections.plain(Bytes { stream: Stream::of_clear_text(cookie), tgid, segment }, |pid| {
                    processes.upid(pid).unwrap_or(Upid { asid, pid, start_ticks: 0 })
                });
            }
            Event::Container { id, name } => self.processes.name_container(id, name),
            Event::Translated(translation) => self.connections.translate(translation),
            Event::Tick { time } => return Some(self.flush(time)),
        }
        None
    }

    /// Connections whose content need not be copied any more, since the last call.
    pub fn take_wishes(&mut self) -> Vec<(Stream, Attention)> {
        std::mem::take(&mut self.connections.wishes)
    }

    fn realtime(&self, monotonic_ns: u64) -> i64 {
        (monotonic_ns as i64).wrapping_add(self.realtime_offset_ns)
    }

    fn start_ns(&self, upid: Upid) -> i64 {
        self.boot_ns.unwrap_or(0).wrapping_add((upid.start_ticks.wrapping_mul(NS_PER_START_TICK)) as i64)
    }

    fn upid(&self, pid: u32, start_boottime_ns: u64) -> Upid {
        match start_boottime_ns {
            _ if pid == 0 => Upid::NONE,
            0 => self.processes.upid(pid).unwrap_or(Upid { asid: self.asid, pid, start_ticks: 0 }),
            start => Upid { asid: self.asid, pid, start_ticks: start / NS_PER_START_TICK },
        }
    }

    fn exit(&mut self, tgid: u32, status: i32, time_ns: u64) {
        let time_ns = self.realtime(time_ns);
        let (signal, code) = (i64::from(status & 0x7f), i64::from(status >> 8 & 0xff));
        let code = if signal == 0 { code } else { -1 };
        let Some(upid) = self.processes.upid(tgid) else { return };
        if status != 0 {
            let name = self.processes.process(upid).map_or("", |process| process.name.as_str());
            self.exits.int(time_ns).fixed(upid.to_bytes()).int(code).int(signal).text(name);
        }
        self.processes.exit(tgid, time_ns, code);
    }

    fn loss(&mut self, source: &str, reason: &str, count: u64, bytes: u64) {
        if count == 0 && bytes == 0 {
            return;
        }
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.losses.int(self.now_ns).text(&self.host).text(source).text(reason).int(signed(count)).int(signed(bytes));
    }

    fn flush(&mut self, time: u64) -> Tick {
        let time = TickTime(time);
        self.now_ns = time.as_nanoseconds();
        self.connections.tick();
        let second = time.0 / 1000;
        if second != self.second {
            self.second = second;
            self.connections.expire(self.now_ns);
            self.connections.settle(&mut self.stats);
            self.stats.flush(self.now_ns);
            self.report();
        }
        let others = [self.stats.rows().take(), self.exits.take(), self.probes.take(), self.losses.take()];
        let events = self.connections.exchanges.take().chain(others.into_iter().flatten()).collect();
        let states = self.processes.flush(self.now_ns).into_iter().collect();
        Tick { time, events, states }
    }

    /// Rows for what was counted in here. The bytes of gaps are counted where they were lost, in the kernel.
    fn report(&mut self) {
        let (now, before) = (self.connections.counts, self.reported);
        self.reported = now;
        let drops = [self.connections.refused, self.stats.dropped, self.processes.dropped];
        let dropped_before = std::mem::replace(&mut self.reported_drops, drops);
        self.loss("ingest", "gap", now.gaps - before.gaps, 0);
        self.loss("ingest", "unpaired_request", now.unpaired_requests - before.unpaired_requests, 0);
        self.loss("ingest", "unpaired_response", now.unpaired_responses - before.unpaired_responses, 0);
        let out_of_step = (now.out_of_step - before.out_of_step, now.out_of_step_bytes - before.out_of_step_bytes);
        self.loss("ingest", "out_of_step", out_of_step.0, out_of_step.1);
        self.loss("ingest", "waiting_requests_full", now.overflows - before.overflows, 0);
        self.loss("ingest", "connections_full", drops[0] - dropped_before[0], 0);
        self.loss("ingest", "conn_stats_keys_full", drops[1] - dropped_before[1], 0);
        self.loss("ingest", "processes_full", drops[2] - dropped_before[2], 0);
    }
}
