//! Equi-joins. A side that is made of state tables is arranged once for all joins of all views that use it.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use differential_dataflow::VecCollection;
use watershed_operators::{
    KeyArranged, KeyTrace, Row, RowArranged, RowTrace, Rows, arrange_rows, keys_of, matching, pairs,
};
use watershed_query::view::sharing::{can_share, side_identity};
use watershed_query::view::{Join, Map, Node};

use super::{CHECKED, Renderer, codec_of};
use crate::codec::Codec;
use crate::shared::Import;

/// One input of a join, by the key that it is joined by.
#[derive(Clone)]
pub(super) struct Side<'scope> {
    by_key: RowArranged<'scope>,
    keys: Rc<OnceCell<KeyArranged<'scope, Vec<i64>>>>,
    origin: Origin<'scope>,
}

/// Where a side comes from.
#[derive(Clone)]
enum Origin<'scope> {
    /// Made in this dataflow: its rows, and those of them that have a key.
    Here { rows: Rows<'scope>, keyed: VecCollection<'scope, u64, (Row, Row), i64>, label: String },
    /// Imported from where it is kept for all views.
    Shared(Import<'scope>),
}

impl<'scope> Side<'scope> {
    /// The keys that occur.
    pub(super) fn keys(&self) -> KeyArranged<'scope, Vec<i64>> {
        let made = || match &self.origin {
            Origin::Here { keyed, label, .. } => keys_of(keyed.clone(), &format!("{label}: keys")),
            Origin::Shared(import) => import.keys(),
        };
        self.keys.get_or_init(made).clone()
    }

    /// All its rows, also those without a key.
    fn rows(&self) -> Rows<'scope> {
        match &self.origin {
            Origin::Here { rows, .. } => rows.clone(),
            Origin::Shared(_) => unreachable!("a side whose rows are kept without a partner is not shared"),
        }
    }

    pub(super) fn traces(&self) -> (RowTrace, KeyTrace<Vec<i64>>) {
        (self.by_key.trace.clone(), self.keys().trace)
    }

    /// Its rows whose key the other side has.
    fn matching(&self, other: &Side<'scope>) -> Rows<'scope> {
        matching(self.by_key.clone(), other.keys())
    }
}

impl<'scope> Renderer<'_, 'scope> {
    pub(super) fn join(&mut self, left: &Node, right: &Node, join: &Join) -> Rows<'scope> {
        use JoinType::{Full, Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
        let left_nulls = Codec::of(&left.schema).expect(CHECKED).nulls();
        let right_nulls = Codec::of(&right.schema).expect(CHECKED).nulls();
        let left_side = self.side(left, &join.left_keys, can_share(join.kind, true));
        let right_side = self.side(right, &join.right_keys, can_share(join.kind, false));
        let pairs = pairs(left_side.by_key.clone(), right_side.by_key.clone());
        let (pairs, conditional) = match &join.filter {
            None => (pairs, None),
            Some(condition) => {
                let both = both(left, right);
                let pairs = self.mapped(pairs, &both, Some(condition), 0..both.fields().len(), &both);
                (pairs, Some(both))
            }
        };
        let left_matching = matches!(join.kind, Left | Full | LeftSemi | LeftAnti).then(|| match &conditional {
            None => left_side.matching(&right_side),
            Some(both) => self.parts(&pairs, both, 0, left, &left_side.rows()),
        });
        let right_matching = matches!(join.kind, Right | Full | RightSemi | RightAnti).then(|| match &conditional {
            None => right_side.matching(&left_side),
            Some(both) => self.parts(&pairs, both, left.schema.fields().len(), right, &right_side.rows()),
        });
        let only = |rows: &Rows<'scope>, matching: Option<Rows<'scope>>| match matching {
            Some(matching) => rows.clone().concat(matching.negate()),
            None => rows.clone(),
        };
        let padded_left = |matching| {
            only(&left_side.rows(), matching).map(move |mut row: Row| {
                row.extend_from_slice(&right_nulls);
                row
            })
        };
        let padded_right = |matching| {
            only(&right_side.rows(), matching).map(move |row| [left_nulls.as_slice(), row.as_slice()].concat())
        };
        match join.kind {
            Inner => pairs,
            Left => pairs.concat(padded_left(left_matching)),
            Right => pairs.concat(padded_right(right_matching)),
            Full => pairs.concat(padded_left(left_matching)).concat(padded_right(right_matching)),
            LeftSemi => left_matching.unwrap_or_else(|| left_side.rows()),
            RightSemi => right_matching.unwrap_or_else(|| right_side.rows()),
            LeftAnti | LeftMark => only(&left_side.rows(), left_matching),
            RightAnti | RightMark => only(&right_side.rows(), right_matching),
        }
    }

    /// Those of a side's rows that are in a pair; the side's columns begin at `first` among those of the pairs.
    fn parts(
        &mut self,
        pairs: &Rows<'scope>,
        both: &SchemaRef,
        first: usize,
        side: &Node,
        rows: &Rows<'scope>,
    ) -> Rows<'scope> {
        let columns = first..first + side.schema.fields().len();
        let paired = self.mapped(pairs.clone(), both, None, columns, &side.schema);
        let label = self.label("paired");
        let by_row = arrange_rows(rows.clone().map(|row| (row.clone(), row)), &label);
        matching(by_row, keys_of(paired.map(|row| (row, Row::new())), &format!("{label}: keys")))
    }

    /// Some columns of the rows for which a condition is true.
    fn mapped(
        &mut self,
        rows: Rows<'scope>,
        schema: &SchemaRef,
        condition: Option<&Arc<dyn PhysicalExpr>>,
        columns: std::ops::Range<usize>,
        made: &SchemaRef,
    ) -> Rows<'scope> {
        let column = |at: usize| Arc::new(Column::new(schema.field(at).name(), at)) as Arc<dyn PhysicalExpr>;
        let map = Map { filter: condition.cloned(), project: columns.map(column).collect() };
        let chain = self.chain(vec![(map, Arc::clone(made))], Vec::new());
        self.map(rows, schema, chain, Codec::of(made).expect(CHECKED))
    }

    fn side(&mut self, node: &Node, keys: &[Arc<dyn PhysicalExpr>], can_share: bool) -> Side<'scope> {
        let Some(identity) = side_identity(node, keys) else { return self.own_side(node, keys) };
        if let Some(import) = can_share.then(|| self.shared.import(self.scope, &self.ends.buttons, &identity)).flatten()
        {
            let by_key = import.rows();
            return Side { by_key, keys: Rc::default(), origin: Origin::Shared(import) };
        }
        if let Some(made) = self.sides.get(&identity) {
            return made.clone();
        }
        let side = self.own_side(node, keys);
        self.sides.insert(identity, side.clone());
        side
    }

    pub(super) fn own_side(&mut self, node: &Node, keys: &[Arc<dyn PhysicalExpr>]) -> Side<'scope> {
        let rows = self.rows(node);
        let keyed = self.keyed(rows.clone(), node, keys);
        let label = self.label("join");
        let by_key = arrange_rows(keyed.clone(), &label);
        Side { by_key, keys: Rc::default(), origin: Origin::Here { rows, keyed, label } }
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

/// The columns of both sides, left ones first.
fn both(left: &Node, right: &Node) -> SchemaRef {
    let fields = left.schema.fields().iter().chain(right.schema.fields()).cloned();
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
