//! Rows of the metadata tables.

use serde_json::json;
use watershed_model::Table;
use watershed_model::tables as identity;

use super::names::Names;
use crate::object::{Body, Container, Object, Owner, Pod};

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Text.
    Text(Box<str>),
    /// Nanoseconds since the epoch.
    Time(i64),
    /// A number.
    Number(i64),
    /// A boolean.
    Flag(bool),
    /// An address, IPv4 mapped into IPv6.
    Address([u8; 16]),
}

/// A row of a table, with one value a column.
#[derive(Debug, Clone)]
pub struct Row {
    /// The table.
    pub table: &'static Table,
    /// Values in the order of its columns.
    pub values: Box<[Value]>,
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.table.name == other.table.name && self.values == other.values
    }
}

impl Eq for Row {}

fn text(value: impl Into<Box<str>>) -> Value {
    Value::Text(value.into())
}

fn array(values: &[String]) -> Value {
    text(json!(values).to_string())
}

fn owners(values: &[Owner]) -> Value {
    let values: Vec<_> = (values.iter()).map(|o| json!({"uid": &*o.uid, "kind": o.kind, "name": o.name})).collect();
    text(json!(values).to_string())
}

/// Empty for none, the value itself for one, a JSON array of several.
fn one_or_array(values: &[String]) -> Value {
    match values {
        [] => text(""),
        [one] => text(one.as_str()),
        several => array(several),
    }
}

/// The rows of an object that ended at that time, 0 for none.
pub(super) fn rows_of(object: &Object, stop_ns: i64, names: &Names) -> Vec<Row> {
    let first = |values: &[String]| text(values.first().map_or("", String::as_str));
    let (table, middle) = match &object.body {
        Body::Pod(pod) => return pod_rows(object, pod, stop_ns, names),
        Body::Service(service) => {
            (&identity::K8S_SERVICES, vec![first(&service.cluster_ips), array(&service.external_ips)])
        }
        Body::Node { ips, pod_cidrs } => (&identity::K8S_NODES, vec![first(ips), array(pod_cidrs)]),
        Body::Namespace => (&identity::K8S_NAMESPACES, vec![]),
        Body::ReplicaSet(status) => {
            let [id, name] = ancestor(object, names, "Deployment");
            (&identity::K8S_REPLICASETS, vec![owners(&object.owners), text(status.as_str()), text(id), text(name)])
        }
        Body::Deployment(status) => (&identity::K8S_DEPLOYMENTS, vec![text(status.as_str())]),
        Body::EndpointSlice { .. } | Body::Owner(_) => return Vec::new(),
    };
    let mut values = vec![text(&*object.uid), text(object.full_name())];
    if !object.namespace.is_empty() {
        values.push(text(object.namespace.as_str()));
    }
    values.extend(middle);
    values.extend([Value::Time(object.created_ns), Value::Time(stop_ns)]);
    vec![Row { table, values: values.into() }]
}

fn pod_rows(object: &Object, pod: &Pod, stop_ns: i64, names: &Names) -> Vec<Row> {
    let status = json!({"state": pod.phase, "message": pod.message, "reason": pod.reason}).to_string();
    let [replicaset_id, replicaset_name] = ancestor(object, names, "ReplicaSet");
    let [deployment_id, deployment_name] = ancestor(object, names, "Deployment");
    let top = names.owners.last();
    let (service_names, service_ids): (Vec<_>, Vec<_>) = names.services.iter().cloned().unzip();
    let values = vec![
        text(&*object.uid),
        text(object.full_name()),
        text(object.namespace.as_str()),
        text(pod.node.as_str()),
        text(pod.ips.first().map_or("", String::as_str)),
        Value::Flag(pod.host_network),
        text(pod.phase.as_str()),
        text(status),
        text(json!(pod.labels).to_string()),
        text(pod.qos.as_str()),
        owners(&object.owners),
        text(top.map_or("", |owner| owner.kind.as_str())),
        text(top.map_or(String::new(), |owner| format!("{}/{}", object.namespace, owner.name))),
        text(replicaset_id),
        text(replicaset_name),
        text(deployment_id),
        text(deployment_name),
        one_or_array(&service_ids),
        one_or_array(&service_names),
        Value::Time(object.created_ns),
        Value::Time(stop_ns),
    ];
    let mut rows = vec![Row { table: &identity::K8S_PODS, values: values.into() }];
    rows.extend(pod.containers.iter().flat_map(|container| container_rows(&object.uid, container, stop_ns)));
    rows
}

/// uid and full name of the nearest owner of that kind, empty when there is none that is known.
fn ancestor(object: &Object, names: &Names, kind: &str) -> [String; 2] {
    (names.owners.iter().find(|owner| owner.kind == kind))
        .map_or_else(Default::default, |owner| [owner.uid.to_string(), format!("{}/{}", object.namespace, owner.name)])
}

/// The container as it runs or ran last, and what it was before it was started again.
fn container_rows(pod: &str, container: &Container, pod_stop_ns: i64) -> impl Iterator<Item = Row> {
    let stop_ns = if container.finished_ns == 0 { pod_stop_ns } else { container.finished_ns };
    let texts = [&container.id, &container.state, &container.message, &container.reason];
    let now = self::container(pod, &container.name, texts, [container.started_ns, stop_ns]);
    let none = String::new();
    let ended = String::from("Terminated");
    let texts = [&container.last_id, &ended, &none, &container.last_reason];
    let times = [container.last_started_ns, container.last_finished_ns];
    let before = self::container(pod, &container.name, texts, times);
    let before = before.filter(|_| container.last_id != container.id);
    [now, before].into_iter().flatten()
}

fn container(
    pod: &str,
    name: &str,
    [id, state, message, reason]: [&String; 4],
    [started_ns, stopped_ns]: [i64; 2],
) -> Option<Row> {
    if id.is_empty() {
        return None;
    }
    let status = json!({"state": state, "message": message, "reason": reason});
    let values = [
        text(id.as_str()),
        text(name),
        text(pod),
        text(state.as_str()),
        text(status.to_string()),
        Value::Time(started_ns),
        Value::Time(stopped_ns),
    ];
    Some(Row { table: &identity::K8S_CONTAINERS, values: values.into() })
}
