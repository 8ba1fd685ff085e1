//! The live kernel as a source: rings drained on a timer, counters and scope looked after once a second.

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use hashbrown::{HashMap, HashSet};
use watershed_bpf::{Data, Direction, Lifecycle, Probe, TlsLibrary};
use watershed_model::upid::NS_PER_START_TICK;

use crate::clock::{self, TICK_MS};
use crate::event::{Attention, Connection, Endpoint, Event, Role, Stream, Totals};
use crate::source::conntrack::Conntrack;
use crate::source::{Source, State, proc, runtime};
use crate::tables::containers::{container_of, pod_of};

/// A wake-up costs as much as a hundred events, a long drain delays whoever waits for the core: the shortest of these
/// at which a drain finds [`DRAINED_EVENTS`]. In the longest, a load that begins at once fills half of the ring.
const DRAINS_MS: [u64; 5] = [2, 5, 10, 20, DRAIN_IDLE_MS];
const DRAIN_IDLE_MS: u64 = 50;
const DRAINED_EVENTS: u64 = 400;
const SECOND: Duration = Duration::from_secs(1);
/// Above so many data events a millisecond only heads are copied, from the next drain on; below, whole messages a second
/// later.
const BUSY_EVENTS_PER_MS: u64 = 20;
const BUSY_CAPTURE_BYTES: u32 = 320;
/// Without events a tick ends only after so many: each costs every operator of every view a look.
const QUIET_TICKS: u64 = 5;
/// How often the names of busy processes are read again.
const NAMES: Duration = Duration::from_secs(2);
/// UDP sockets have no end that is seen: one that rests for so long is closed.
const DATAGRAMS_IDLE_NS: u64 = 60_000_000_000;
/// Containers that are remembered as asked for.
const CONTAINERS_MAX: usize = 64 << 10;
/// A process maps libraries for some time after it was met, most of them in its first moments: it is looked at again after
/// so many milliseconds, and as many of the last kind as it lives.
const LIBRARIES_AFTER_MS: [u64; 5] = [100, 1_000, 2_000, 7_000, 60_000];
/// So many processes are looked at between two drains.
const LOOKS_MAX: usize = 32;
const CLOCK_MOVED_NS: i64 = 1_000_000;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What was handed out of a connection.
#[derive(Default)]
struct Known {
    announced: bool,
    /// With its owner.
    owned: bool,
    totals: Option<Totals>,
}

/// What was handed out of a process.
#[derive(Default)]
struct Named {
    comm: String,
    busy: bool,
    /// How many had been met before it.
    number: u64,
}

#[derive(Default)]
struct Processes {
    known: Map<u32, Named>,
    /// Containers whose names were asked for.
    containers: HashSet<String, foldhash::fast::RandomState>,
    /// Met since libraries were looked for.
    fresh: Vec<Look>,
    met: u64,
}

/// A process whose libraries are to be looked for.
#[derive(Clone, Copy)]
struct Look {
    tgid: u32,
    /// Of [`Named`]: it may end, or become another program.
    number: u64,
}

impl Processes {
    fn forget(&mut self, tgid: u32) {
        self.known.remove(&tgid);
    }

    /// Id and name of a container that is met first, if the machine has a name for it.
    fn name_container<'a>(&mut self, cgroup: &'a str) -> Option<(&'a str, String)> {
        let id = container_of(cgroup);
        if id.is_empty() || !pod_of(cgroup).is_empty() || self.containers.contains(id) {
            return None;
        }
        if self.containers.len() >= CONTAINERS_MAX {
            self.containers.clear();
        }
        self.containers.insert(id.to_owned());
        Some((id, runtime::name_of(Path::new(runtime::HOST), id)?))
    }

    fn is_known(&self, look: Look) -> bool {
        self.known.get(&look.tgid).is_some_and(|process| process.number == look.number)
    }
}

struct Kept {
    time_ns: u64,
    cookie: u64,
    position: u64,
    length: u32,
    sent: bool,
    plain: bool,
    tgid: u32,
    captured: Vec<u8>,
}

impl Kept {
    fn of(data: &Data<'_>) -> Self {
        let Data { time_ns, cookie, position, length, tgid, plain, captured, .. } = *data;
        let sent = data.direction == Direction::Sent;
        Kept { time_ns, cookie, position, length, sent, plain, tgid, captured: captured.to_vec() }
    }

