//! Compiles the BPF programs with clang into one object that the crate embeds.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=programs");
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".into());
    if Command::new(&clang).arg("--version").output().is_err() {
        eprintln!("error: `{clang}` not found: install clang 12 or later (apt-get install clang), or set CLANG");
        std::process::exit(1);
    }
    let object = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("watershed.bpf.o");
    let built = libbpf_cargo::SkeletonBuilder::new()
        .source("programs/watershed.bpf.c")
        .obj(&object)
        .clang(&clang)
        .clang_args(["-mcpu=v3", "-Wall"])
        .build();
    if let Err(error) = built {
        eprintln!("error: the BPF programs do not compile: {error:?}");
        std::process::exit(1);
    }
}
