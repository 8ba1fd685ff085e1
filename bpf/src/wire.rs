//! The records of `programs/wire/records.h` and the types that callers see. Every size is tested.

/// The way of bytes, as the process that owns the socket sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the process to its peer.
    Sent,
    /// From the peer to the process.
    Received,
}

/// Transport protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Which end of a connection the process is; the values are those of `trace_role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It connected.
    Client = 1,
    /// It accepted.
    Server = 2,
    /// The connection is older than the probe, or has no such sides.
    Unknown = 4,
}

/// An address and a port; IPv4 addresses are v6-mapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Socket {
    /// IPv6 or v6-mapped IPv4 address, network order.
    pub address: [u8; 16],
    /// Port, host order.
    pub port: u16,
}

/// A socket's identity: who, from where, to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The kernel's socket cookie.
    pub cookie: u64,
    /// Process that owns it; 0 while not known.
    pub tgid: u32,
    /// Start of that process, ns since boot.
    pub start_boottime_ns: u64,
    /// Inode of the network namespace.
    pub netns: u32,
    /// Address family: 2 is IPv4, 10 is IPv6.
    pub family: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// Client, server or unknown.
    pub role: Role,
    /// This end.
    pub local: Socket,
    /// The other end; all zero for an unconnected UDP socket.
    pub remote: Socket,
    /// CLOCK_MONOTONIC ns; of the first sight if it is older than the probe.
    pub opened_ns: u64,
    /// It was open when the probe was loaded: positions count from the first sight.
    pub opened_before_start: bool,
}

/// What the kernel counted on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Transfers sent.
    pub sends: u64,
    /// Transfers received.
    pub receives: u64,
    /// Sent bytes whose content could not be seen.
    pub unseen_sent: u64,
    /// Received bytes whose content could not be seen.
    pub unseen_received: u64,
    /// Sent bytes whose event found the ring full.
    pub lost_sent: u64,
    /// Received bytes whose event found the ring full.
    pub lost_received: u64,
    /// Sent bytes without an event, because the connection was muted.
    pub muted_sent: u64,
    /// Received bytes without an event, because the connection was muted.
    pub muted_received: u64,
    /// CLOCK_MONOTONIC ns of the last transfer.
    pub last_ns: u64,
    /// The socket is gone, or is a UDP socket that has been idle for long.
    pub closed: bool,
}

/// Bytes that passed through a socket.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    /// CLOCK_MONOTONIC ns.
    pub time_ns: u64,
    /// Connection.
    pub cookie: u64,
    /// Offset of the first byte in this direction, counted by the kernel per connection.
    pub position: u64,
    /// Bytes that passed.
    pub length: u32,
    /// Sent or received.
    pub direction: Direction,
    /// Process that moved them.
    pub tgid: u32,
    /// sendfile, splice, io_uring: the content is not to be had.
    pub unseen: bool,
    /// What a TLS library was given or gave, in clear; positions are of the clear text.
    pub plain: bool,
    /// A prefix of the bytes.
    pub captured: &'a [u8],
}

/// A connection or a process began or ended. Times are CLOCK_MONOTONIC ns.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Lifecycle<'a> {
    Open(Connection),
    Close(Connection, Totals, u64),
    Exec { tgid: u32, start_boottime_ns: u64, time_ns: u64, comm: &'a [u8], cgroup: Cgroup<'a> },
    Fork { parent_tgid: u32, tgid: u32, start_boottime_ns: u64, time_ns: u64 },
    Exit { tgid: u32, start_boottime_ns: u64, exit_code: i32, time_ns: u64, comm: &'a [u8] },
}

/// Where a process ran when it began a program, of several hierarchies in the deepest.
#[derive(Clone, Copy, Debug)]
pub struct Cgroup<'a>(&'a [u8]);

impl Cgroup<'_> {
    /// Its path, or the inner end of it: as many names as a record holds, each cut at 159 bytes.
    #[must_use]
    pub fn path(self) -> String {
        let names = self.0.chunks(CGROUP_NAME_MAX).map(|name| name.split(|byte| *byte == 0).next().unwrap_or_default());
        let names: Vec<_> = names.take_while(|name| !name.is_empty()).map(String::from_utf8_lossy).collect();
        names.iter().rev().fold(String::new(), |path, name| path + "/" + name)
    }
}

const CGROUP_NAMES: usize = 5;
const CGROUP_NAME_MAX: usize = 160;

/// Types that any bytes are a value of.
///
/// # Safety
/// `repr(C)`, no padding, no invalid bit pattern.
pub(crate) unsafe trait Plain: Copy {
    /// Reads a value from the start of the bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        // SAFETY: the length is checked, the read is unaligned, and every bit pattern is a value.
        (bytes.len() >= size_of::<Self>()).then(|| unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() })
    }

    /// The bytes of the value.
    fn as_bytes(&self) -> &[u8] {
        // SAFETY: a Plain value has no padding, so all its bytes are initialised.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }
}

