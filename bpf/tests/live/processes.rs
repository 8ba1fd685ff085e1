//! Forks, execs and exits as they are reported.

use watershed_bpf::Lifecycle;

use crate::driver::Driver;
use crate::{config, load};

#[test]
fn root_fork_exec_and_exit_tell_who_and_how() {
    let mut driver = Driver::body(
        "import subprocess\n\
         subprocess.run(['sh', '-c', 'exit 3'])\n\
         subprocess.run(['dash', '-c', 'kill -9 $$'])",
    );
    let Some(mut probe) = load(&config(&driver, false)) else { return };
    driver.go();
    driver.expect("done");
    // The driver's cgroups are ours.
    let here = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let parent = driver.child.id();
    let (mut forks, mut execs, mut exits) = (Vec::new(), Vec::new(), Vec::new());
    probe
        .drain_lifecycle(&mut |event| match event {
            Lifecycle::Fork { parent_tgid, tgid, start_boottime_ns, .. } => {
                assert_eq!(parent_tgid, parent);
                forks.push((tgid, start_boottime_ns));
            }
            Lifecycle::Exec { tgid, start_boottime_ns, comm, cgroup, .. } => {
                assert!(has_end(&here, &cgroup.path()), "{} is none of {here}", cgroup.path());
                execs.push((tgid, start_boottime_ns, String::from_utf8_lossy(comm).into_owned()));
            }
            Lifecycle::Exit { tgid, start_boottime_ns, exit_code, .. } => {
                exits.push((tgid, start_boottime_ns, exit_code));
            }
            Lifecycle::Open(_) | Lifecycle::Close(..) => {}
        })
        .unwrap();
    assert_eq!((forks.len(), execs.len(), exits.len()), (2, 2, 2), "{forks:?} {execs:?} {exits:?}");
    for (index, (comm, code)) in [("sh", 3 << 8), ("dash", 9)].into_iter().enumerate() {
        let (tgid, start) = forks[index];
        assert!(start > 0);
        assert_eq!(execs[index], (tgid, start, comm.into()));
        assert_eq!(exits[index], (tgid, start, code));
    }
}

/// Whether one of the lines of `/proc/self/cgroup` is of this cgroup.
fn has_end(lines: &str, path: &str) -> bool {
    let path = if path.is_empty() { "/" } else { path };
    lines.lines().any(|line| line.ends_with(path))
}
