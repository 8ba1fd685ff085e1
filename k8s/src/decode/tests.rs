//! Objects as the server writes them.

use serde_json::json;

use super::*;

fn read<W: Wire>(value: serde_json::Value, kind: Kind) -> Option<Object> {
    decode(serde_json::from_value::<W>(value).unwrap(), kind).map(|decoded| decoded.object)
}

#[test]
fn a_pod_keeps_what_identity_needs() {
    let pod = json!({
        "metadata": {"uid": "u", "name": "p", "namespace": "shop", "resourceVersion": "7",
            "creationTimestamp": "1970-01-01T00:00:01Z", "managedFields": [{"manager": "x"}],
            "ownerReferences": [{"apiVersion": "v1", "kind": "Other", "name": "o", "uid": "ou"},
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "ru", "controller": true}]},
        "spec": {"nodeName": "n", "containers": []},
        "status": {"phase": "Succeeded", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
            "startTime": "1970-01-01T00:00:02Z",
            "containerStatuses": [{"name": "c", "containerID": "containerd://abc", "image": "i", "imageID": "i",
                "ready": false, "restartCount": 2, "state": {"terminated": {"exitCode": 0, "reason": "Completed",
                "finishedAt": "1970-01-01T00:00:05Z"}}}]}
    });
    let object = read::<PodWire>(pod, Kind::Pod).unwrap();
    assert_eq!((object.version, object.created_ns, &*object.owners[0].uid), (7, 1_000_000_000, "ru"));
    let Body::Pod(pod) = object.body else { panic!("no pod") };
    assert_eq!((pod.node.as_str(), pod.started_ns, pod.ended_ns), ("n", 2_000_000_000, 5_999_999_999));
    assert_eq!(pod.ips, ["10.0.0.1", "fd00::1"]);
    assert_eq!((pod.containers[0].id.as_str(), pod.containers[0].restarts), ("abc", 2));
}

#[test]
fn nulls_are_nothing_and_what_has_no_uid_is_no_object() {
    let slice = json!({"metadata": {"uid": "u", "resourceVersion": "1", "labels": null, "creationTimestamp": null},
        "endpoints": null});
    let slice = read::<EndpointSlice>(slice, Kind::EndpointSlice).unwrap();
    assert_eq!(slice.body, Body::EndpointSlice { service: String::new(), pods: vec![] });
    assert_eq!(read::<Named>(json!({"metadata": {"name": "x", "resourceVersion": "1"}}), Kind::Job), None);
    assert_eq!(read::<Named>(json!({"metadata": {"uid": "x", "resourceVersion": "abc"}}), Kind::Job), None);
}

#[test]
fn a_service_without_an_address_of_its_own_has_none() {
    let service = json!({"metadata": {"uid": "u", "resourceVersion": "1"},
        "spec": {"clusterIP": "None", "clusterIPs": ["None"], "selector": {"app": "a"}},
        "status": {"loadBalancer": {"ingress": [{"hostname": "lb"}, {"ip": "192.0.2.1"}]}}});
    let Body::Service(service) = read::<ServiceWire>(service, Kind::Service).unwrap().body else { panic!() };
    assert_eq!((service.cluster_ips.len(), service.external_ips), (0, vec!["192.0.2.1".to_owned()]));
}
