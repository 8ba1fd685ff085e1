//! Boots older kernels in QEMU with the `smoke` example inside: one object for all of them.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::Command;

fn traced(meta_package: &str, release: &str, hook: &str) {
    for tool in ["qemu-system-x86_64", "busybox", "cpio", "apt-get", "strip"] {
        if Command::new("sh").args(["-c", &format!("command -v {tool} >/dev/null")]).status().is_ok_and(|s| s.success())
        {
            continue;
        }
        println!("skipped: {tool} is missing");
        return;
    }
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/kernels");
    // Tests lie in deps/, examples beside it.
    let smoke = std::env::current_exe().unwrap().parent().unwrap().with_file_name("examples").join("smoke");
    let output = Command::new(kernels.join("boot.sh"))
        .args([meta_package.as_ref(), smoke.as_os_str(), kernels.join("smoke.sh").as_os_str()])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    if !text.contains("kernel: ") {
        println!("skipped: {meta_package} did not boot: {}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    for line in [format!("kernel: {release}"), format!("smoke: OK {hook}=yes"), "hooks: OK sys_exit=yes".into()] {
        assert!(text.contains(&line), "{line:?} is missing in:\n{text}");
    }
}

#[test]
fn linux_5_10_is_traced_by_syscall_hooks() {
    traced("linux-image-cloud-amd64/bullseye", "5.10.", "sys_exit");
}

#[test]
fn linux_6_1_is_traced_by_syscall_hooks() {
    traced("linux-image-cloud-amd64", "6.1.", "sys_exit");
}

#[test]
fn linux_6_12_is_traced_by_socket_length_tracepoints() {
    traced("linux-image-6.12-cloud-amd64", "6.12.", "sock_send_length");
}
