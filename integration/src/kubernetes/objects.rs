//! Objects as requests that make, change and delete them.

use serde_json::{Value, json};

use super::{Request, image};

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

/// What runs the pods' program with these arguments; with a port, its pod is ready when that is open.
#[must_use]
pub fn program(arguments: &[&str], port: Option<u16>) -> Value {
    let command: Vec<_> = [image::PROGRAM].iter().chain(arguments).collect();
    let mut container = json!({"name": "main", "image": image::NAME, "imagePullPolicy": "Never", "command": command});
    if let Some(port) = port {
        container["readinessProbe"] = json!({"tcpSocket": {"port": port}, "periodSeconds": 1});
    }
    json!({"terminationGracePeriodSeconds": 5, "enableServiceLinks": false, "containers": [container]})
}

/// Makes a pod with `app: APP` that a kubelet runs.
#[must_use]
pub fn real_pod(namespace: &str, name: &str, app: &str, spec: &Value) -> Request {
    let body = json!({"metadata": {"name": name, "labels": {"app": app}}, "spec": spec});
    ("POST", format!("/api/v1/namespaces/{namespace}/pods"), Some(body))
}

/// Makes an owner of pods with `app: NAME`, such as `deployments` or `daemonsets` of apps; `more` is what else its
/// specification has.
#[must_use]
pub fn workload(namespace: &str, kind: &str, name: &str, spec: &Value, more: &Value) -> Request {
    let mut body = json!({"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": spec}}});
    let more = more.as_object().into_iter().flatten();
    more.for_each(|(key, value)| body["spec"][key] = value.clone());
    ("POST", format!("/apis/apps/v1/namespaces/{namespace}/{kind}"), Some(body))
}

/// Makes a job whose pod runs once.
#[must_use]
pub fn job(namespace: &str, name: &str, spec: &Value) -> Request {
    let mut spec = spec.clone();
    spec["restartPolicy"] = json!("Never");
    let body = json!({"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": {"spec": spec}}});
    ("POST", format!("/apis/batch/v1/namespaces/{namespace}/jobs"), Some(body))
}

/// Makes a service by its whole specification.
#[must_use]
pub fn service_of(namespace: &str, name: &str, spec: &Value) -> Request {
    let body = json!({"metadata": {"name": name}, "spec": spec});
    ("POST", format!("/api/v1/namespaces/{namespace}/services"), Some(body))
}
