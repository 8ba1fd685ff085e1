//! Containers and pods in cgroup paths, as docker, containerd and CRI-O write them with cgroupfs and systemd, below
//! any root.

const CONTAINER_ID_LENGTH: usize = 64;
const UID_LENGTH: usize = 36;

/// The innermost container id in a path, else empty. What only watches over a container (conmon) is in none.
pub(crate) fn container_of(cgroup: &str) -> &str {
    if cgroup.contains("crio-conmon-") {
        return "";
    }
    let is_id = |part: &&str| part.len() == CONTAINER_ID_LENGTH && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    cgroup.rsplit(['/', '-', ':', '.', '_']).find(is_id).unwrap_or_default()
}

/// The uid of the innermost pod in a path, with dashes, else empty. Pods that come from a kubelet's files have another
/// uid there than the API server says.
pub(crate) fn pod_of(cgroup: &str) -> String {
    if cgroup.contains("crio-conmon-") {
        return String::new();
    }
    let uids = cgroup.rmatch_indices("pod").filter_map(|(at, pod)| cgroup.get(at + pod.len()..)?.get(..UID_LENGTH));
    uids.map(|uid| uid.replace('_', "-")).find(|uid| is_uid(uid)).unwrap_or_default()
}

/// The innermost systemd service in a path, else empty.
pub(crate) fn service_of(cgroup: &str) -> &str {
    cgroup.rsplit('/').find(|part| part.ends_with(".service")).unwrap_or_default()
}

fn is_uid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    let fits = lengths.iter().all(|length| {
        parts.next().is_some_and(|part| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    fits && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0a1b2c3d-0000-4111-8222-333344445555";

    #[test]
    fn containers_and_pods_are_found_in_the_paths_of_all_runtimes() {
        let id = "0123456789abcdef".repeat(4);
        let outer = "fedcba9876543210".repeat(4);
        let slice = UID.replace('-', "_");
        let pods = [
            format!("/kubepods/besteffort/pod{UID}/{id}"),
            format!("/node-1/kubepods/pod{UID}/{id}"),
            format!(
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{slice}.slice/cri-containerd-{id}.scope"
            ),
            format!("/kubepods.slice/kubepods-pod{slice}.slice/crio-{id}.scope/container"),
            format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice/docker-{id}.scope"),
            format!("/system.slice/containerd.service/kubepods-besteffort-pod{slice}.slice:cri-containerd:{id}"),
            format!("/../../kubepods-pod{slice}.slice/cri-containerd-{id}.scope/init.scope"),
            format!("/docker/{outer}/kubelet.slice/kubelet-kubepods-pod{slice}.slice/cri-containerd-{id}.scope"),
            format!("/docker/{outer}/kubepods/burstable/pod{UID}/crio-{id}"),
        ];
        for path in pods {
            assert_eq!((container_of(&path), pod_of(&path).as_str()), (id.as_str(), UID), "{path}");
        }
        for path in [format!("/docker/{id}"), format!("/system.slice/docker-{id}.scope")] {
            assert_eq!((container_of(&path), pod_of(&path).as_str()), (id.as_str(), ""), "{path}");
        }
    }

    #[test]
    fn the_innermost_service_of_systemd_is_found() {
        for (path, service) in [
            ("/system.slice/nginx.service", "nginx.service"),
            ("/system.slice/system-postgresql.slice/postgresql@15-main.service/inner", "postgresql@15-main.service"),
            ("/user.slice/user-0.slice/user@0.service/app.slice/web.service", "web.service"),
            ("/user.slice/user-0.slice/session-1.scope", ""),
            ("", ""),
        ] {
            assert_eq!(service_of(path), service, "{path}");
        }
    }

    #[test]
    fn what_is_no_container_is_none() {
        let id = "0123456789abcdef".repeat(4);
        let slice = UID.replace('-', "_");
        for path in [
            "/user.slice/session-1.scope".to_owned(),
            "/kubepods/podinfo".to_owned(),
            format!("/kubepods.slice/kubepods-pod{slice}.slice/crio-conmon-{id}.scope"),
            "/pod\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}".to_owned(),
        ] {
            assert_eq!((container_of(&path), pod_of(&path).as_str()), ("", ""), "{path}");
        }
    }
}
