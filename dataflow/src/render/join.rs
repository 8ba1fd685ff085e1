//! Equi-joins. A side that is made of state tables is arranged once for all joins of all views that use it.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use differential_dataflow::VecCollection;
use watershed_operators::{
    Elsewhere, Emit, KeyArranged, KeyedRows, KeyedUpdates, Row, RowArranged, RowTrace, Rows, Updates, Wanted,
    arrange_rows, keys_of, leaf, lookup, lookup_elsewhere, matching, pairs,
};
use watershed_query::view::sharing::{can_share, looked_up, side_identity};
use watershed_query::view::{Join, Map, Node, Operator, both, column};

use super::{CHECKED, Feeds, Renderer, below_maps, codec_of};
use crate::codec::{Codec, Encoded};
use crate::scan::Item;
use crate::vector::Chain;

/// Maps in order, with what each makes.
type Steps = Vec<(Map, SchemaRef)>;
type Update = (Row, u64, i64);
type KeyedUpdate = ((Row, Row), u64, i64);
type Give<'a> = &'a mut dyn FnMut(KeyedUpdate);
type Keyed = Result<(), ArrowError>;

/// One input of a join, by the key that it is joined by.
#[derive(Clone)]
pub(super) struct Side<'scope> {
    by_key: RowArranged<'scope>,
    /// What it was made of, unless it is imported from where it is kept for all views.
    origin: Option<Origin<'scope>>,
    keys: Rc<OnceCell<KeyArranged<'scope>>>,
}

/// A side's rows, and those of them that have a key.
#[derive(Clone)]
struct Origin<'scope> {
    rows: Rows<'scope>,
    keyed: KeyedRows<'scope>,
    label: String,
}

/// Why a side's rows are at hand.
const MADE_HERE: &str = "a side of which more is wanted than partners is not shared";

impl<'scope> Side<'scope> {
    /// The keys that occur.
    fn keys(&self) -> KeyArranged<'scope> {
        let made = || {
            let Origin { keyed, label, .. } = self.origin.as_ref().expect(MADE_HERE);
            keys_of(keyed.clone(), &format!("{label}: keys"))
        };
        self.keys.get_or_init(made).clone()
    }

    /// All its rows, also those without a key.
    fn rows(&self) -> Rows<'scope> {
        self.origin.as_ref().expect(MADE_HERE).rows.clone()
    }

    pub(super) fn trace(self) -> RowTrace {
        self.by_key.trace
    }

    /// Its rows whose key the other side has.
    fn matching(&self, other: &Side<'scope>) -> Rows<'scope> {
        matching(self.by_key.clone(), other.keys())
    }
}

/// A join as a look-up of rows in a table.
#[derive(Clone)]
struct LookUp<'p> {
    rows: &'p Node,
    keys: &'p [Arc<dyn PhysicalExpr>],
    table: &'p Node,
    table_keys: &'p [Arc<dyn PhysicalExpr>],
    wanted: Wanted,
    /// Whether the table's columns stand left.
    is_table_first: bool,
}

impl<'p> LookUp<'p> {
    fn of(left: &'p Node, right: &'p Node, join: &'p Join) -> Option<Self> {
        let wanted = match join.kind {
            JoinType::Inner | JoinType::Full => Wanted::Pairs,
            JoinType::Left | JoinType::Right => Wanted::PairsAndAlone,
            JoinType::LeftSemi | JoinType::RightSemi => Wanted::Matched,
            JoinType::LeftAnti | JoinType::RightAnti | JoinType::LeftMark | JoinType::RightMark => Wanted::Alone,
        };
        let is_table_first = looked_up(left, right, join)?;
        let sides = [(left, join.left_keys.as_slice()), (right, join.right_keys.as_slice())];
        let [(table, table_keys), (rows, keys)] = if is_table_first { sides } else { [sides[1], sides[0]] };
        Some(LookUp { rows, keys, table, table_keys, wanted, is_table_first })
    }

    /// Whether rows without a key are of use.
    fn keeps_alone(&self) -> bool {
        self.wanted != Wanted::Pairs && self.wanted != Wanted::Matched
    }

    /// What makes a row of a row and its partner, or of a row by itself.
    fn made(&self) -> impl Fn(&[u8], Option<&[u8]>) -> Row + use<> {
        let is_table_first = self.is_table_first;
        let alone = match self.wanted {
            Wanted::Pairs | Wanted::PairsAndAlone => Codec::of(&self.table.schema).expect(CHECKED).nulls(),
            Wanted::Matched | Wanted::Alone => Vec::new(),
        };
        move |row, partner| {
            let partner = partner.unwrap_or(&alone);
            if is_table_first { [partner, row].concat() } else { [row, partner].concat() }
        }
    }
}

