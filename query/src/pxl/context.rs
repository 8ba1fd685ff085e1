//! `df.ctx[…]`: which function tells a property, and of which column.

use watershed_model::Semantic;

use super::frame::Frame;

/// A property: its name, other names of it, and what it can be told from, best first.
struct Property {
    name: &'static str,
    aliases: &'static [&'static str],
    sources: &'static [&'static str],
}

const fn property(name: &'static str, aliases: &'static [&'static str], sources: &'static [&'static str]) -> Property {
    Property { name, aliases, sources }
}

const PROPERTIES: [Property; 16] = [
    property("container_id", &[], &["upid"]),
    property("container_name", &["container"], &["upid"]),
    property("pod_id", &[], &["upid", "pod_name"]),
    property("pod_name", &["pod"], &["upid", "pod_id"]),
    property("service_id", &[], &["upid", "service_name", "pod_id", "pod_name"]),
    property("service_name", &["service"], &["upid", "service_id", "pod_id", "pod_name"]),
    property(
        "deployment_id",
        &[],
        &["upid", "deployment_name", "pod_id", "pod_name", "replicaset_id", "replicaset_name"],
    ),
    property(
        "deployment_name",
        &["deployment"],
        &["upid", "deployment_id", "pod_id", "pod_name", "replicaset_id", "replicaset_name"],
    ),
    property("replicaset_id", &["replica_set_id"], &["upid", "pod_id", "pod_name", "replicaset_name"]),
    property("replicaset_name", &["replica_set", "replicaset"], &["upid", "pod_id", "pod_name", "replicaset_id"]),
    property("namespace", &[], &["upid", "pod_id", "pod_name", "service_name"]),
    property("node_name", &["node"], &["upid", "pod_id"]),
    property("hostname", &["host"], &["upid"]),
    property("cmdline", &["cmd"], &["upid"]),
    property("asid", &[], &["upid"]),
    property("pid", &[], &["upid"]),
];

/// How a property is told.
pub(super) enum Told {
    /// The column has it.
    Column(String),
    /// A function of columns.
    Function(String, Vec<String>),
}

/// The property of that name.
pub(super) fn key_named(name: &str) -> Option<&'static str> {
    find(name).map(|property| property.name)
}

/// The property that a table's column is.
pub(super) fn key_of_column(name: &str, semantic: Semantic) -> Option<&'static str> {
    match semantic {
        Semantic::Upid => Some("upid"),
        Semantic::PodName => Some("pod_name"),
        Semantic::ServiceName => Some("service_name"),
        Semantic::NodeName => Some("node_name"),
        Semantic::NamespaceName => Some("namespace"),
        _ => find(name).map(|property| property.name).filter(|key| key.ends_with("_id")),
    }
}

fn find(name: &str) -> Option<&'static Property> {
    PROPERTIES.iter().find(|property| property.name == name || property.aliases.contains(&name))
}

/// How `df.ctx[name]` is told.
///
/// # Errors
/// Names the valid keys, or the columns that one of would be needed.
pub(super) fn told(frame: &Frame, name: &str) -> Result<Told, String> {
    let Some(property) = find(name) else {
        let names: Vec<&str> =
            PROPERTIES.iter().flat_map(|property| property.aliases.iter().copied().chain([property.name])).collect();
        let near = super::fault::nearest(name, names.iter().copied());
        return Err(format!("ctx has no key `{name}`{near}; the keys are {}", names.join(", ")));
    };
    let annotated = |key: &str| frame.columns().iter().find(|field| field.key == Some(key)).map(|f| f.name.clone());
    let named = |key: &str| frame.field(key).map(|field| field.name.clone());
    let sources = || property.sources.iter();
    let found = sources()
        .find_map(|source| Some((*source, named(source)?)))
        .or_else(|| sources().find_map(|source| Some((*source, annotated(source)?))));
    let Some((source, column)) = found else {
        let own = annotated(property.name).or_else(|| named(property.name));
        return own.map(Told::Column).ok_or_else(|| {
            format!("ctx['{name}'] is told from one of the columns {}; keep one", property.sources.join(", "))
        });
    };
    let has_address = frame.field("local_addr").is_some() && frame.field("time_").is_some();
    if property.name == "pod_name" && source == "upid" && has_address {
        let columns = vec![column, "local_addr".into(), "time_".into()];
        return Ok(Told::Function("_upid_to_podname_local_addr_fallback".into(), columns));
    }
    Ok(Told::Function(format!("{source}_to_{}", property.name), vec![column]))
}