    fn event(&self) -> Event<'_> {
        let Kept { time_ns, cookie, position, length, sent, plain, tgid, ref captured } = *self;
        match plain {
            true => Event::Plain { time_ns, cookie, position, length, sent, tgid, captured },
            false => Event::Data { time_ns, cookie, position, length, sent, tgid, captured },
        }
    }
}

fn event_of<'a>(data: &Data<'a>) -> Event<'a> {
    let Data { time_ns, cookie, position, length, tgid, captured, .. } = *data;
    let sent = data.direction == Direction::Sent;
    match data.plain {
        true => Event::Plain { time_ns, cookie, position, length, sent, tgid, captured },
        false => Event::Data { time_ns, cookie, position, length, sent, tgid, captured },
    }
}

pub(crate) struct Kernel {
    probe: Probe,
    conntrack: Option<Conntrack>,
    capture_bytes: u32,
    busy: bool,
    /// The last drain found so many events that only heads are to be copied, but for what is wanted whole: which
    /// connections that is, is said when these events have been looked at.
    rush: bool,
    events: u64,
    known: Map<u64, Known>,
    closed_in_map: HashSet<u64, foldhash::fast::RandomState>,
    processes: Processes,
    /// What is to be handed out behind the data that the next drain has to find.
    ends: Vec<Event<'static>>,
    /// When to look for the libraries of a process once more, by the wait, each in order.
    libraries: [VecDeque<(Instant, Look)>; LIBRARIES_AFTER_MS.len()],
    /// Libraries that were attached to and not told of yet.
    found: Vec<TlsLibrary>,
    any_busy: bool,
    last_names: Instant,
    losses: Map<&'static str, (u64, u64)>,
    drain_ms: u64,
    last_drain: Instant,
    last_second: Instant,
    last_tick: u64,
    /// There were events since the last tick.
    stirred: bool,
    offset_ns: i64,
    begun: bool,
}

impl Kernel {
    pub(crate) fn load(config: &watershed_bpf::Config) -> Result<Self, crate::Error> {
        let mut probe = Probe::load(config)?;
        // Before anybody is told that tracing has begun.
        let found = probe.processes_in_scope().into_iter().flat_map(|tgid| probe.attach_tls(tgid)).collect();
        let now = Instant::now();
        Ok(Kernel {
            probe,
            conntrack: Conntrack::open(),
            capture_bytes: config.capture_bytes,
            busy: false,
            rush: false,
            events: 0,
            known: Map::default(),
            closed_in_map: HashSet::default(),
            processes: Processes::default(),
            ends: Vec::new(),
            libraries: Default::default(),
            found,
            any_busy: false,
            last_names: now,
            losses: Map::default(),
            drain_ms: DRAIN_IDLE_MS,
            last_drain: now,
            last_second: now,
            last_tick: 0,
            stirred: false,
            offset_ns: 0,
            begun: false,
        })
    }

    pub(crate) fn probe(&self) -> &Probe {
        &self.probe
    }

