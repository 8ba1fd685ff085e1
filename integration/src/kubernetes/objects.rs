//! Objects as requests that make, change and delete them.

use serde_json::{Value, json};

use super::Request;

/// Makes a namespace.
#[must_use]
pub fn namespace(name: &str) -> Request {
    ("POST", "/api/v1/namespaces".into(), Some(json!({"metadata": {"name": name}})))
}

/// Makes a service that selects `app: APP`, or nothing when that is empty.
#[must_use]
pub fn service(namespace: &str, name: &str, app: &str) -> Request {
    let selector = if app.is_empty() { json!({}) } else { json!({"app": app}) };
    let body = json!({"metadata": {"name": name}, "spec": {"selector": selector, "ports": [{"port": 80}]}});
    ("POST", format!("/api/v1/namespaces/{namespace}/services"), Some(body))
}

/// Makes a pod with `app: APP` on a node, and gives it an address and a running container.
#[must_use]
pub fn pod(namespace: &str, name: &str, app: &str, ip: &str, container: &str) -> [Request; 2] {
    let body = json!({
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "none"}]},
    });
    let make = ("POST", format!("/api/v1/namespaces/{namespace}/pods"), Some(body));
    let running = json!({"name": "main", "image": "none", "imageID": "none", "ready": true, "restartCount": 0,
        "containerID": format!("containerd://{container}"), "state": {"running": {}}});
    let status = json!({"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
        "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [running]});
    [make, patch(&format!("/api/v1/namespaces/{namespace}/pods/{name}/status"), json!({"status": status}))]
}

/// Changes an object.
#[must_use]
pub fn patch(path: &str, change: Value) -> Request {
    ("PATCH", path.into(), Some(change))
}

/// Deletes a pod at once, as its kubelet does in the end.
#[must_use]
pub fn delete_pod(namespace: &str, name: &str) -> Request {
    ("DELETE", format!("/api/v1/namespaces/{namespace}/pods/{name}?gracePeriodSeconds=0"), None)
}

/// Makes an endpoint slice of a service with pods by name, uid and address.
#[must_use]
pub fn endpoint_slice(namespace: &str, name: &str, service: &str, pods: &[[&str; 3]]) -> Request {
    let endpoints: Vec<_> = (pods.iter())
        .map(|[name, uid, ip]| {
            json!({"addresses": [ip], "targetRef": {"kind": "Pod", "name": name, "namespace": namespace, "uid": uid}})
        })
        .collect();
    let body = json!({"metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "endpoints": endpoints});
    ("POST", format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"), Some(body))
}

/// Lets the user `limited` read resources, such as `pods` or `deployments`.
#[must_use]
pub fn grant(name: &str, resources: &[&str]) -> [Request; 2] {
    let rules = json!([{"apiGroups": ["", "apps", "batch", "discovery.k8s.io"], "resources": resources,
        "verbs": ["list", "watch"]}]);
    let group = "/apis/rbac.authorization.k8s.io/v1";
    let role = json!({"metadata": {"name": name}, "rules": rules});
    let binding = json!({"metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "User", "name": "limited", "apiGroup": "rbac.authorization.k8s.io"}]});
    [
        ("POST", format!("{group}/clusterroles"), Some(role)),
        ("POST", format!("{group}/clusterrolebindings"), Some(binding)),
    ]
}
