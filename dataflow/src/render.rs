//! Renders a plan as a dataflow in a running worker. The plan was checked before, so nothing here fails.

mod clocked;
mod join;
mod named;
mod reduce;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use differential_dataflow::{AsCollection, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator as _;
use watershed_operators::{Row, RowTrace, Rows, distinct, first_rows, leaf};
use watershed_query::view::sharing::state_identity;
use watershed_query::view::{EventScan, Map, Node, Operator, StateScan, TopK, ViewPlan};

use crate::aggregate::Aggregates;
use crate::codec::{Codec, batch_of, relaxed};
use crate::error::Error;
use crate::losses::Losses;
use crate::owners::OWNERS;
use crate::scan::{EventReader, Item, RowScan};
use crate::shared::{DataflowEnds, Shared};
use crate::vector::Chain;

/// Why codecs and aggregates can be built while rendering.
const CHECKED: &str = "the plan was checked before it was rendered";

/// What a leaf is fed with.
pub(crate) enum Feeds {
    /// Each table once; with changes of addresses' owners, if they decide what is made of the rows.
    Events {
        tables: Vec<&'static str>,
        owners: bool,
    },
    State(&'static str),
    Constant(arrow::array::RecordBatch),
    /// Nothing but the ticks.
    Ticks,
    /// Ticks at which what is looked up elsewhere is another.
    Moves,
}

impl Feeds {
    /// The state table among it.
    pub(crate) fn state(&self) -> Option<&'static str> {
        match self {
            Feeds::Events { owners, .. } => owners.then_some(OWNERS),
            Feeds::State(table) => Some(table),
            Feeds::Constant(_) | Feeds::Ticks | Feeds::Moves => None,
        }
    }
}

/// Whether a plan can be rendered: all types are encodable and all aggregates known.
pub(crate) fn check(plan: &ViewPlan) -> Result<(), Error> {
    check_node(&plan.root)
}

fn check_node(node: &Node) -> Result<(), Error> {
    Codec::of(&node.schema).map_err(Error::unsupported)?;
    match &node.operator {
        Operator::Events(EventScan { table, .. }) | Operator::State(StateScan { table, .. }) => {
            if watershed_model::tables::by_name(table).is_none() {
                return Err(Error::Unsupported(format!("there is no table {table}")));
            }
        }
        Operator::Reduce { input, reduce } => {
            Aggregates::new(reduce, &input.schema)?;
            codec_of(&reduce.keys, &input.schema)?;
        }
        Operator::Join { left, right, join } => {
            codec_of(&join.left_keys, &left.schema)?;
            codec_of(&join.right_keys, &right.schema)?;
            if matches!(join.kind, JoinType::LeftMark | JoinType::RightMark) {
                return Err(Error::Unsupported("a mark join".into()));
            }
        }
        Operator::TopK { input, top } => {
            order_codec(top, &input.schema)?;
        }
        Operator::Named { input, .. } => {
            if !matches!(input.operator, Operator::Reduce { .. }) {
                return Err(Error::Unsupported("names of what is no group-by".into()));
            }
        }
        Operator::Constant(_)
        | Operator::Map { .. }
        | Operator::Clocked { .. }
        | Operator::Keys
        | Operator::Distinct(_)
        | Operator::Union(_) => {}
    }
    node.inputs().into_iter().try_for_each(check_node)
}

fn codec_of(expressions: &[Arc<dyn PhysicalExpr>], schema: &Schema) -> Result<Codec, Error> {
    Codec::new(types_of(expressions, schema)?).map_err(Error::unsupported)
}

fn types_of(expressions: &[Arc<dyn PhysicalExpr>], schema: &Schema) -> Result<Vec<DataType>, Error> {
    expressions.iter().map(|e| e.data_type(schema).map_err(Error::unsupported)).collect()
}

fn order_codec(top: &TopK, schema: &Schema) -> Result<Codec, Error> {
    let expressions: Vec<_> = top.order.iter().map(|key| Arc::clone(&key.expression)).collect();
    let options: Vec<_> =
        top.order.iter().map(|key| SortOptions { descending: key.descending, nulls_first: key.nulls_first }).collect();
    Codec::ordered(types_of(&expressions, schema)?, &options).map_err(Error::unsupported)
}

/// The node below maps, and the maps in order: they need no operator of their own. What is made of state tables has one,
/// since others may use it.
pub(crate) fn below_maps(node: &Node) -> (&Node, Vec<(Map, SchemaRef)>) {
    match &node.operator {
        Operator::Map { input, map } if node.reads_events() => {
            let (input, mut steps) = below_maps(input);
            steps.push((map.clone(), Arc::clone(&node.schema)));
            (input, steps)
        }
        _ => (node, Vec::new()),
    }
}

/// Builds the dataflow of a view.
pub(crate) struct Renderer<'a, 'scope> {
    pub(crate) scope: Scope<'scope, u64>,
    pub(crate) view: &'a str,
    pub(crate) losses: &'a Losses,
    pub(crate) ends: DataflowEnds,
    shared: &'a Shared,
    /// Only the first worker brings the single row of a reduce without keys.
    pub(crate) first_worker: bool,
    pub(crate) counts: HashMap<&'static str, usize>,
    /// What was made of state tables, by identity.
    made: HashMap<String, Rows<'scope>>,
    sides: HashMap<String, join::Side<'scope>>,
    /// The keys that names are made of.
    keys: Option<Rows<'scope>>,
    /// When what is looked up elsewhere is another.
    moves: Option<VecCollection<'scope, u64, (), i64>>,
}

impl<'a, 'scope> Renderer<'a, 'scope> {
    pub(crate) fn new(scope: Scope<'scope, u64>, view: &'a str, losses: &'a Losses, shared: &'a Shared) -> Self {
        let first_worker = scope.index() == 0;
        Renderer {
            scope,
            view,
            losses,
            ends: DataflowEnds::default(),
            shared,
            first_worker,
            counts: HashMap::new(),
            made: HashMap::new(),
            sides: HashMap::new(),
            keys: None,
            moves: None,
        }
    }

