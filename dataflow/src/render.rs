//! Renders a plan as a dataflow in a running worker. The plan was checked before, so nothing here fails.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::Array;
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use differential_dataflow::{AsCollection, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator as _;
use timely::dataflow::operators::vec::Map as _;
use watershed_operators::{
    Accumulator, Leaf, Row, Rows, accumulate, arrange_rows, distinct, first_rows, keys_of, leaf, matching,
    merge_by_key, merge_values, pairs,
};
use watershed_query::view::{EventScan, Join, Map, Node, Operator, Reduce, TopK, ViewPlan};

use crate::aggregate::{Aggregates, SEED};
use crate::codec::{Codec, batch_of, relaxed};
use crate::error::Error;
use crate::group::group;
use crate::losses::Losses;
use crate::scan::{EventReader, Item, Partial, ReduceScan, RowScan};
use crate::vector::Chain;

/// Why codecs and aggregates can be built while rendering.
const CHECKED: &str = "the plan was checked before it was rendered";

/// The leaves of a rendered view and what each is fed with.
pub(crate) struct Leaves {
    pub(crate) leaves: Vec<(Feeds, Leaf<Item>)>,
}

/// What a leaf is fed with.
pub(crate) enum Feeds {
    /// Each table once.
    Events(Vec<&'static str>),
    State(&'static str),
    Constant(arrow::array::RecordBatch),
}

/// Whether a plan can be rendered: all types are encodable and all aggregates known.
pub(crate) fn check(plan: &ViewPlan) -> Result<(), Error> {
    check_node(&plan.root)
}

fn check_node(node: &Node) -> Result<(), Error> {
    Codec::of(&node.schema).map_err(Error::unsupported)?;
    match &node.operator {
        Operator::Events(scan) => match watershed_model::tables::by_name(scan.table) {
            Some(_) => Ok(()),
            None => Err(Error::Unsupported(format!("there is no table {}", scan.table))),
        },
        Operator::State(scan) => match watershed_model::tables::by_name(scan.table) {
            Some(_) => Ok(()),
            None => Err(Error::Unsupported(format!("there is no table {}", scan.table))),
        },
        Operator::Constant(_) => Ok(()),
        Operator::Map { input, .. } | Operator::Distinct(input) => check_node(input),
        Operator::Reduce { input, reduce } => {
            Aggregates::new(reduce, &input.schema)?;
            codec_of(&reduce.keys, &input.schema)?;
            check_node(input)
        }
        Operator::Join { left, right, join } => {
            codec_of(&join.left_keys, &left.schema)?;
            codec_of(&join.right_keys, &right.schema)?;
            match join.kind {
                JoinType::LeftMark | JoinType::RightMark => Err(Error::Unsupported("a mark join".into())),
                _ => check_node(left).and_then(|()| check_node(right)),
            }
        }
        Operator::Union(inputs) => inputs.iter().try_for_each(check_node),
        Operator::TopK { input, top } => {
            order_codec(top, &input.schema)?;
            check_node(input)
        }
    }
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

/// Builds the dataflow of a view.
pub(crate) struct Renderer<'a, 'scope> {
    pub(crate) scope: Scope<'scope, u64>,
    pub(crate) view: &'a str,
    pub(crate) losses: &'a Losses,
    pub(crate) leaves: Leaves,
    /// Only the first worker brings the single row of a reduce without keys.
    pub(crate) first_worker: bool,
    pub(crate) counts: HashMap<&'static str, usize>,
}

impl<'a, 'scope> Renderer<'a, 'scope> {
    pub(crate) fn new(scope: Scope<'scope, u64>, view: &'a str, losses: &'a Losses) -> Self {
        let first_worker = scope.index() == 0;
        Renderer { scope, view, losses, leaves: Leaves { leaves: Vec::new() }, first_worker, counts: HashMap::new() }
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

    /// The rows of a node.
    pub(crate) fn rows(&mut self, node: &Node) -> Rows<'scope> {
        match &node.operator {
            Operator::Events(scan) => self.events(scan, &node.schema),
            Operator::State(scan) => self.table(Feeds::State(scan.table), scan.columns.clone(), &node.schema),
            Operator::Constant(batch) => self.table(Feeds::Constant(batch.clone()), Vec::new(), &node.schema),
            Operator::Map { input, map } => {
                let rows = self.rows(input);
                let chain = self.chain(vec![(map.clone(), Arc::clone(&node.schema))], Vec::new());
                self.map(rows, &input.schema, chain, Codec::of(&node.schema).expect(CHECKED))
            }
            Operator::Reduce { input, reduce } => self.reduce(input, reduce),
            Operator::Join { left, right, join } => self.join(left, right, join, &node.schema),
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
        self.leaves.leaves.push((Feeds::Events(vec![scan.table]), leaf));
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
                Some(Item::Events(_)) | None => return,
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
        self.leaves.leaves.push((feeds, leaf));
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
        L: FnMut(
                &[arrow::array::ArrayRef],
                &[(Row, u64, i64)],
                &[u32],
                &mut dyn FnMut((D, u64, R)),
            ) -> Result<(), arrow::error::ArrowError>
            + 'static,
    {
        let (schema, decoder) = (relaxed(input), Codec::of(input).expect(CHECKED));
        let (losses, owner) = (self.losses.clone(), self.view.to_owned());
        rows.inner
            .unary::<CapacityContainerBuilder<Vec<(D, u64, R)>>, _, _, _>(Pipeline, label, move |_, _| {
                move |input, output| {
                    input.for_each(|capability, updates| {
                        let mut session = output.session(&capability);
                        let decoded = decoder
                            .decode(updates.iter().map(|(row, _, _)| row.as_slice()))
                            .and_then(|columns| batch_of(&schema, columns, updates.len()));
                        let Ok(batch) = decoded else {
                            losses.add(&owner, "malformed_batch", updates.len() as i64, 0);
                            return;
                        };
                        for piece in chain.run(&batch) {
                            let done = logic(&piece.columns, updates, piece.origins.values(), &mut |update| {
                                session.give(update)
                            });
                            if done.is_err() {
                                losses.add(&owner, "malformed_batch", piece.len() as i64, 0);
                            }
                        }
                    });
                }
            })
            .as_collection()
    }

    fn reduce(&mut self, input: &Node, reduce: &Reduce) -> Rows<'scope> {
        let aggregates = Rc::new(Aggregates::new(reduce, &input.schema).expect(CHECKED));
        let keys = codec_of(&reduce.keys, &input.schema).expect(CHECKED);
        let label = self.label("reduce");
        let scans = peel(input).filter(|scans| scans.iter().all(|(scan, _)| scan.window == scans[0].0.window));
        let fused = scans.is_some();
        let partials = match scans {
            Some(scans) => self.scanned(scans, keys, &aggregates),
            None => self.partials(input, keys, &aggregates),
        };
        let partials = if reduce.keys.is_empty() { partials.concat(self.seed(&aggregates)) } else { partials };
        self.finish(partials, aggregates, &label, fused)
    }

    /// The sums and candidates of event tables, made where they are scanned.
    fn scanned(
        &mut self,
        scans: Vec<Scanned<'_>>,
        keys: Codec,
        aggregates: &Rc<Aggregates>,
    ) -> VecCollection<'scope, u64, Partial, i64> {
        let window = scans.first().and_then(|(scan, _)| scan.window);
        let mut tables: Vec<_> = scans.iter().map(|(scan, _)| scan.table).collect();
        tables.sort_unstable();
        tables.dedup();
        let reader = |(scan, steps): Scanned<'_>| (scan.table, self.reader(scan, steps, aggregates.expressions()));
        let readers = scans.into_iter().map(reader).collect();
        let mut scan_reduce = ReduceScan::new(readers, keys, Rc::clone(aggregates), window);
        let name = self.label("events");
        let (leaf, partials) = leaf(self.scope, &name, move |tick, item, emit| scan_reduce.step(tick, item, emit));
        self.leaves.leaves.push((Feeds::Events(tables), leaf));
        partials
    }

    /// The sums and candidates of rows that are not fresh from a scan.
    fn partials(
        &mut self,
        input: &Node,
        keys: Codec,
        aggregates: &Rc<Aggregates>,
    ) -> VecCollection<'scope, u64, Partial, i64> {
        let rows = self.rows(input);
        let chain = self.chain(Vec::new(), aggregates.expressions());
        let aggregates = Rc::clone(aggregates);
        let label = self.label("partials");
        self.vectorised(rows, &input.schema, &label, chain, move |columns, updates, origins, give| {
            let tags: Vec<i64> = origins.iter().map(|origin| updates[*origin as usize].1 as i64).collect();
            let weights: Vec<i64> = origins.iter().map(|origin| updates[*origin as usize].2).collect();
            let encoded = keys.encode(&columns[..aggregates.keys()])?;
            let groups = group(&encoded, &tags);
            let mut table = aggregates.table(groups.firsts.len());
            aggregates.add(columns, &groups.of_row, Some(&weights), &mut table)?;
            for ((first, time), sums) in groups.firsts.iter().zip(aggregates.accumulators(table)) {
                give((Partial::Sums(encoded.row(*first as usize).to_vec(), sums), *time as u64, 1));
            }
            if aggregates.has_candidates() {
                for (at, candidates) in aggregates.candidates(columns, origins.len())?.into_iter().enumerate() {
                    give((Partial::Candidates(encoded.row(at).to_vec(), candidates), tags[at] as u64, weights[at]));
                }
            }
            Ok(())
        })
    }

    fn seed(&mut self, aggregates: &Aggregates) -> VecCollection<'scope, u64, Partial, i64> {
        let mut waiting = self.first_worker.then(|| aggregates.no_candidates());
        let values = aggregates.has_candidates();
        let name = self.label("seed");
        let (leaf, seed) =
            leaf(self.scope, &name, move |_tick, _item: Option<Item>, emit: &mut dyn FnMut(Partial, i64)| {
                if let Some(candidates) = waiting.take() {
                    emit(Partial::Sums(Row::new(), Accumulator::from_sorted([(SEED, 1)])), 1);
                    if values {
                        emit(Partial::Candidates(Row::new(), candidates), 1);
                    }
                }
            });
        let empty = arrow::array::RecordBatch::new_empty(Arc::new(Schema::empty()));
        self.leaves.leaves.push((Feeds::Constant(empty), leaf));
        seed
    }

    /// From partials to the rows of the reduce: key and aggregates.
    fn finish(
        &mut self,
        partials: VecCollection<'scope, u64, Partial, i64>,
        aggregates: Rc<Aggregates>,
        label: &str,
        fused: bool,
    ) -> Rows<'scope> {
        let sums = |partials: VecCollection<'scope, u64, Partial, i64>| {
            let sums = partials.inner.flat_map(|(partial, time, _)| match partial {
                Partial::Sums(key, sums) => Some((key, time, sums)),
                Partial::Candidates(..) => None,
            });
            accumulate(sums.as_collection(), label)
        };
        let groups = if aggregates.has_candidates() {
            let candidates = partials.clone().flat_map(|partial| match partial {
                Partial::Candidates(key, candidates) => Some((key, candidates)),
                Partial::Sums(..) => None,
            });
            let merger = aggregates.merger();
            let merge = move |values: &[&[u8]]| merger.merge(values);
            let values = format!("{label}: values");
            let merged =
                if fused { merge_by_key(candidates, &values, merge) } else { merge_values(candidates, &values, merge) };
            let merged = arrange_rows(merged, &format!("{label}: merged"));
            let sums = arrange_rows(sums(partials).map(|(key, sums)| (key, sums.encode())), &format!("{label}: sums"));
            sums.join_core(merged, |key, sums, merged| {
                Some((key.to_vec(), (Accumulator::decode(sums), merged.to_vec())))
            })
        } else {
            sums(partials).map(|(key, sums)| (key, (sums, Row::new())))
        };
        let (losses, owner) = (self.losses.clone(), self.view.to_owned());
        groups
            .inner
            .unary::<CapacityContainerBuilder<Vec<(Row, u64, i64)>>, _, _, _>(
                Pipeline,
                &format!("{label}: finish"),
                move |_, _| {
                    move |input, output| {
                        input.for_each(|capability, updates| {
                            let mut session = output.session(&capability);
                            let (heads, groups): (Vec<_>, Vec<_>) =
                                updates.drain(..).map(|((key, group), time, diff)| ((key, time, diff), group)).unzip();
                            let Ok(aggregates) = aggregates.finish(&groups) else {
                                losses.add(&owner, "malformed_batch", groups.len() as i64, 0);
                                return;
                            };
                            for (at, (mut row, time, diff)) in heads.into_iter().enumerate() {
                                row.extend_from_slice(aggregates.row(at));
                                session.give((row, time, diff));
                            }
                        });
                    }
                },
            )
            .as_collection()
    }

    fn join(&mut self, left: &Node, right: &Node, join: &Join, schema: &SchemaRef) -> Rows<'scope> {
        let left_rows = self.rows(left);
        let right_rows = self.rows(right);
        let left_keyed = self.keyed(left_rows.clone(), left, &join.left_keys);
        let right_keyed = self.keyed(right_rows.clone(), right, &join.right_keys);
        let left_by_key = arrange_rows(left_keyed.clone(), &self.label("join-left"));
        let right_by_key = arrange_rows(right_keyed.clone(), &self.label("join-right"));
        let left_nulls = Codec::of(&left.schema).expect(CHECKED).nulls();
        let right_nulls = Codec::of(&right.schema).expect(CHECKED).nulls();
        let left_keys = self.label("join-left-keys");
        let right_keys = self.label("join-right-keys");
        let left_matching = || matching(left_by_key.clone(), keys_of(right_keyed.clone(), &right_keys));
        let right_matching = || matching(right_by_key.clone(), keys_of(left_keyed.clone(), &left_keys));
        let left_only = || left_rows.clone().concat(left_matching().negate());
        let right_only = || right_rows.clone().concat(right_matching().negate());
        let inner = || pairs(left_by_key.clone(), right_by_key.clone());
        let padded_left = || {
            left_only().map(move |mut row| {
                row.extend_from_slice(&right_nulls);
                row
            })
        };
        let padded_right = || right_only().map(move |row| [left_nulls.as_slice(), row.as_slice()].concat());
        let rows = match join.kind {
            JoinType::Inner => inner(),
            JoinType::Left => inner().concat(padded_left()),
            JoinType::Right => inner().concat(padded_right()),
            JoinType::Full => inner().concat(padded_left()).concat(padded_right()),
            JoinType::LeftSemi => left_matching(),
            JoinType::RightSemi => right_matching(),
            JoinType::LeftAnti => left_only(),
            JoinType::RightAnti | JoinType::LeftMark | JoinType::RightMark => right_only(),
        };
        let Some(condition) = &join.filter else { return rows };
        let identity = schema.fields().iter().enumerate().map(|(at, field)| {
            Arc::new(datafusion::physical_expr::expressions::Column::new(field.name(), at)) as Arc<dyn PhysicalExpr>
        });
        let map = Map { filter: Some(Arc::clone(condition)), project: identity.collect() };
        let chain = self.chain(vec![(map, Arc::clone(schema))], Vec::new());
        self.map(rows, schema, chain, Codec::of(schema).expect(CHECKED))
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

    fn top(&mut self, input: &Node, top: &TopK) -> Rows<'scope> {
        let rows = self.rows(input);
        let codec = order_codec(top, &input.schema).expect(CHECKED);
        let order = top.order.iter().map(|key| Arc::clone(&key.expression)).collect::<Vec<_>>();
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

/// An event scan and the maps above it, in order.
type Scanned<'p> = (&'p EventScan, Vec<(Map, SchemaRef)>);

/// The event scans under a tree of unions and maps; at least one.
fn peel(node: &Node) -> Option<Vec<Scanned<'_>>> {
    match &node.operator {
        Operator::Events(scan) => Some(vec![(scan, vec![(scan.map.clone(), Arc::clone(&node.schema))])]),
        Operator::Map { input, map } => {
            let mut scans = peel(input)?;
            for (_, steps) in &mut scans {
                steps.push((map.clone(), Arc::clone(&node.schema)));
            }
            Some(scans)
        }
        Operator::Union(inputs) if !inputs.is_empty() => {
            let scans = inputs.iter().map(peel).collect::<Option<Vec<_>>>()?;
            Some(scans.into_iter().flatten().collect())
        }
        _ => None,
    }
}
