//! Rows that were told, kept as bytes until they are told again: the row of a pod has some twenty values, most of them
//! texts of a few letters, of which each would be an allocation.

use watershed_model::Table;
use watershed_model::tables::{
    K8S_ADDRESSES, K8S_CONTAINERS, K8S_DEPLOYMENTS, K8S_NAMESPACES, K8S_NODES, K8S_PODS, K8S_REPLICASETS, K8S_SERVICES,
};

use super::{Change, Row, Value};

/// The tables that have rows here.
static TABLES: [&Table; 8] = [
    &K8S_ADDRESSES,
    &K8S_CONTAINERS,
    &K8S_DEPLOYMENTS,
    &K8S_NAMESPACES,
    &K8S_NODES,
    &K8S_PODS,
    &K8S_REPLICASETS,
    &K8S_SERVICES,
];
const WRITTEN: &str = "what is read was written here";

/// Rows of these tables.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Packed(Box<[u8]>);

impl Packed {
    fn of(rows: &[Row]) -> Self {
        let mut bytes = Vec::new();
        for row in rows {
            let table = TABLES.iter().position(|table| table.name == row.table.name);
            bytes.push(table.expect("facts are rows of these tables") as u8);
            row.values.iter().for_each(|value| write(&mut bytes, value));
        }
        Packed(bytes.into())
    }

    fn rows(&self) -> Vec<Row> {
        let (mut rest, mut rows) = (&*self.0, Vec::new());
        while let Some((table, values)) = rest.split_first() {
            rest = values;
            let table = TABLES[usize::from(*table)];
            rows.push(Row { table, values: table.columns.iter().map(|_| read(&mut rest)).collect() });
        }
        rows
    }

    /// Becomes these rows; what that changes.
    pub(super) fn replace(&mut self, rows: &[Row], changes: &mut Vec<Change>) {
        let after = Packed::of(rows);
        if *self != after {
            let before = std::mem::replace(self, after);
            Change::between(before.rows(), rows, changes);
        }
    }

    /// What it changes that there are no such rows any more.
    pub(super) fn retract(self, changes: &mut Vec<Change>) {
        changes.extend(self.rows().into_iter().map(|row| Change { row, diff: -1 }));
    }
}

fn write(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Text(text) => {
            let length = u32::try_from(text.len()).expect("the API server takes objects of a few MiB");
            bytes.push(0);
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        Value::Time(time) => {
            bytes.push(1);
            bytes.extend_from_slice(&time.to_le_bytes());
        }
        Value::Number(number) => {
            bytes.push(2);
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        Value::Flag(flag) => bytes.extend_from_slice(&[3, u8::from(*flag)]),
        Value::Address(octets) => {
            bytes.push(4);
            bytes.extend_from_slice(octets);
        }
    }
}

fn read(rest: &mut &[u8]) -> Value {
    let [kind] = take(rest);
    match kind {
        0 => {
            let length = u32::from_le_bytes(take(rest)) as usize;
            let (text, after) = rest.split_at(length);
            *rest = after;
            Value::Text(std::str::from_utf8(text).expect(WRITTEN).into())
        }
        1 => Value::Time(i64::from_le_bytes(take(rest))),
        2 => Value::Number(i64::from_le_bytes(take(rest))),
        3 => Value::Flag(take(rest) == [1]),
        _ => Value::Address(take(rest)),
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (taken, after) = rest.split_first_chunk().expect(WRITTEN);
    *rest = after;
    *taken
}