    /// A literal label that is unique in the view.
    fn label(&mut self, kind: &'static str) -> String {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        format!("{}/{kind}-{count}", self.view)
    }

    fn chain(&self, steps: Vec<(Map, SchemaRef)>, outputs: Vec<Arc<dyn PhysicalExpr>>) -> Chain {
        Chain::new(steps, outputs, self.view, self.losses)
    }

    /// What is kept of a side that views are to share.
    pub(crate) fn trace(&mut self, node: &Node, keys: &[Arc<dyn PhysicalExpr>]) -> RowTrace {
        self.own_side(node, keys).trace()
    }

    /// The rows of a node. What is made of state tables is made once, however often it is used.
    pub(crate) fn rows(&mut self, node: &Node) -> Rows<'scope> {
        let identity = state_identity(node);
        if let Some(made) = identity.as_ref().and_then(|identity| self.made.get(identity)) {
            return made.clone();
        }
        let rows = self.fresh_rows(node);
        if let Some(identity) = identity {
            self.made.insert(identity, rows.clone());
        }
        rows
    }

    fn fresh_rows(&mut self, node: &Node) -> Rows<'scope> {
        match &node.operator {
            Operator::Events(scan) => self.events(scan, &node.schema),
            Operator::State(scan) => self.table(Feeds::State(scan.table), scan.columns.clone(), &node.schema),
            Operator::Constant(batch) => self.table(Feeds::Constant(batch.clone()), Vec::new(), &node.schema),
            Operator::Map { input, map } => {
                let (input, mut steps) = below_maps(input);
                steps.push((map.clone(), Arc::clone(&node.schema)));
                let rows = self.rows(input);
                let chain = self.chain(steps, Vec::new());
                self.map(rows, &input.schema, chain, Codec::of(&node.schema).expect(CHECKED))
            }
            Operator::Clocked { input, map } => self.clocked(input, map, &node.schema),
            Operator::Reduce { input, reduce } => self.reduce(input, reduce),
            Operator::Join { left, right, join } => self.join(left, right, join),
            Operator::Named { input, names } => self.named(input, names),
            Operator::Keys => self.keys.clone().expect(CHECKED),
            Operator::Union(inputs) => {
                let mut inputs = inputs.iter();
                let Some(first) = inputs.next() else {
                    return self.table(
                        Feeds::Constant(arrow::array::RecordBatch::new_empty(Arc::clone(&node.schema))),
                        Vec::new(),
                        &node.schema,
                    );
                };
                let mut all = self.rows(first);
                for input in inputs {
                    let rows = self.rows(input);
                    all = all.concat(rows);
                }
                all
            }
            Operator::Distinct(input) => {
                let rows = self.rows(input);
                distinct(rows, &self.label("distinct"))
            }
            Operator::TopK { input, top } => self.top(input, top),
        }
    }

    fn events(&mut self, scan: &EventScan, schema: &SchemaRef) -> Rows<'scope> {
        let reader = self.reader(scan, vec![(scan.map.clone(), Arc::clone(schema))], Vec::new());
        let mut scan_rows = RowScan::new(reader, Codec::of(schema).expect(CHECKED), scan.window);
        let name = self.label("events");
        let (leaf, rows) = leaf(self.scope, &name, move |tick, item, emit| scan_rows.step(tick, item, emit));
        self.ends.leaves.push((Feeds::Events { tables: vec![scan.table], owners: false }, leaf));
        rows
    }

    fn reader(
        &self,
        scan: &EventScan,
        steps: Vec<(Map, SchemaRef)>,
        outputs: Vec<Arc<dyn PhysicalExpr>>,
    ) -> EventReader {
        EventReader {
            columns: scan.columns.clone(),
            chain: self.chain(steps, outputs),
            owner: self.view.to_owned(),
            losses: self.losses.clone(),
        }
    }

    fn table(&mut self, feeds: Feeds, columns: Vec<usize>, schema: &SchemaRef) -> Rows<'scope> {
        let codec = Codec::of(schema).expect(CHECKED);
        let (losses, owner) = (self.losses.clone(), self.view.to_owned());
        let name = self.label("table");
        let (leaf, rows) = leaf(self.scope, &name, move |_tick, item, emit: &mut dyn FnMut(Row, i64)| {
            let (batch, diffs) = match item {
                Some(Item::Changes(stored, diffs)) => (stored.columns(&columns), Some(diffs)),
                Some(Item::Constant(batch)) => (Ok(batch), None),
                Some(Item::Events(_) | Item::Moved) | None => return,
            };
            let encoded = batch.and_then(|batch| Ok((codec.encode(batch.columns())?, batch.num_rows())));
            let Ok((rows, count)) = encoded else {
                losses.add(&owner, "malformed_batch", 1, 0);
                return;
            };
            for row in 0..count {
                let diff = diffs.as_ref().map_or(1, |diffs| diffs.get(row).copied().unwrap_or(0));
                if diff != 0 {
                    emit(rows.row(row).to_vec(), diff);
                }
            }
        });
        self.ends.leaves.push((feeds, leaf));
        rows
    }

    /// Decodes rows, runs the chain, and encodes what comes out.
    fn map(&mut self, rows: Rows<'scope>, input: &SchemaRef, chain: Chain, codec: Codec) -> Rows<'scope> {
        let label = self.label("map");
        self.vectorised(rows, input, &label, chain, move |columns, updates, origins, give| {
            let encoded = codec.encode(columns)?;
            for (at, origin) in origins.iter().enumerate() {
                let (_, time, diff) = &updates[*origin as usize];
                give((encoded.row(at).to_vec(), *time, *diff));
            }
            Ok(())
        })
    }

    /// Runs containers of rows through a chain and `logic` over what comes out, with the updates that it came from.
    fn vectorised<D, R, L>(
        &mut self,
        rows: Rows<'scope>,
        input: &SchemaRef,
        label: &str,
        chain: Chain,
        mut logic: L,
    ) -> VecCollection<'scope, u64, D, R>
    where
        D: Clone + 'static,
        R: Clone + 'static,
        L: FnMut(&[ArrayRef], &[(Row, u64, i64)], &[u32], &mut dyn FnMut((D, u64, R))) -> Result<(), ArrowError>
            + 'static,
    {
        let vectors = self.vectors(input, chain);
        rows.inner
            .unary::<CapacityContainerBuilder<Vec<(D, u64, R)>>, _, _, _>(Pipeline, label, move |_, _| {
                move |input, output| {
                    input.for_each(|capability, updates| {
                        let mut session = output.session(&capability);
                        vectors.run(updates, &mut logic, &mut |update| session.give(update));
                    });
                }
            })
            .as_collection()
    }

    fn vectors(&self, input: &SchemaRef, chain: Chain) -> Vectors {
        let (schema, decoder) = (relaxed(input), Codec::of(input).expect(CHECKED));
        Vectors { schema, decoder, chain, losses: self.losses.clone(), owner: self.view.to_owned() }
    }

    fn top(&mut self, input: &Node, top: &TopK) -> Rows<'scope> {
        let codec = order_codec(top, &input.schema).expect(CHECKED);
        let order = top.order.iter().map(|key| Arc::clone(&key.expression)).collect::<Vec<_>>();
        let rows = self.rows(input);
        let chain = self.chain(Vec::new(), order);
        let label = self.label("order");
        let ordered = self.vectorised(rows, &input.schema, &label, chain, move |columns, updates, origins, give| {
            let encoded = codec.encode(columns)?;
            for (at, origin) in origins.iter().enumerate() {
                let (row, time, diff) = &updates[*origin as usize];
                let order = encoded.row(at);
                // The length stands last, where it cannot disturb the order of bytes.
                let ordered = [order, row, &(order.len() as u32).to_le_bytes()].concat();
                give((ordered, *time, *diff));
            }
            Ok(())
        });
        first_rows(ordered, &self.label("top"), top.skip, top.fetch).map(|mut ordered: Row| {
            let Some((rest, length)) = ordered.split_last_chunk::<4>() else { return ordered };
            let (end, start) = (rest.len(), u32::from_le_bytes(*length) as usize);
            ordered.truncate(end);
            ordered.drain(..start.min(end));
            ordered
        })
    }
}

/// From rows of bytes to what a chain makes of their columns.
struct Vectors {
    schema: SchemaRef,
    decoder: Codec,
    chain: Chain,
    losses: Losses,
    owner: String,
}

impl Vectors {
    /// Calls `logic` with columns that the chain makes, the updates, and which of them each row came from.
    fn run<D>(
        &self,
        updates: &[(Row, u64, i64)],
        logic: &mut impl FnMut(&[ArrayRef], &[(Row, u64, i64)], &[u32], &mut dyn FnMut(D)) -> Result<(), ArrowError>,
        give: &mut dyn FnMut(D),
    ) {
        let decoded = self
            .decoder
            .decode(updates.iter().map(|(row, _, _)| row.as_slice()))
            .and_then(|columns| batch_of(&self.schema, columns, updates.len()));
        let Ok(batch) = decoded else {
            return self.losses.add(&self.owner, "malformed_batch", updates.len() as i64, 0);
        };
        for piece in self.chain.run(&batch) {
            if logic(&piece.columns, updates, piece.origins.values(), give).is_err() {
                self.losses.add(&self.owner, "malformed_batch", piece.len() as i64, 0);
            }
        }
    }
}