    fn begin(&mut self, each: &mut dyn FnMut(&Event<'_>)) {
        self.begun = true;
        self.emit_clock(each);
        for tgid in self.probe.processes_in_scope() {
            describe(tgid, &mut self.processes, each);
        }
        for status in self.probe.status() {
            let (error, lost) = (&status.error[..], status.lost);
            each(&Event::Probe { name: status.name, attached: status.attached, error, lost });
        }
    }

    fn emit_clock(&mut self, each: &mut dyn FnMut(&Event<'_>)) {
        let now = clock::read();
        let offset_ns = now.realtime_ns - now.monotonic_ns as i64;
        if (offset_ns - self.offset_ns).abs() < CLOCK_MOVED_NS {
            return;
        }
        self.offset_ns = offset_ns;
        let clock::Reading { monotonic_ns, boottime_ns, realtime_ns } = now;
        each(&Event::Clock { monotonic_ns, boottime_ns, realtime_ns });
    }

    /// Hands out beginnings, and how their addresses are translated; ends go to `self.ends`.
    fn drain_lifecycle(&mut self, each: &mut dyn FnMut(&Event<'_>)) -> Result<(), crate::Error> {
        let (known, processes, ends) = (&mut self.known, &mut self.processes, &mut self.ends);
        self.probe.drain_lifecycle(&mut |record| match record {
            Lifecycle::Open(connection) => open(&connection, known, processes, each),
            Lifecycle::Close(connection, totals, time_ns) => {
                open(&connection, known, processes, each);
                ends.push(Event::Close { cookie: connection.cookie, totals: totals_of(&totals), time_ns });
            }
            Lifecycle::Exec { tgid, start_boottime_ns, comm, cgroup, .. } => {
                let comm = text(comm);
                each(&Event::Exec { tgid, start_boottime_ns, comm: &comm });
                let start_ticks = start_boottime_ns / NS_PER_START_TICK;
                let seen = proc::Process { start_ticks, comm, cgroup: cgroup.path(), ..proc::Process::default() };
                introduce(tgid, Some(proc::Process::or_seen(proc::read(tgid), seen)), processes, each);
            }
            Lifecycle::Fork { parent_tgid, tgid, start_boottime_ns, .. } => {
                describe(parent_tgid, processes, each);
                each(&Event::Fork { parent: parent_tgid, tgid, start_boottime_ns });
            }
            Lifecycle::Exit { tgid, exit_code, time_ns, .. } => {
                ends.push(Event::Exit { tgid, status: exit_code, time_ns });
            }
        })?;
        // The kernel told of their translation before any of them was open.
        if let Some(conntrack) = &mut self.conntrack {
            conntrack.drain(each);
        }
        Ok(())
    }

    /// Drains both rings: beginnings, data, then ends.
    fn drain(&mut self, each: &mut dyn FnMut(&Event<'_>)) -> Result<(), crate::Error> {
        self.drain_lifecycle(each)?;
        let mut ends = std::mem::take(&mut self.ends);
        // Both ends of a connection are known before its data: the other one may have begun just behind the first look.
        // What ends by then waits, since its last data may be behind the bound.
        self.probe.bound_data();
        self.drain_lifecycle(each)?;
        let (known, processes) = (&mut self.known, &mut self.processes);
        let (mut strangers, mut count) = (Vec::new(), 0);
        // What is asked of the maps for one transfer mostly holds for the next.
        let (mut last_tgid, mut last_cookie) = (None, None);
        self.probe.drain_data(&mut |data: Data<'_>| {
            count += 1;
            if last_tgid != Some(data.tgid) {
                last_tgid = Some(data.tgid);
                describe(data.tgid, processes, each);
                if let Some(process) = processes.known.get_mut(&data.tgid) {
                    process.busy = true;
                }
            }
            if last_cookie == Some(data.cookie) || known.contains_key(&data.cookie) {
                last_cookie = Some(data.cookie);
                each(&event_of(&data));
                return;
            }
            strangers.push(Kept::of(&data));
        })?;
        if !strangers.is_empty() {
            // Their beginnings were being written still. Ends wait for the rest of their data.
            self.drain_lifecycle(each)?;
        }
        for data in strangers {
            if !self.known.contains_key(&data.cookie) {
                // Its opening was lost.
                match self.probe.connection(data.cookie) {
                    Some((connection, _)) => open(&connection, &mut self.known, &mut self.processes, each),
                    None => drop(self.known.insert(data.cookie, Known::default())),
                }
            }
            each(&data.event());
        }
        if self.probe.data_is_behind() {
            ends.append(&mut self.ends);
            std::mem::swap(&mut ends, &mut self.ends);
        }
        for end in ends {
            match end {
                Event::Close { cookie, .. } => drop(self.known.remove(&cookie)),
                Event::Exit { tgid, .. } => self.processes.forget(tgid),
                _ => {}
            }
            each(&end);
        }
        self.any_busy |= count > 0;
        self.events += count;
        // A drain that comes late finds more.
        let passed_ms = self.drain_ms.max(self.last_drain.elapsed().as_millis() as u64);
        self.last_drain = Instant::now();
        self.rush |= count > BUSY_EVENTS_PER_MS * passed_ms;
        self.drain_ms = next_drain_ms(passed_ms, count);
        Ok(())
    }

    /// Attaches to the TLS libraries of processes that were met, now and when they have had time to map more.
    fn look_for_libraries(&mut self, each: &mut dyn FnMut(&Event<'_>)) {
        let now = Instant::now();
        let last = LIBRARIES_AFTER_MS.len() - 1;
        let mut due: Vec<_> = self.processes.fresh.drain(..).map(|look| (look, 0)).collect();
        for (wait, waiting) in self.libraries.iter_mut().enumerate() {
            while due.len() < LOOKS_MAX && waiting.front().is_some_and(|(at, _)| *at <= now) {
                due.extend(waiting.pop_front().map(|(_, look)| (look, (wait + 1).min(last))));
            }
        }
        for (look, wait) in due {
            if !self.processes.is_known(look) {
                continue;
            }
            self.found.extend(self.probe.attach_tls(look.tgid));
            self.libraries[wait].push_back((now + Duration::from_millis(LIBRARIES_AFTER_MS[wait]), look));
        }
        for library in self.found.drain(..) {
            let (attached, lost) = (library.error.is_empty(), "clear text of TLS connections through it");
            each(&Event::Probe { name: &library.path, attached, error: &library.error, lost });
        }
    }

    fn every_second(&mut self, each: &mut dyn FnMut(&Event<'_>)) {
        self.emit_clock(each);
        self.probe.refresh_scope();
        let mut found = Vec::new();
        if let Err(error) = self.probe.for_each_connection(&mut |connection, totals| found.push((*connection, *totals)))
        {
            tracing::warn!("{error}; connections not read now are read in a second");
        }
        let now_ns = clock::read().monotonic_ns;
        for (connection, totals) in found {
            self.count(&connection, &totals, now_ns, each);
        }
        if self.any_busy && self.last_names.elapsed() >= NAMES {
            self.last_names = Instant::now();
            self.any_busy = false;
            self.read_names(each);
        }
        for loss in self.probe.losses() {
            let before = self.losses.insert(loss.reason, (loss.count, loss.bytes)).unwrap_or_default();
            let (count, bytes) = (loss.count.saturating_sub(before.0), loss.bytes.saturating_sub(before.1));
            if count > 0 || bytes > 0 {
                each(&Event::Loss { source: "kernel", reason: loss.reason, count, bytes });
            }
        }
        if std::mem::take(&mut self.events) <= BUSY_EVENTS_PER_MS * 1000 {
            self.set_busy(false);
        }
    }

    fn set_busy(&mut self, busy: bool) {
        if busy != self.busy {
            self.busy = busy;
            let bytes = if busy { BUSY_CAPTURE_BYTES.min(self.capture_bytes) } else { self.capture_bytes };
            self.probe.set_capture_bytes(bytes);
        }
    }

    /// A process may change its name while it runs.
    fn read_names(&mut self, each: &mut dyn FnMut(&Event<'_>)) {
        let mut renamed = Vec::new();
        for (tgid, process) in &mut self.processes.known {
            if std::mem::take(&mut process.busy) && proc::comm(*tgid).is_some_and(|comm| comm != process.comm) {
                renamed.push(*tgid);
            }
        }
        for tgid in renamed {
            self.processes.forget(tgid);
            describe(tgid, &mut self.processes, each);
        }
    }

    fn count(
        &mut self,
        connection: &watershed_bpf::Connection,
        totals: &watershed_bpf::Totals,
        now_ns: u64,
        each: &mut dyn FnMut(&Event<'_>),
    ) {
        let cookie = connection.cookie;
        let is_idle = totals.last_ns.saturating_add(DATAGRAMS_IDLE_NS) < now_ns;
        if connection.transport == watershed_bpf::Transport::Udp && is_idle {
            open(connection, &mut self.known, &mut self.processes, each);
            each(&Event::Close { cookie, totals: totals_of(totals), time_ns: totals.last_ns });
            self.known.remove(&cookie);
            self.probe.forget(cookie);
            return;
        }
        if totals.closed {
            // Its record may be in the ring still: only what is there for a second time was never delivered.
            if !self.closed_in_map.remove(&cookie) {
                self.closed_in_map.insert(cookie);
                return;
            }
            open(connection, &mut self.known, &mut self.processes, each);
            each(&Event::Close { cookie, totals: totals_of(totals), time_ns: totals.last_ns });
            self.known.remove(&cookie);
            self.probe.forget(cookie);
            return;
        }
        open(connection, &mut self.known, &mut self.processes, each);
        let totals = totals_of(totals);
        let Some(known) = self.known.get_mut(&cookie) else { return };
        if known.totals.replace(totals) != Some(totals) {
            each(&Event::Totals { cookie, totals });
        }
    }
}

impl Source for Kernel {
    fn poll(&mut self, each: &mut dyn FnMut(&Event<'_>)) -> Result<State, crate::Error> {
        if !self.begun {
            self.begin(each);
        }
        if std::mem::take(&mut self.rush) {
            self.set_busy(true);
        }
        clock::sleep_to_multiple(Duration::from_millis(self.drain_ms));
        let stirred = Cell::new(false);
        let each: &mut dyn FnMut(&Event<'_>) = &mut |event| {
            // Translations alone change no row, and most are of connections that are not traced.
            stirred.set(stirred.get() || !matches!(event, Event::Translated(_)));
            each(event);
        };
        self.drain(each)?;
        self.look_for_libraries(each);
        if self.last_second.elapsed() >= SECOND {
            self.last_second = Instant::now();
            self.every_second(each);
        }
        let tick = clock::now_ms() / TICK_MS;
        self.stirred |= stirred.get();
        if tick > self.last_tick && (self.stirred || tick >= self.last_tick + QUIET_TICKS) {
            (self.last_tick, self.stirred) = (tick, false);
            each(&Event::Tick { time: tick * TICK_MS });
        }
        Ok(State::Running)
    }

    fn attend(&mut self, stream: Stream, attention: Attention) {
        match (attention, stream.plain) {
            (Attention::Whole, _) => self.probe.capture_whole(stream.cookie),
            (Attention::None, true) => self.probe.mute_plain(stream.cookie),
            (Attention::None, false) => self.probe.mute(stream.cookie),
        }
    }
}

/// When to drain next, after a drain that found so many events of so long.
fn next_drain_ms(drain_ms: u64, events: u64) -> u64 {
    let enough = |ms: &u64| events * ms >= DRAINED_EVENTS * drain_ms;
    DRAINS_MS.into_iter().find(enough).unwrap_or(DRAIN_IDLE_MS)
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn totals_of(totals: &watershed_bpf::Totals) -> Totals {
    Totals {
        sent_bytes: totals.sent_bytes,
        received_bytes: totals.received_bytes,
        unseen_bytes: totals.unseen_sent + totals.unseen_received,
    }
}

/// Announces a connection that is not known yet, or whose owner was not, and its owner.
fn open(
    connection: &watershed_bpf::Connection,
    known: &mut Map<u64, Known>,
    processes: &mut Processes,
    each: &mut dyn FnMut(&Event<'_>),
) {
    let known = known.entry(connection.cookie).or_default();
    let owned = connection.tgid != 0;
    if known.announced && (known.owned || !owned) {
        return;
    }
    (known.announced, known.owned) = (true, owned);
    describe(connection.tgid, processes, each);
    let endpoint = |socket: &watershed_bpf::Socket| Endpoint { address: socket.address, port: socket.port };
    each(&Event::Open(Connection {
        cookie: connection.cookie,
        tgid: connection.tgid,
        start_boottime_ns: connection.start_boottime_ns,
        netns: connection.netns,
        family: connection.family,
        datagrams: connection.transport == watershed_bpf::Transport::Udp,
        role: match connection.role {
            watershed_bpf::Role::Client => Role::Client,
            watershed_bpf::Role::Server => Role::Server,
            watershed_bpf::Role::Unknown => Role::Unknown,
        },
        local: endpoint(&connection.local),
        remote: endpoint(&connection.remote),
        opened_ns: connection.opened_ns,
        opened_before_start: connection.opened_before_start,
    }));
}

/// Says what `/proc` knows of a process when it is met first.
fn describe(tgid: u32, processes: &mut Processes, each: &mut dyn FnMut(&Event<'_>)) {
    if tgid == 0 || processes.known.contains_key(&tgid) {
        return;
    }
    introduce(tgid, proc::read(tgid), processes, each);
}

/// Says what is known of a process.
fn introduce(tgid: u32, process: Option<proc::Process>, processes: &mut Processes, each: &mut dyn FnMut(&Event<'_>)) {
    let comm = process.as_ref().map(|process| process.comm.clone()).unwrap_or_default();
    processes.met += 1;
    let number = processes.met;
    processes.known.insert(tgid, Named { comm, busy: false, number });
    processes.fresh.push(Look { tgid, number });
    let Some(process) = process else { return };
    if let Some((id, name)) = processes.name_container(&process.cgroup) {
        each(&Event::Container { id, name: &name });
    }
    each(&Event::Process {
        tgid,
        start_ticks: process.start_ticks,
        parent: process.parent,
        comm: &process.comm,
        cmdline: &process.cmdline,
        exe: &process.exe,
        cgroup: &process.cgroup,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drains_follow_the_load() {
        assert_eq!(next_drain_ms(DRAIN_IDLE_MS, 0), DRAIN_IDLE_MS);
        assert_eq!(next_drain_ms(DRAIN_IDLE_MS, 500), DRAIN_IDLE_MS, "10,000 events a second");
        assert_eq!(next_drain_ms(DRAIN_IDLE_MS, 2_000), 10, "40,000 events a second");
        assert_eq!(next_drain_ms(DRAIN_IDLE_MS, 15_000), 2, "300,000 events a second");
        assert_eq!(next_drain_ms(2, 600), 2);
        assert_eq!(next_drain_ms(2, 20), 50);
    }
}
