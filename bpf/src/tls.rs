//! Finds TLS in the files that processes have mapped, and attaches to it: once a file, for all processes.

mod elf;
mod go;
mod library;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use libbpf_rs::{Link, Object, UprobeOpts};

use elf::{Elf, Machine};

/// Files that are looked into, attached or not.
const FILES_MAX: usize = 4096;

/// A file by device and inode.
type File = (u64, u64);

/// A place in a file where a program is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Site {
    program: &'static str,
    /// Of the file.
    offset: u64,
    /// At the return of the function that begins there.
    at_return: bool,
}

/// What became of a file with TLS in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsLibrary {
    /// Its path in the process that it was found in.
    pub path: String,
    /// Why its plaintext is not seen; empty when it is.
    pub error: String,
}

/// The files that are attached.
#[derive(Default)]
pub(crate) struct Tls {
    seen: HashSet<File>,
    attached: Vec<Link>,
}

/// Whether a program is for the places that are found here.
pub(crate) fn is_program(name: &str) -> bool {
    name.starts_with("tls_")
}

impl Tls {
    /// Attaches to the files of a process that were not met before; what was found, for the status.
    pub(crate) fn attach(&mut self, object: &mut Object, tgid: u32) -> Vec<TlsLibrary> {
        let mut found = Vec::new();
        for path in mapped(tgid) {
            let inside = PathBuf::from(format!("/proc/{tgid}/root{path}"));
            let Ok(metadata) = fs::metadata(&inside) else { continue };
            let file = (metadata.dev(), metadata.ino());
            if self.seen.len() >= FILES_MAX || !self.seen.insert(file) {
                continue;
            }
            for sites in sites(&inside) {
                let links = sites.and_then(|sites| attach_all(object, &inside, &sites));
                let error = match links {
                    Ok(links) if links.is_empty() => continue,
                    Ok(links) => {
                        self.attached.extend(links);
                        String::new()
                    }
                    Err(error) => error,
                };
                found.push(TlsLibrary { path: path.clone(), error });
            }
        }
        found
    }

    /// Whether anything is attached.
    pub(crate) fn is_used(&self) -> bool {
        !self.attached.is_empty()
    }
}

/// Files that a process has mapped code of.
fn mapped(tgid: u32) -> Vec<String> {
    let maps = fs::read_to_string(format!("/proc/{tgid}/maps")).unwrap_or_default();
    let mut known = HashSet::new();
    let paths = maps.lines().filter_map(|line| {
        let mut fields = line.splitn(6, ' ');
        let (mode, path) = (fields.nth(1)?, fields.nth(3)?.trim_start());
        let is_file = path.starts_with('/') && !path.ends_with(" (deleted)");
        (mode.contains('x') && is_file && known.insert(path)).then(|| path.to_owned())
    });
    paths.collect()
}

/// A library of TLS by its name.
fn is_named(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    ["libssl", "libgnutls", "libboringssl"].iter().any(|library| name.starts_with(library))
}

/// Where to probe a file, by language; nowhere if there is no TLS in it.
fn sites(path: &Path) -> Vec<Result<Vec<Site>, String>> {
    let Some(elf) = Elf::open(path).filter(|elf| Some(elf.machine) == Machine::native()) else { return Vec::new() };
    let library = match library::sites(&elf) {
        none if none.is_empty() && is_named(path) => {
            Err("it has no symbols of the functions that are probed".to_owned())
        }
        sites => Ok(sites),
    };
    vec![library, go::sites(&elf)]
}

fn attach_all(object: &mut Object, path: &Path, sites: &[Site]) -> Result<Vec<Link>, String> {
    let mut links = Vec::new();
    for site in sites {
        let options = UprobeOpts { retprobe: site.at_return, ..UprobeOpts::default() };
        let Some(program) = object.progs_mut().find(|known| known.name() == site.program) else { continue };
        let link = program.attach_uprobe_with_opts(-1, path, site.offset as usize, options);
        links.push(link.map_err(|error| format!("it could not be probed: {error}"))?);
    }
    Ok(links)
}
