//! Changes of rows as the record batches that the dataflow takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use watershed_model::StateChange;
use watershed_model::tables::Table;

use crate::facts::{Change, Row, Value};

/// One change a table, in the tables' storage schemas.
///
/// # Errors
/// Where a row does not fit its table.
pub fn state_changes(changes: &[Change]) -> Result<Vec<StateChange>, ArrowError> {
    let mut by_table = BTreeMap::<&'static str, (Vec<&Row>, Vec<i64>)>::new();
    for Change { row, diff } in changes {
        let (rows, diffs) = by_table.entry(row.table.name).or_default();
        rows.push(row);
        diffs.push(*diff);
    }
    (by_table.into_iter())
        .map(|(table, (rows, diffs))| Ok(StateChange { table, rows: batch(rows[0].table, &rows)?, diffs }))
        .collect()
}

/// Rows of one table as a batch in its storage schema.
///
/// # Errors
/// Where a row does not fit the table.
pub fn batch(table: &Table, rows: &[&Row]) -> Result<RecordBatch, ArrowError> {
    let schema = table.storage_schema();
    if let Some(row) = rows.iter().find(|row| row.values.len() != schema.fields().len()) {
        return Err(misfit(table, &format!("a row has {} values", row.values.len())));
    }
    let columns: Result<Vec<_>, _> = (schema.fields().iter().enumerate())
        .map(|(position, field)| column(table, field.data_type(), rows.iter().map(|row| &row.values[position])))
        .collect();
    RecordBatch::try_new(schema, columns?)
}

fn column<'a>(
    table: &Table,
    data_type: &DataType,
    values: impl Iterator<Item = &'a Value>,
) -> Result<ArrayRef, ArrowError> {
    let wrong = |value: &Value| misfit(table, &format!("{value:?} is no {data_type}"));
    Ok(match data_type {
        DataType::Utf8 => Arc::new(StringArray::from_iter_values(
            values
                .map(|v| if let Value::Text(t) = v { Ok(t) } else { Err(wrong(v)) })
                .collect::<Result<Vec<_>, _>>()?,
        )),
        DataType::Boolean => Arc::new(BooleanArray::from(
            values
                .map(|v| if let Value::Flag(f) = v { Ok(*f) } else { Err(wrong(v)) })
                .collect::<Result<Vec<_>, _>>()?,
        )),
        DataType::Int64 => Arc::new(Int64Array::from(
            values
                .map(|v| if let Value::Number(n) = v { Ok(*n) } else { Err(wrong(v)) })
                .collect::<Result<Vec<_>, _>>()?,
        )),
        DataType::Timestamp(_, zone) => {
            let times = values.map(|v| if let Value::Time(t) = v { Ok(*t) } else { Err(wrong(v)) });
            let times = TimestampNanosecondArray::from(times.collect::<Result<Vec<_>, _>>()?);
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        DataType::FixedSizeBinary(16) => {
            let octets = values.map(|v| if let Value::Address(a) = v { Ok(a) } else { Err(wrong(v)) });
            Arc::new(FixedSizeBinaryArray::try_from_iter(octets.collect::<Result<Vec<_>, _>>()?.into_iter())?)
        }
        other => return Err(misfit(table, &format!("{other} is not known"))),
    })
}

fn misfit(table: &Table, what: &str) -> ArrowError {
    ArrowError::SchemaError(format!("{}: {what}", table.name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::facts::{Facts, News};
    use crate::object::{Body, Container, Object, Pod, Service};

    #[test]
    fn rows_of_every_table_fit_its_storage_schema() {
        let container = Container { id: "c".into(), ..Container::default() };
        let pod = Pod { ips: vec!["10.0.0.1".into()], containers: vec![container], ..Pod::default() };
        let bodies = [
            Body::Pod(Box::new(pod)),
            Body::Service(Service { cluster_ips: vec!["fd00::1".into()], ..Service::default() }),
            Body::Node { ips: vec!["10.9.0.1".into()], pod_cidrs: vec![] },
            Body::Namespace,
            Body::ReplicaSet("{}".into()),
            Body::Deployment("{}".into()),
        ];
        let mut facts = Facts::new(1);
        for (position, body) in bodies.into_iter().enumerate() {
            let namespace = if matches!(body, Body::Node { .. } | Body::Namespace) { "" } else { "shop" };
            let (uid, name, namespace) = (position.to_string().into(), position.to_string(), namespace.to_owned());
            facts.learn(News::Applied(Object {
                uid,
                namespace,
                name,
                version: 1,
                created_ns: 1,
                owners: vec![],
                body,
            }));
        }
        let changes = state_changes(&facts.changes()).unwrap();
        let sizes: Vec<_> = changes.iter().map(|change| (change.table, change.rows.num_rows())).collect();
        let one = ["containers", "deployments", "namespaces", "nodes", "pods", "replicasets", "services"];
        assert_eq!(sizes[0], ("k8s.addresses", 3));
        assert_eq!(
            sizes[1..].iter().map(|(table, rows)| (&table[4..], *rows)).collect::<Vec<_>>(),
            one.map(|t| (t, 1))
        );
    }
}
