#![allow(clippy::unwrap_used)]

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Elf, Site, sites, x86};

const PROGRAM: &str = r#"package main
import "crypto/tls"
func main() {
	c, err := tls.Dial("tcp", "127.0.0.1:1", nil)
	if err != nil { return }
	c.Write([]byte("x"))
	c.Read(make([]byte, 1))
}
"#;

/// Builds it for a processor; `None`, with the reason printed, where that cannot be done.
fn built(folder: &Path, processor: &str, flags: &[&str]) -> Option<PathBuf> {
    let (source, program) = (folder.join("main.go"), folder.join(format!("{processor}{}", flags.concat())));
    std::fs::write(&source, PROGRAM).unwrap();
    let mut command = Command::new("go");
    command.arg("build").args(flags).arg("-o").args([&program, &source]);
    let output = command.envs([("GOARCH", processor), ("GO111MODULE", "off"), ("CGO_ENABLED", "0")]).output();
    match output {
        Ok(output) if output.status.success() => Some(program),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("skipped: no Go toolchain: {error}");
            None
        }
    }
}

fn found(path: &Path) -> Vec<Site> {
    sites(&Elf::open(path).unwrap()).unwrap()
}

fn count(sites: &[Site], program: &str) -> usize {
    sites.iter().filter(|site| site.program == program).count()
}

#[test]
fn places_are_found_with_and_without_symbols_on_both_processors() {
    let folder = tempfile::tempdir().unwrap();
    for processor in ["amd64", "arm64"] {
        let Some(whole) = built(folder.path(), processor, &[]) else { return };
        let Some(stripped) = built(folder.path(), processor, &["-ldflags=-s -w"]) else { return };
        let places = found(&whole);
        assert_eq!(count(&places, "tls_go_write"), 1, "{processor} {places:?}");
        assert!(count(&places, "tls_go_read") > 1, "{processor} {places:?}");
        assert_eq!(found(&stripped), places, "{processor}");
    }
}

/// As `go tool objdump` sees them.
#[test]
fn every_return_of_a_read_is_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = built(folder.path(), "amd64", &[]) else { return };
    let output =
        Command::new("go").args(["tool", "objdump", "-s", r"^crypto/tls\.\(\*Conn\)\.Read$"]).arg(&program).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let elf = Elf::open(&program).unwrap();
    let returns = text.lines().filter(|line| line.trim_end().ends_with("RET")).map(|line| {
        let address = line.split_whitespace().nth(1).unwrap().trim_start_matches("0x");
        elf.offset_of(u64::from_str_radix(address, 16).unwrap()).unwrap()
    });
    let places = found(&program).into_iter().filter(|site| site.program == "tls_go_read").map(|site| site.offset);
    assert_eq!(places.collect::<Vec<_>>(), returns.collect::<Vec<_>>(), "{text}");
}

/// The `go` commands of all versions that were fetched here are such programs, built by themselves.
#[test]
fn places_are_found_in_the_commands_of_all_toolchains_here() {
    let Ok(output) = Command::new("go").args(["env", "GOROOT", "GOMODCACHE"]).output() else {
        println!("skipped: no Go toolchain");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let [root, modules]: [PathBuf; 2] = text.lines().map(PathBuf::from).collect::<Vec<_>>().try_into().unwrap();
    let fetched =
        std::fs::read_dir(modules.join("golang.org")).into_iter().flatten().flatten().map(|entry| entry.path());
    let fetched = fetched.filter(|path| path.to_string_lossy().contains("/toolchain@"));
    for command in fetched.chain([root]).map(|path| path.join("bin/go")).filter(|path| path.exists()) {
        let places = found(&command);
        assert!(count(&places, "tls_go_write") == 1 && count(&places, "tls_go_read") > 1, "{command:?} {places:?}");
    }
}

#[test]
fn a_damaged_executable_is_an_error_at_worst() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = built(folder.path(), "amd64", &["-ldflags=-s -w"]) else { return };
    let file = OpenOptions::new().read(true).write(true).open(&program).unwrap();
    let length = file.metadata().unwrap().len();
    let elf = Elf::open(&program).unwrap();
    let table = elf.section(&[".gopclntab"]).unwrap();
    let table = (elf.offset_of(table.address).unwrap(), table.size);
    let (headers, sections) = ((0, 1024), (length - 4096, 4096));
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..600 {
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let (start, size) = [headers, sections, table, (table.0, 256)][round % 4];
        let place = start + next(size - 8);
        let mut kept = [0; 8];
        file.read_exact_at(&mut kept, place).unwrap();
        let damage = [u64::MAX, next(u64::from(u32::MAX)), next(255), 1 << next(64)][next(4) as usize];
        file.write_all_at(&damage.to_le_bytes(), place).unwrap();
        // Whatever it says: it must come to an end.
        let _ = Elf::open(&program).map(|elf| sites(&elf));
        file.write_all_at(&kept, place).unwrap();
    }
    assert!(!found(&program).is_empty(), "all damage was undone");
}

#[test]
fn what_makes_room_is_told_by_its_bytes() {
    let makes_room = x86::SHAPE.makes_room;
    assert_eq!(makes_room(&[0x76, 0x10, 0x55], 3), Some(2));
    assert_eq!(makes_room(&[0x76, 0x10, 0x48, 0x83, 0xec, 0x58], 6), Some(2));
    assert_eq!(makes_room(&[0x76, 0x10, 0x48, 0x81, 0xec, 0xc0, 0, 0, 0], 9), Some(2));
    assert_eq!(makes_room(&[0x76, 0x10, 0x90], 3), None);
    assert_eq!(makes_room(&[0x55], 9), None);
}

#[test]
fn what_is_kept_is_told_by_its_place() {
    let stores = x86::SHAPE.stores;
    let near = [0x90, 0x48, 0x89, 0x5c, 0x24, 0x70, 0x90, 0x90, 0x90];
    assert!(stores(&near, 0x70) && !stores(&near, 0x68));
    let far = [0x48, 0x89, 0x9c, 0x24, 0xd8, 0, 0, 0];
    assert!(stores(&far, 0xd8) && !stores(&far, 0x24));
}