macro_rules! plain {
    ($($type:ident: $size:literal),*) => {$(
        // SAFETY: integers only, and the size proves that nothing is padded.
        unsafe impl Plain for $type {}
        const _: () = assert!(size_of::<$type>() == $size);
    )*};
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawConnection {
    pub(crate) cookie: u64,
    pub(crate) opened_ns: u64,
    pub(crate) last_ns: u64,
    pub(crate) start_boottime_ns: u64,
    pub(crate) bytes: [u64; 2],
    pub(crate) calls: [u64; 2],
    pub(crate) unseen: [u64; 2],
    pub(crate) lost: [u64; 2],
    pub(crate) muted: [u64; 2],
    pub(crate) tgid: u32,
    pub(crate) netns: u32,
    pub(crate) flags: u32,
    pub(crate) mutes_seen: u32,
    pub(crate) local: [u8; 16],
    pub(crate) remote: [u8; 16],
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
    pub(crate) family: u16,
    pub(crate) transport: u8,
    pub(crate) role: u8,
    pub(crate) received_base: u32,
    pub(crate) pad: u32,
    pub(crate) plain: [u64; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct DataHeader {
    pub(crate) time_ns: u64,
    pub(crate) cookie: u64,
    pub(crate) position: u64,
    pub(crate) length: u32,
    pub(crate) tgid: u32,
    pub(crate) captured: u32,
    pub(crate) direction: u8,
    pub(crate) unseen: u8,
    pub(crate) plain: u8,
    pub(crate) pad: u8,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionRecord {
    pub(crate) kind: u32,
    pub(crate) pad: u32,
    pub(crate) time_ns: u64,
    pub(crate) connection: RawConnection,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessRecord {
    pub(crate) kind: u32,
    pub(crate) tgid: u32,
    pub(crate) parent_tgid: u32,
    pub(crate) exit_code: i32,
    pub(crate) time_ns: u64,
    pub(crate) start_boottime_ns: u64,
    pub(crate) comm: [u8; 16],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) self_tgid: u32,
    pub(crate) scope: u32,
    pub(crate) cookie_helper: u8,
    pub(crate) syscall_hooks: u8,
    pub(crate) pad: [u8; 6],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct LossCount {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct CgroupKey {
    pub(crate) id: u64,
    pub(crate) hierarchy: u32,
    pub(crate) pad: u32,
}

plain!(RawConnection: 192, DataHeader: 40, ConnectionRecord: 208, ProcessRecord: 48, Settings: 16, LossCount: 16, CgroupKey: 16);

impl RawConnection {
    pub(crate) fn connection(&self) -> Connection {
        Connection {
            cookie: self.cookie,
            tgid: self.tgid,
            start_boottime_ns: self.start_boottime_ns,
            netns: self.netns,
            family: self.family,
            transport: if self.transport == 17 { Transport::Udp } else { Transport::Tcp },
            role: match self.role {
                1 => Role::Client,
                2 => Role::Server,
                _ => Role::Unknown,
            },
            local: Socket { address: self.local, port: self.local_port },
            remote: Socket { address: self.remote, port: self.remote_port },
            opened_ns: self.opened_ns,
            opened_before_start: self.flags & 2 != 0,
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            sent_bytes: self.bytes[0],
            received_bytes: self.bytes[1],
            sends: self.calls[0],
            receives: self.calls[1],
            unseen_sent: self.unseen[0],
            unseen_received: self.unseen[1],
            lost_sent: self.lost[0],
            lost_received: self.lost[1],
            muted_sent: self.muted[0],
            muted_received: self.muted[1],
            last_ns: self.last_ns,
            closed: self.flags & 1 != 0,
        }
    }
}

/// A record of the data ring; `None` if it is cut short.
pub(crate) fn data(record: &[u8]) -> Option<Data<'_>> {
    let header = DataHeader::from_bytes(record)?;
    let captured = record.get(size_of::<DataHeader>()..)?.get(..header.captured as usize)?;
    Some(Data {
        time_ns: header.time_ns,
        cookie: header.cookie,
        position: header.position,
        length: header.length,
        direction: if header.direction == 0 { Direction::Sent } else { Direction::Received },
        tgid: header.tgid,
        unseen: header.unseen != 0,
        plain: header.plain != 0,
        captured,
    })
}

/// A record of the lifecycle ring; `None` if it is cut short or of no known kind.
pub(crate) fn lifecycle(record: &[u8]) -> Option<Lifecycle<'_>> {
    let kind = u32::from_ne_bytes(record.get(..4)?.try_into().ok()?);
    if kind <= 2 {
        let raw = ConnectionRecord::from_bytes(record)?;
        let connection = raw.connection.connection();
        return match kind {
            1 => Some(Lifecycle::Open(connection)),
            2 => Some(Lifecycle::Close(connection, raw.connection.totals(), raw.time_ns)),
            _ => None,
        };
    }
    let ProcessRecord { tgid, parent_tgid, exit_code, time_ns, start_boottime_ns, .. } =
        ProcessRecord::from_bytes(record)?;
    let comm = record.get(32..48)?.split(|byte| *byte == 0).next()?;
    match kind {
        3 => {
            let cgroup = Cgroup(record.get(size_of::<ProcessRecord>()..)?.get(..CGROUP_NAMES * CGROUP_NAME_MAX)?);
            Some(Lifecycle::Exec { tgid, start_boottime_ns, time_ns, comm, cgroup })
        }
        4 => Some(Lifecycle::Fork { parent_tgid, tgid, start_boottime_ns, time_ns }),
        5 => Some(Lifecycle::Exit { tgid, start_boottime_ns, exit_code, time_ns, comm }),
        _ => None,
    }
}
