//! Kernel side of Watershed: loads the BPF programs, drains what they report. The only library with `unsafe`.

mod batches;
mod conntrack;
mod older;
mod probe;
mod requirements;
mod ring;
mod scope;
mod skipped;
mod tls;
mod warnings;
mod wire;

pub use conntrack::conntrack;
pub use probe::{Config, Error, KernelLoss, Probe, ProbeStatus};
pub use requirements::{Requirement, check};
pub use scope::{Scope, ScopeError};
pub use tls::TlsLibrary;
pub use wire::{Cgroup, Connection, Data, Direction, Lifecycle, Role, Socket, Totals, Transport};
