//! All that tables depend on, as one stream: what a source emits, what a recording holds.

use serde::{Deserialize, Serialize, Serializer};

/// Which end of a connection the traced process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Role {
    /// It connected.
    Client = 1,
    /// It accepted.
    Server = 2,
    /// Not known.
    #[default]
    Unknown = 4,
}

/// Address (IPv4 mapped into IPv6) and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Endpoint {
    /// All zero when not known.
    pub address: [u8; 16],
    /// 0 when not known.
    pub port: u16,
}

/// Both ends of a connection, as one of them has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Ends {
    /// This end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
}

impl Ends {
    /// As the other end has them, if nothing changes addresses on the way.
    #[must_use]
    pub fn mirrored(self) -> Self {
        Ends { local: self.remote, remote: self.local }
    }
}

/// A connection whose addresses are changed on the way, so that its ends do not mirror each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Translation {
    /// As the client has it.
    pub client: Ends,
    /// As the server has it.
    pub server: Ends,
}

/// What is known of a connection from its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Connection {
    /// The socket's cookie.
    pub cookie: u64,
    /// The owner, 0 when not known yet.
    pub tgid: u32,
    /// When the owner started, ns since boot.
    pub start_boottime_ns: u64,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// `AF_INET` or `AF_INET6`.
    pub family: u16,
    /// UDP, else TCP.
    pub datagrams: bool,
    /// Which end this is.
    pub role: Role,
    /// This end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
    /// Monotonic ns.
    pub opened_ns: u64,
    /// It is older than the tracer.
    pub opened_before_start: bool,
}

/// Bytes with positions of their own: what a socket moves, or the clear text that a TLS library makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stream {
    /// The socket's cookie.
    pub cookie: u64,
    /// Clear text.
    pub plain: bool,
}

impl Stream {
    /// What the socket moves.
    #[must_use]
    pub fn of_socket(cookie: u64) -> Self {
        Stream { cookie, plain: false }
    }

    /// The clear text of its connection.
    #[must_use]
    pub fn of_clear_text(cookie: u64) -> Self {
        Stream { cookie, plain: true }
    }
}

/// The kernel's cumulative counters of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent or received whose content could not be seen.
    pub unseen_bytes: u64,
}

/// One thing that became known. Times are `CLOCK_MONOTONIC` ns unless they say otherwise.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields are those of the source.
pub enum Event<'a> {
    /// How the clocks stand to each other. Comes first, then whenever they moved.
    Clock { monotonic_ns: u64, boottime_ns: u64, realtime_ns: i64 },
    /// Bytes of one send or receive; `captured` is a prefix of `length` bytes.
    Data {
        time_ns: u64,
        cookie: u64,
        position: u64,
        length: u32,
        sent: bool,
        tgid: u32,
        #[serde(borrow, serialize_with = "as_bytes")]
        captured: &'a [u8],
    },
    /// A connection appeared, or more is known of it.
    Open(Connection),
    /// A connection ended; its counters are final.
    Close { cookie: u64, totals: Totals, time_ns: u64 },
    /// The counters of a connection moved.
    Totals { cookie: u64, totals: Totals },
    /// A process is running a program.
    Exec {
        tgid: u32,
        start_boottime_ns: u64,
        #[serde(borrow)]
        comm: &'a str,
    },
    /// A process was made.
    Fork { parent: u32, tgid: u32, start_boottime_ns: u64 },
    /// A process ended; `status` as `wait` gives it.
    Exit { tgid: u32, status: i32, time_ns: u64 },
    /// What `/proc` says of a process.
    Process {
        tgid: u32,
        start_ticks: u64,
        parent: u32,
        #[serde(borrow)]
        comm: &'a str,
        #[serde(borrow)]
        cmdline: &'a str,
        #[serde(borrow)]
        exe: &'a str,
        #[serde(borrow)]
        cgroup: &'a str,
    },
    /// Something was lost since the last such event.
    Loss {
        #[serde(borrow)]
        source: &'a str,
        #[serde(borrow)]
        reason: &'a str,
        count: u64,
        bytes: u64,
    },
    /// What a probe is doing.
    Probe {
        #[serde(borrow)]
        name: &'a str,
        attached: bool,
        #[serde(borrow)]
        error: &'a str,
        #[serde(borrow)]
        lost: &'a str,
    },
    /// Ends a tick; milliseconds since the Unix epoch.
    Tick { time: u64 },
    /// Clear text that a TLS library was given to send, or gave; `captured` is a prefix of `length` bytes, positions
    /// are of the clear text.
    Plain {
        time_ns: u64,
        cookie: u64,
        position: u64,
        length: u32,
        sent: bool,
        tgid: u32,
        #[serde(borrow, serialize_with = "as_bytes")]
        captured: &'a [u8],
    },
    /// The addresses of a connection are changed on the way. Comes before the connection's data, if it is of this node.
    Translated(Translation),
    /// What the machine calls a container. Comes before its processes.
    Container {
        #[serde(borrow)]
        id: &'a str,
        #[serde(borrow)]
        name: &'a str,
    },
}

fn as_bytes<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// How much of a stream's content is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// None any more.
    None,
    /// Whole transfers: several messages may be in one.
    Whole,
}
