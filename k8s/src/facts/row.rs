//! Rows of the metadata tables, derived from what is held.

use std::collections::BTreeSet;

use serde_json::json;
use watershed_model::Table;
use watershed_model::tables as identity;

use super::index::selects;
use super::{Facts, Held};
use crate::object::{Body, Container, Object, Owner, Pod};

/// Longest chain of owners that is followed.
pub(super) const OWNERS_MAX: usize = 8;

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

impl Facts {
    pub(super) fn rows_of(&self, uid: &str) -> Vec<Row> {
        let Some(held) = self.held.get(uid) else { return Vec::new() };
        let object = &held.object;
        let first = |values: &[String]| text(values.first().map_or("", String::as_str));
        let (table, middle) = match &object.body {
            Body::Pod(pod) => return self.pod_rows(held, pod),
            Body::Service(service) => {
                (&identity::K8S_SERVICES, vec![first(&service.cluster_ips), array(&service.external_ips)])
            }
            Body::Node { ips, pod_cidrs } => (&identity::K8S_NODES, vec![first(ips), array(pod_cidrs)]),
            Body::Namespace => (&identity::K8S_NAMESPACES, vec![]),
            Body::ReplicaSet(status) => {
                let [id, name] = self.ancestor(object, "Deployment");
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
        values.extend([Value::Time(object.created_ns), Value::Time(held.stop_ns)]);
        vec![Row { table, values: values.into() }]
    }

    fn pod_rows(&self, held: &Held, pod: &Pod) -> Vec<Row> {
        let object = &held.object;
        let status = json!({"state": pod.phase, "message": pod.message, "reason": pod.reason}).to_string();
        let [replicaset_id, replicaset_name] = self.ancestor(object, "ReplicaSet");
        let [deployment_id, deployment_name] = self.ancestor(object, "Deployment");
        let top = self.topmost(object);
        let (ids, names): (Vec<_>, Vec<_>) = self.services_of(held, pod).into_iter().map(|(n, id)| (id, n)).unzip();
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
            text(top.as_ref().map_or("", |owner| owner.kind.as_str())),
            text(top.as_ref().map_or(String::new(), |owner| format!("{}/{}", object.namespace, owner.name))),
            text(replicaset_id),
            text(replicaset_name),
            text(deployment_id),
            text(deployment_name),
            one_or_array(&ids),
            one_or_array(&names),
            Value::Time(object.created_ns),
            Value::Time(held.stop_ns),
        ];
        let mut rows = vec![Row { table: &identity::K8S_PODS, values: values.into() }];
        rows.extend(containers(held, pod));
        rows
    }

    /// uid and full name of the nearest owner of that kind, empty when there is none that is known.
    fn ancestor(&self, object: &Object, kind: &str) -> [String; 2] {
        (self.chain(object).into_iter().find(|owner| owner.kind == kind)).map_or_else(Default::default, |owner| {
            [owner.uid.to_string(), format!("{}/{}", object.namespace, owner.name)]
        })
    }

    fn topmost(&self, object: &Object) -> Option<Owner> {
        self.chain(object).pop()
    }

    /// The controlling owners from the nearest upwards, as far as they are known.
    fn chain(&self, object: &Object) -> Vec<Owner> {
        let mut chain = Vec::new();
        let mut next = object.owners.first();
        while let Some(owner) = next
            && chain.len() < OWNERS_MAX
        {
            chain.push(owner.clone());
            next = self.held.get(&owner.uid).and_then(|held| held.object.owners.first());
        }
        chain
    }

    /// Names and uids of the pod's services, sorted by name. A deleted service counts for pods that went before it.
    fn services_of(&self, held: &Held, pod: &Pod) -> BTreeSet<(String, String)> {
        let namespace = &held.object.namespace;
        let counts = |service: &&Held| service.stop_ns == 0 || (held.stop_ns != 0 && held.stop_ns <= service.stop_ns);
        let selecting = self
            .index
            .maybe_selecting(namespace, pod)
            .filter_map(|uid| self.held.get(uid))
            .filter(|service| matches!(&service.object.body, Body::Service(service) if selects(service, pod)));
        let slices = self.index.slices_with(&held.object.uid).filter_map(|uid| self.held.get(uid));
        let sliced = slices.filter_map(|slice| match &slice.object.body {
            Body::EndpointSlice { service, .. } if slice.stop_ns == 0 => {
                Some(format!("{}/{service}", slice.object.namespace))
            }
            _ => None,
        });
        let sliced: BTreeSet<_> = sliced.collect();
        let named = sliced.iter().flat_map(|name| self.index.services_named(name));
        selecting
            .chain(named.filter_map(|uid| self.held.get(uid)))
            .filter(counts)
            .map(|service| (service.object.full_name(), service.object.uid.to_string()))
            .collect()
    }
}

/// Containers that run or ran last, and what they were before they were started again.
fn containers<'a>(held: &'a Held, pod: &'a Pod) -> impl Iterator<Item = Row> + 'a {
    pod.containers.iter().flat_map(move |container| {
        let stop_ns = if container.finished_ns == 0 { held.stop_ns } else { container.finished_ns };
        let texts = [&container.id, &container.state, &container.message, &container.reason];
        let now = self::container(held, container, texts, [container.started_ns, stop_ns]);
        let none = String::new();
        let ended = String::from("Terminated");
        let texts = [&container.last_id, &ended, &none, &container.last_reason];
        let before = self::container(held, container, texts, [container.last_started_ns, container.last_finished_ns]);
        let before = before.filter(|_| container.last_id != container.id);
        [now, before].into_iter().flatten()
    })
}

fn container(
    held: &Held,
    container: &Container,
    [id, state, message, reason]: [&String; 4],
    [started_ns, stopped_ns]: [i64; 2],
) -> Option<Row> {
    if id.is_empty() {
        return None;
    }
    let status = json!({"state": state, "message": message, "reason": reason});
    let values = [
        text(id.as_str()),
        text(container.name.as_str()),
        text(&*held.object.uid),
        text(state.as_str()),
        text(status.to_string()),
        Value::Time(started_ns),
        Value::Time(stopped_ns),
    ];
    Some(Row { table: &identity::K8S_CONTAINERS, values: values.into() })
}
