//! Sockets that are older than the probe get their cookies, which some programs can only read.

use std::io::{self, Read};

use libbpf_rs::{Iter, Object};

pub(crate) const PROGRAM: &str = "cookies_given";

/// Goes once through what all processes have open.
pub(crate) fn give_cookies(object: &mut Object) -> io::Result<()> {
    let Some(program) = object.progs_mut().find(|program| program.name() == PROGRAM) else { return Ok(()) };
    let link = program.attach().map_err(io::Error::other)?;
    let mut sockets = Iter::new(&link).map_err(io::Error::other)?;
    let mut nothing = [0; 64];
    while sockets.read(&mut nothing)? > 0 {}
    Ok(())
}
