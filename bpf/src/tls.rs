//! Finds the TLS libraries that processes have mapped and attaches to them, once a file, for all processes.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use libbpf_rs::{Link, Object, UprobeOpts};

/// Functions of OpenSSL 1.1 and 3, BoringSSL, LibreSSL; program and whether it runs at the function's return.
const FUNCTIONS: [(&str, &str, bool); 12] = [
    ("SSL_write", "tls_write", false),
    ("SSL_write", "tls_returned", true),
    ("SSL_read", "tls_read", false),
    ("SSL_read", "tls_returned", true),
    ("SSL_write_ex", "tls_write_ex", false),
    ("SSL_write_ex", "tls_returned", true),
    ("SSL_read_ex", "tls_read_ex", false),
    ("SSL_read_ex", "tls_returned", true),
    ("SSL_do_handshake", "tls_shake", false),
    ("SSL_free", "tls_free", false),
    ("gnutls_record_send", "tls_write", false),
    ("gnutls_record_recv", "tls_read", false),
];
/// Functions that come in pairs with the above and run at the return as well.
const RETURNS: [(&str, &str); 2] = [("gnutls_record_send", "tls_returned"), ("gnutls_record_recv", "tls_returned")];
/// A library without these is none.
const REQUIRED: [&str; 2] = ["SSL_write", "gnutls_record_send"];
/// Files that are looked into, attached or not.
const FILES_MAX: usize = 4096;

/// A file by device and inode.
type File = (u64, u64);

/// What became of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsLibrary {
    /// Its path in the process that it was found in.
    pub path: String,
    /// Why its plaintext is not seen; empty when it is.
    pub error: String,
}

/// The libraries that are attached.
#[derive(Default)]
pub(crate) struct Tls {
    seen: HashSet<File>,
    attached: HashMap<File, Vec<Link>>,
}

/// The names of the programs.
pub(crate) fn programs() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(_, program, _)| *program)
}

impl Tls {
    /// Attaches to the libraries of a process that were not met before; what was found, for the status.
    pub(crate) fn attach(&mut self, object: &mut Object, tgid: u32) -> Vec<TlsLibrary> {
        let mut found = Vec::new();
        for (path, named) in candidates(tgid) {
            let inside = PathBuf::from(format!("/proc/{tgid}/root{path}"));
            let Ok(metadata) = fs::metadata(&inside) else { continue };
            let file = (metadata.dev(), metadata.ino());
            if self.seen.len() >= FILES_MAX || !self.seen.insert(file) {
                continue;
            }
            match attach_all(object, &inside) {
                Ok(links) => {
                    self.attached.insert(file, links);
                    found.push(TlsLibrary { path, error: String::new() });
                }
                // A program of its own mostly has no TLS library in it.
                Err(error) if named => found.push(TlsLibrary { path, error }),
                Err(_) => {}
            }
        }
        found
    }

    /// Whether anything is attached.
    pub(crate) fn is_used(&self) -> bool {
        !self.attached.is_empty()
    }
}

/// Mapped files that may hold a TLS library, and whether their name says that they do.
fn candidates(tgid: u32) -> Vec<(String, bool)> {
    let maps = fs::read_to_string(format!("/proc/{tgid}/maps")).unwrap_or_default();
    let program = fs::read_link(format!("/proc/{tgid}/exe")).unwrap_or_default();
    let mut known = HashSet::new();
    let mut candidates = Vec::new();
    for line in maps.lines() {
        let mut fields = line.splitn(6, ' ');
        let (Some(mode), Some(path)) = (fields.nth(1), fields.nth(3)) else { continue };
        let path = path.trim_start();
        if !mode.contains('x') || !path.starts_with('/') || path.ends_with(" (deleted)") || !known.insert(path) {
            continue;
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let named = ["libssl", "libgnutls", "libboringssl"].iter().any(|library| name.starts_with(library));
        if named || program.as_os_str() == path {
            candidates.push((path.to_owned(), named));
        }
    }
    candidates
}

fn attach_all(object: &mut Object, path: &std::path::Path) -> Result<Vec<Link>, String> {
    let mut links = Vec::new();
    let mut missing = String::new();
    let returns = RETURNS.iter().map(|(function, program)| (*function, *program, true));
    for (function, program, retprobe) in FUNCTIONS.iter().copied().chain(returns) {
        let options = UprobeOpts { retprobe, func_name: Some(function.to_owned()), ..UprobeOpts::default() };
        let found = object.progs_mut().find(|known| known.name() == program);
        match found.map(|program| program.attach_uprobe_with_opts(-1, path, 0, options)) {
            Some(Ok(link)) => links.push(link),
            Some(Err(error)) if REQUIRED.contains(&function) => missing = error.to_string(),
            Some(Err(_)) | None => {}
        }
    }
    if links.is_empty() {
        Err(format!("no function of a TLS library in it could be probed ({missing})"))
    } else {
        Ok(links)
    }
}
