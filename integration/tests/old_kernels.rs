//! Boots older kernels in QEMU: one binary for all, with syscall hooks where there are no socket-length tracepoints.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use watershed_integration::agent::binary;
use watershed_integration::{machine, processes};

fn check(meta_package: &str, release: &str) -> Result<()> {
    let tools = ["qemu-system-x86_64", "busybox", "cpio", "apt-get", "strip"];
    if !machine::has_commands(&format!("kernel {release}"), &tools) {
        return Ok(());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels/boot.sh");
    let text = processes::output(Command::new(script).arg(meta_package).arg(binary()))?;
    let text = text.replace('\r', "");
    for line in [format!("kernel: {release}"), "exchanges: 50".into(), "connections: 50".into(), "losses: 0".into()] {
        assert!(text.contains(&line), "{line:?} is missing in:\n{text}");
    }
    assert!(text.contains("exit: 0"), "{text}");
    Ok(())
}

#[test]
fn linux_5_10_is_traced_by_syscall_hooks() -> Result<()> {
    check("linux-image-cloud-amd64/bullseye", "5.10.")
}

#[test]
fn linux_6_1_is_traced_by_syscall_hooks() -> Result<()> {
    check("linux-image-cloud-amd64", "6.1.")
}

#[test]
fn linux_6_12_is_traced_by_socket_length_tracepoints() -> Result<()> {
    check("linux-image-6.12-cloud-amd64", "6.12.")
}