impl<'scope> Renderer<'_, 'scope> {
    pub(super) fn join(&mut self, left: &Node, right: &Node, join: &Join) -> Rows<'scope> {
        match LookUp::of(left, right, join) {
            Some(look_up) => self.looked_up(&look_up),
            None => self.general_join(left, right, join),
        }
    }

    /// Rows of one side, looked up in the other one. Where there is one worker, look-ups above each other are one operator.
    fn looked_up(&mut self, look_up: &LookUp<'_>) -> Rows<'scope> {
        let LookUp { rows, keys, table, table_keys, .. } = look_up;
        let Some(found) = self.elsewhere(look_up) else {
            let keyed = self.rows_to_look_up(rows, keys, look_up.keeps_alone());
            let table = self.side(table, table_keys, true);
            let label = self.label("lookup");
            return lookup(keyed, table.by_key, &label, look_up.wanted, look_up.made());
        };
        let (mut lowest, mut first, mut further) = (look_up.clone(), found, Vec::new());
        while self.scope.peers() == 1
            && let Some((below, made, steps, found)) = self.look_up_below(&lowest)
        {
            let keyed = self.keyer(&lowest, made, steps);
            further.push((keyed, std::mem::replace(&mut first, found)));
            lowest = below;
        }
        further.reverse();
        let keyed = self.rows_to_look_up(lowest.rows, lowest.keys, lowest.keeps_alone());
        let (moves, label) = (self.moves(), self.label("lookup"));
        lookup_elsewhere(keyed, moves, &label, first, further)
    }

    /// The look-up whose rows are looked up, the schema of what it makes, the maps between, and its table.
    fn look_up_below<'p>(&self, look_up: &LookUp<'p>) -> Option<(LookUp<'p>, &'p SchemaRef, Steps, Elsewhere)> {
        let (input, steps) = below_maps(look_up.rows);
        let Operator::Join { left, right, join } = &input.operator else { return None };
        // What is made of state tables alone is made once, for all who use it.
        let below = LookUp::of(left, right, join).filter(|below| below.rows.reads_events())?;
        let found = self.elsewhere(&below)?;
        Some((below, &input.schema, steps, found))
    }

    /// The table of a look-up, if a dataflow of its own keeps it.
    fn elsewhere(&self, look_up: &LookUp<'_>) -> Option<Elsewhere> {
        let identity = side_identity(look_up.table, look_up.table_keys)?;
        let table = self.shared.trace(&identity)?;
        Some(Elsewhere { table, wanted: look_up.wanted, made: Box::new(look_up.made()) })
    }

    /// When what is looked up elsewhere is another.
    fn moves(&mut self) -> VecCollection<'scope, u64, (), i64> {
        if let Some(moves) = &self.moves {
            return moves.clone();
        }
        let name = self.label("moves");
        let (leaf, moves) = leaf(self.scope, &name, |_tick, item: Option<Item>, emit: Emit<'_, (), i64>| {
            if let Some(Item::Moved) = item {
                emit((), 1);
            }
        });
        self.ends.leaves.push((Feeds::Moves, leaf));
        self.moves = Some(moves.clone());
        moves
    }

    /// Rows with their keys, made together with what the maps above them make.
    fn rows_to_look_up(&mut self, node: &Node, keys: &[Arc<dyn PhysicalExpr>], keeps_nulls: bool) -> KeyedRows<'scope> {
        let (input, steps) = below_maps(node);
        let rows = self.rows(input);
        if steps.is_empty() {
            return self.keyed(rows, node, keys, keeps_nulls);
        }
        let chain = self.keying(node, keys, steps);
        let label = self.label("key");
        self.vectorised(rows, &input.schema, &label, chain, key_rows(node, keys, keeps_nulls))
    }

    /// Makes keyed rows to be looked up of rows of a schema.
    fn keyer(&self, look_up: &LookUp<'_>, input: &SchemaRef, steps: Steps) -> Box<dyn FnMut(Updates) -> KeyedUpdates> {
        let mut logic = key_rows(look_up.rows, look_up.keys, look_up.keeps_alone());
        let vectors = self.vectors(input, self.keying(look_up.rows, look_up.keys, steps));
        Box::new(move |updates| {
            let mut keyed = KeyedUpdates::with_capacity(updates.len());
            if !updates.is_empty() {
                vectors.run(&updates, &mut logic, &mut |update| keyed.push(update));
            }
            keyed
        })
    }

    /// What makes the columns of a node and of keys, of those below its maps.
    fn keying(&self, node: &Node, keys: &[Arc<dyn PhysicalExpr>], steps: Steps) -> Chain {
        let columns = (0..node.schema.fields().len()).map(|at| column(&node.schema, at));
        self.chain(steps, columns.chain(keys.iter().cloned()).collect())
    }

    fn general_join(&mut self, left: &Node, right: &Node, join: &Join) -> Rows<'scope> {
        use JoinType::{Full, Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
        let left_nulls = Codec::of(&left.schema).expect(CHECKED).nulls();
        let right_nulls = Codec::of(&right.schema).expect(CHECKED).nulls();
        let left_side = self.side(left, &join.left_keys, can_share(join.kind, true));
        let right_side = self.side(right, &join.right_keys, can_share(join.kind, false));
        let pairs = pairs(left_side.by_key.clone(), right_side.by_key.clone());
        let (pairs, conditional) = match &join.filter {
            None => (pairs, None),
            Some(condition) => {
                let both = both(&left.schema, &right.schema);
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
        let map = Map { filter: condition.cloned(), project: columns.map(|at| column(schema, at)).collect() };
        let chain = self.chain(vec![(map, Arc::clone(made))], Vec::new());
        self.map(rows, schema, chain, Codec::of(made).expect(CHECKED))
    }

    fn side(&mut self, node: &Node, keys: &[Arc<dyn PhysicalExpr>], can_share: bool) -> Side<'scope> {
        let Some(identity) = side_identity(node, keys) else { return self.own_side(node, keys) };
        if let Some(made) = self.sides.get(&identity).filter(|made| can_share || made.origin.is_some()) {
            return made.clone();
        }
        let imported = can_share.then(|| self.shared.import(self.scope, &self.ends.buttons, &identity)).flatten();
        let side = match imported {
            Some(by_key) => Side { by_key, origin: None, keys: Rc::default() },
            None => self.own_side(node, keys),
        };
        self.sides.insert(identity, side.clone());
        side
    }

    pub(super) fn own_side(&mut self, node: &Node, keys: &[Arc<dyn PhysicalExpr>]) -> Side<'scope> {
        let rows = self.rows(node);
        let keyed = self.keyed(rows.clone(), node, keys, false);
        let label = self.label("join");
        let by_key = arrange_rows(keyed.clone(), &label);
        Side { by_key, origin: Some(Origin { rows, keyed, label }), keys: Rc::default() }
    }

    /// Rows with their keys.
    fn keyed(
        &mut self,
        rows: Rows<'scope>,
        node: &Node,
        keys: &[Arc<dyn PhysicalExpr>],
        keeps_nulls: bool,
    ) -> KeyedRows<'scope> {
        let codec = codec_of(keys, &node.schema).expect(CHECKED);
        let chain = self.chain(Vec::new(), keys.to_vec());
        let label = self.label("key");
        self.vectorised(rows, &node.schema, &label, chain, move |columns, updates, origins, give| {
            let encoded = codec.encode(columns)?;
            for (at, origin) in origins.iter().enumerate() {
                let (row, time, diff) = &updates[*origin as usize];
                if let Some(key) = key_at(&encoded, columns, at, keeps_nulls) {
                    give(((key, row.clone()), *time, *diff));
                }
            }
            Ok(())
        })
    }
}

