//! Equi-joins. A side that is made of state tables is arranged once for all joins of the view that use it.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use differential_dataflow::VecCollection;
use watershed_operators::{KeyArranged, Row, RowArranged, Rows, arrange_rows, keys_of, matching, pairs};
use watershed_query::view::{Join, Map, Node};

use super::{CHECKED, Renderer, codec_of, identity};
use crate::codec::Codec;

/// One input of a join, by the key that it is joined by.
#[derive(Clone)]
pub(super) struct Side<'scope> {
    rows: Rows<'scope>,
    keyed: VecCollection<'scope, u64, (Row, Row), i64>,
    by_key: RowArranged<'scope>,
    keys: Rc<OnceCell<KeyArranged<'scope, i64>>>,
    label: String,
}

impl<'scope> Side<'scope> {
    /// The keys that occur.
    fn keys(&self) -> KeyArranged<'scope, i64> {
        self.keys.get_or_init(|| keys_of(self.keyed.clone(), &format!("{}: keys", self.label))).clone()
    }

    /// Its rows whose key the other side has.
    fn matching(&self, other: &Side<'scope>) -> Rows<'scope> {
        matching(self.by_key.clone(), other.keys())
    }

    /// Its rows whose key the other side does not have.
    fn only(&self, other: &Side<'scope>) -> Rows<'scope> {
        self.rows.clone().concat(self.matching(other).negate())
    }
}

impl<'scope> Renderer<'_, 'scope> {
    pub(super) fn join(&mut self, left: &Node, right: &Node, join: &Join, schema: &SchemaRef) -> Rows<'scope> {
        let left_nulls = Codec::of(&left.schema).expect(CHECKED).nulls();
        let right_nulls = Codec::of(&right.schema).expect(CHECKED).nulls();
        let left = self.side(left, &join.left_keys);
        let right = self.side(right, &join.right_keys);
        let inner = || pairs(left.by_key.clone(), right.by_key.clone());
        let padded_left = || {
            left.only(&right).map(move |mut row| {
                row.extend_from_slice(&right_nulls);
                row
            })
        };
        let padded_right = || right.only(&left).map(move |row| [left_nulls.as_slice(), row.as_slice()].concat());
        let rows = match join.kind {
            JoinType::Inner => inner(),
            JoinType::Left => inner().concat(padded_left()),
            JoinType::Right => inner().concat(padded_right()),
            JoinType::Full => inner().concat(padded_left()).concat(padded_right()),
            JoinType::LeftSemi => left.matching(&right),
            JoinType::RightSemi => right.matching(&left),
            JoinType::LeftAnti => left.only(&right),
            JoinType::RightAnti | JoinType::LeftMark | JoinType::RightMark => right.only(&left),
        };
        let Some(condition) = &join.filter else { return rows };
        let identity = schema.fields().iter().enumerate();
        let identity = identity.map(|(at, field)| Arc::new(Column::new(field.name(), at)) as Arc<dyn PhysicalExpr>);
        let map = Map { filter: Some(Arc::clone(condition)), project: identity.collect() };
        let chain = self.chain(vec![(map, Arc::clone(schema))], Vec::new());
        self.map(rows, schema, chain, Codec::of(schema).expect(CHECKED))
    }

    fn side(&mut self, node: &Node, keys: &[Arc<dyn PhysicalExpr>]) -> Side<'scope> {
        let identity = identity::of(node).map(|node| node + &identity::of_expressions(keys));
        if let Some(made) = identity.as_ref().and_then(|identity| self.sides.get(identity)) {
            return made.clone();
        }
        let rows = self.rows(node);
        let keyed = self.keyed(rows.clone(), node, keys);
        let label = self.label("join");
        let by_key = arrange_rows(keyed.clone(), &label);
        let side = Side { rows, keyed, by_key, keys: Rc::default(), label };
        if let Some(identity) = identity {
            self.sides.insert(identity, side.clone());
        }
        side
    }

    /// Rows with their keys; rows with a NULL in the key are left out, since they match nothing.
    fn keyed(
        &mut self,
        rows: Rows<'scope>,
        node: &Node,
        keys: &[Arc<dyn PhysicalExpr>],
    ) -> VecCollection<'scope, u64, (Row, Row), i64> {
        let codec = codec_of(keys, &node.schema).expect(CHECKED);
        let chain = self.chain(Vec::new(), keys.to_vec());
        let label = self.label("key");
        self.vectorised(rows, &node.schema, &label, chain, move |columns, updates, origins, give| {
            let encoded = codec.encode(columns)?;
            for (at, origin) in origins.iter().enumerate() {
                if columns.iter().all(|column| column.is_valid(at)) {
                    let (row, time, diff) = &updates[*origin as usize];
                    give(((encoded.row(at).to_vec(), row.clone()), *time, *diff));
                }
            }
            Ok(())
        })
    }
}
