//! Columns that say where an exchange happened. Rows of a connection come in runs, of which these columns are filled in at
//! once when a batch is made: that is a third of all columns.

use watershed_model::{Table, Upid};

use crate::event::{Connection, Endpoint, Role};
use crate::tables::rows::Rows;

/// Where an exchange happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) info: &'a Connection,
    pub(crate) upid: Upid,
    pub(crate) peer: Upid,
    /// Seen through a TLS library.
    pub(crate) encrypted: bool,
}

/// What such a column is filled with.
#[derive(Debug, Clone, Copy)]
enum Source {
    Upid,
    Peer,
    RemoteAddress,
    RemotePort,
    LocalAddress,
    LocalPort,
    Role,
    Encrypted,
}

fn source(name: &str) -> Option<Source> {
    Some(match name {
        "upid" => Source::Upid,
        "remote_upid" => Source::Peer,
        "remote_addr" => Source::RemoteAddress,
        "remote_port" => Source::RemotePort,
        "local_addr" => Source::LocalAddress,
        "local_port" => Source::LocalPort,
        "trace_role" => Source::Role,
        "encrypted" => Source::Encrypted,
        _ => return None,
    })
}

/// Whether a column says where an exchange happened.
pub(crate) fn is_placed(name: &str) -> bool {
    source(name).is_some()
}

/// What the columns are filled with.
#[derive(Debug, PartialEq)]
struct Values {
    upid: Upid,
    peer: Upid,
    remote: Endpoint,
    local: Endpoint,
    role: Role,
    encrypted: bool,
}

/// Where the rows of a batch in the making happened.
#[derive(Debug)]
pub(crate) struct Runs {
    /// Positions in the table.
    columns: Vec<(usize, Source)>,
    /// Values, and how many rows have them.
    runs: Vec<(Values, usize)>,
}

impl Runs {
    pub(crate) fn of(table: &Table) -> Self {
        let columns = table.columns.iter().enumerate();
        Runs {
            columns: columns.filter_map(|(at, column)| Some((at, source(column.name)?))).collect(),
            runs: Vec::new(),
        }
    }

    /// Says where the next row happened.
    pub(crate) fn push(&mut self, place: Place<'_>) {
        let Place { info: &Connection { remote, local, role, .. }, upid, peer, encrypted } = place;
        let values = Values { upid, peer, remote, local, role, encrypted };
        match self.runs.last_mut() {
            Some((last, rows)) if *last == values => *rows += 1,
            _ => self.runs.push((values, 1)),
        }
    }

    /// Fills the columns of all rows since the last call.
    pub(crate) fn fill(&mut self, rows: &mut Rows) {
        for (column, source) in &self.columns {
            for (Values { upid, peer, remote, local, role, encrypted }, times) in &self.runs {
                match source {
                    Source::Upid => rows.fill_fixed(*column, upid.to_bytes(), *times),
                    Source::Peer => rows.fill_fixed(*column, peer.to_bytes(), *times),
                    Source::RemoteAddress => rows.fill_fixed(*column, remote.address, *times),
                    Source::RemotePort => rows.fill_ints(*column, i64::from(remote.port), *times),
                    Source::LocalAddress => rows.fill_fixed(*column, local.address, *times),
                    Source::LocalPort => rows.fill_ints(*column, i64::from(local.port), *times),
                    Source::Role => rows.fill_ints(*column, *role as i64, *times),
                    Source::Encrypted => rows.fill_flags(*column, *encrypted, *times),
                }
            }
        }
        self.runs = Vec::with_capacity(self.runs.len());
    }
}
