//! The life of pods: rows of `pod_events` from two states of a pod that follow each other.

use watershed_model::tables::POD_EVENTS;

use crate::facts::{Row, Value};
use crate::object::{Body, Container, Object, Pod};

/// What happened to a pod between two states; none when the object is no pod. What has no time of its own happened at
/// `now_ns`.
#[must_use]
pub fn between(before: Option<&Object>, after: &Object, now_ns: i64) -> Vec<Row> {
    let Body::Pod(pod) = &after.body else { return Vec::new() };
    let unborn = Pod::default();
    let before_pod = match before.map(|object| &object.body) {
        Some(Body::Pod(before)) => before,
        _ => &unborn,
    };
    let of_pod = |time_ns, event| row(after, pod, time_ns, ["", event, &pod.reason, &pod.message]);
    let mut rows = Vec::new();
    if before.is_none() {
        rows.push(of_pod(after.created_ns, "created"));
    }
    if before_pod.node.is_empty() && !pod.node.is_empty() {
        rows.push(of_pod(now_ns, "scheduled"));
    }
    for container in &pod.containers {
        let earlier = before_pod.containers.iter().find(|earlier| earlier.name == container.name);
        // Of a container that was not started again yet, the present run is the one that ended.
        let ended = container.state == "Terminated";
        let reason = if ended { &container.reason } else { &container.last_reason };
        rows.extend(
            of_container(earlier, container)
                .map(|event| row(after, pod, now_ns, [&container.name, event, reason, &container.message])),
        );
    }
    match (before_pod.ready, pod.ready) {
        (false, true) => rows.push(of_pod(now_ns, "ready")),
        (true, false) => rows.push(of_pod(now_ns, "not_ready")),
        _ => {}
    }
    if before_pod.phase != pod.phase {
        let ended_ns = if pod.ended_ns == 0 { now_ns } else { pod.ended_ns.min(now_ns) };
        match pod.phase.as_str() {
            "Succeeded" => rows.push(of_pod(ended_ns, "completed")),
            "Failed" => rows.push(of_pod(ended_ns, "failed")),
            _ => {}
        }
    }
    rows
}

/// The end of a pod; none when the object is no pod.
#[must_use]
pub fn deleted(object: &Object, at_ns: i64) -> Option<Row> {
    let Body::Pod(pod) = &object.body else { return None };
    Some(row(object, pod, at_ns, ["", "deleted", &pod.reason, &pod.message]))
}

/// An OOM kill shows as the reason of the last run's end, or of this one's where it is not started again.
fn of_container(before: Option<&Container>, after: &Container) -> impl Iterator<Item = &'static str> {
    let restarted = after.restarts > before.map_or(0, |before| before.restarts);
    let killed = |container: &Container| container.state == "Terminated" && container.reason == "OOMKilled";
    let told = before.is_some_and(killed);
    let oom = (killed(after) && !told) || (restarted && after.last_reason == "OOMKilled" && !told);
    [oom.then_some("oom_killed"), restarted.then_some("restarted")].into_iter().flatten()
}

fn row(object: &Object, pod: &Pod, time_ns: i64, [container, event, reason, message]: [&str; 4]) -> Row {
    let name = object.full_name();
    let texts = [&*object.uid, name.as_str(), &object.namespace, &pod.node, container, event, reason, message];
    let values = std::iter::once(Value::Time(time_ns)).chain(texts.map(|text| Value::Text(text.into())));
    Row { table: &POD_EVENTS, values: values.collect() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pod(change: impl FnOnce(&mut Pod)) -> Object {
        let mut pod =
            Pod { containers: vec![Container { name: "c".into(), ..Container::default() }], ..Pod::default() };
        change(&mut pod);
        let body = Body::Pod(Box::new(pod));
        let (uid, namespace, name) = ("p".into(), "shop".into(), "p".into());
        Object { uid, namespace, name, version: 1, created_ns: 1, owners: vec![], body }
    }

    fn events(before: Option<&Object>, after: &Object) -> Vec<String> {
        texts("event", before, after)
    }

    fn texts(column: &str, before: Option<&Object>, after: &Object) -> Vec<String> {
        let position = POD_EVENTS.column(column).unwrap();
        let text = |row: Row| match &row.values[position] {
            Value::Text(text) => text.to_string(),
            other => panic!("{other:?}"),
        };
        between(before, after, 9).into_iter().map(text).collect()
    }

    #[test]
    fn a_pod_is_created_scheduled_ready_and_completed_once() {
        let born = pod(|_| {});
        let ready = pod(|pod| (pod.node, pod.ready) = ("n".into(), true));
        let done = pod(|pod| (pod.node, pod.phase) = ("n".into(), "Succeeded".into()));
        assert_eq!(events(None, &born), ["created"]);
        assert_eq!(events(Some(&born), &ready), ["scheduled", "ready"]);
        assert_eq!(events(Some(&ready), &done), ["not_ready", "completed"]);
        assert!(events(Some(&done), &done).is_empty());
    }

    #[test]
    fn an_oom_kill_is_told_once_whether_or_not_its_end_was_seen() {
        let runs = pod(|_| {});
        let killed =
            pod(|pod| (pod.containers[0].state, pod.containers[0].reason) = ("Terminated".into(), "OOMKilled".into()));
        let again = pod(|pod| (pod.containers[0].restarts, pod.containers[0].last_reason) = (1, "OOMKilled".into()));
        assert_eq!(events(Some(&runs), &killed), ["oom_killed"]);
        assert_eq!(events(Some(&killed), &again), ["restarted"]);
        assert_eq!(events(Some(&runs), &again), ["oom_killed", "restarted"]);
        assert_eq!(texts("reason", Some(&runs), &killed), ["OOMKilled"]);
        assert_eq!(texts("reason", Some(&killed), &again), ["OOMKilled"]);
    }
}