/// Makes keyed rows of the columns of a node and of keys.
fn key_rows(
    node: &Node,
    keys: &[Arc<dyn PhysicalExpr>],
    keeps_nulls: bool,
) -> impl FnMut(&[ArrayRef], &[Update], &[u32], Give<'_>) -> Keyed + use<> {
    let (codec, key_codec) = (Codec::of(&node.schema).expect(CHECKED), codec_of(keys, &node.schema).expect(CHECKED));
    let count = node.schema.fields().len();
    move |columns, updates, origins, give| {
        let (columns, keys) = columns.split_at(count);
        let (rows, encoded) = (codec.encode(columns)?, key_codec.encode(keys)?);
        for (at, origin) in origins.iter().enumerate() {
            let (_, time, diff) = &updates[*origin as usize];
            if let Some(key) = key_at(&encoded, keys, at, keeps_nulls) {
                give(((key, rows.row(at).to_vec()), *time, *diff));
            }
        }
        Ok(())
    }
}

/// A row's key. A row with a NULL in it matches nothing: it has an empty key if it is kept.
fn key_at(encoded: &Encoded, columns: &[ArrayRef], row: usize, keeps_nulls: bool) -> Option<Row> {
    if columns.iter().all(|column| column.is_valid(row)) {
        return Some(encoded.row(row).to_vec());
    }
    keeps_nulls.then(Row::new)
}
