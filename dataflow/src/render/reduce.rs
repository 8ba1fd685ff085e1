//! Group-bys: partial sums a tick, made where events are scanned if the reduce stands right above scans.

use std::rc::Rc;
use std::sync::Arc;

use arrow::datatypes::Schema;
use differential_dataflow::difference::Semigroup;
use differential_dataflow::{AsCollection, Data, ExchangeData, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator as _;
use timely::dataflow::operators::vec::Map as _;
use watershed_operators::{Accumulator, Emit, KeySums, Row, Rows, accumulate, arrange_rows, leaf, merge_values};
use watershed_query::view::{Node, Operator, Reduce, Span};

use super::{CHECKED, Feeds, Renderer, below_maps, codec_of};
use crate::aggregate::{Aggregates, SEED};
use crate::codec::Codec;
use crate::group::group;
use crate::scan::{Item, KeyedReader, ReduceScan, Scanned};

impl<'scope> Renderer<'_, 'scope> {
    pub(super) fn reduce(&mut self, input: &Node, reduce: &Reduce) -> Rows<'scope> {
        self.groups(input, reduce, |mut key, aggregates| {
            key.extend_from_slice(aggregates);
            key
        })
    }

    /// What is made of each group's key and aggregates.
    pub(super) fn groups<D: Data>(
        &mut self,
        input: &Node,
        reduce: &Reduce,
        made: impl Fn(Row, &[u8]) -> D + 'static,
    ) -> VecCollection<'scope, u64, D, i64> {
        let aggregates = Rc::new(Aggregates::new(reduce, &input.schema).expect(CHECKED));
        let keys = codec_of(&reduce.keys, &input.schema).expect(CHECKED);
        let label = self.label("reduce");
        let scans = peel(input).filter(|scans| scans.iter().all(|(scan, _)| scan.window == scans[0].0.window));
        let groups = match scans {
            Some(scans) => {
                let sums = self.scanned(scans, keys, &aggregates, reduce.span);
                let sums = self.with_seed(sums, reduce, || (Row::new(), seed_sums()));
                let merger = aggregates.merger();
                accumulate(sums, &label, move |mut sums| {
                    let values: Vec<&[u8]> = sums.values().collect();
                    let merged = if values.is_empty() { Row::new() } else { merger.merge(&values) };
                    sums.clear_values();
                    (sums, merged)
                })
            }
            None => self.summed(input, reduce, keys, &aggregates, &label),
        };
        self.finish(groups, aggregates, &label, made)
    }

    /// The sums and values of event tables, made where they are scanned.
    fn scanned(
        &mut self,
        scans: Vec<Scanned<'_>>,
        keys: Codec,
        aggregates: &Rc<Aggregates>,
        span: Option<Span>,
    ) -> KeySums<'scope> {
        let window = scans.first().and_then(|(scan, _)| scan.window);
        let mut tables: Vec<_> = scans.iter().map(|(scan, _)| scan.table).collect();
        tables.sort_unstable();
        tables.dedup();
        let reader = |scanned: Scanned<'_>| {
            let (scan, steps) = &scanned;
            let reader = self.reader(scan, steps.clone(), aggregates.expressions());
            (scan.table, KeyedReader::new(reader, &scanned, aggregates, span))
        };
        let readers = scans.into_iter().map(reader).collect();
        let mut scan_reduce = ReduceScan::new(readers, keys, Rc::clone(aggregates), window, span);
        let name = self.label("events");
        let (leaf, sums) = leaf(self.scope, &name, move |tick, item, emit: Emit<'_, Row, Accumulator>| {
            scan_reduce.step(tick, item, emit);
        });
        self.ends.leaves.push((Feeds::Events { tables, owners: span.is_some() }, leaf));
        sums
    }

    /// The sums and candidates of rows that are not fresh from a scan.
    fn partials(
        &mut self,
        input: &Node,
        keys: Codec,
        aggregates: &Rc<Aggregates>,
    ) -> VecCollection<'scope, u64, Partial, i64> {
        let (input, steps) = below_maps(input);
        let rows = self.rows(input);
        let chain = self.chain(steps, aggregates.expressions());
        let aggregates = Rc::clone(aggregates);
        let label = self.label("partials");
        self.vectorised(rows, &input.schema, &label, chain, move |columns, updates, origins, give| {
            let tags: Vec<i64> = origins.iter().map(|origin| updates[*origin as usize].1 as i64).collect();
            let weights: Vec<i64> = origins.iter().map(|origin| updates[*origin as usize].2).collect();
            let encoded = keys.encode(&columns[..aggregates.keys()])?;
            if !aggregates.needs_no_sums() {
                let groups = group(&encoded, &tags);
                let mut table = aggregates.table(groups.firsts.len());
                aggregates.add(&columns[aggregates.keys()..], &groups.of_row, Some(&weights), &mut table)?;
                for ((first, time), sums) in groups.firsts.iter().zip(aggregates.accumulators(table)) {
                    give((Partial::Sums(encoded.row(*first as usize).to_vec(), sums), *time as u64, 1));
                }
            }
            if aggregates.has_candidates() {
                let candidates = aggregates.candidates(&columns[aggregates.keys()..], origins.len())?;
                for (at, candidates) in candidates.into_iter().enumerate() {
                    give((Partial::Candidates(encoded.row(at).to_vec(), candidates), tags[at] as u64, weights[at]));
                }
            }
            Ok(())
        })
    }

    /// With what keeps the single row of a reduce without keys alive.
    fn with_seed<D, R>(
        &mut self,
        collection: VecCollection<'scope, u64, D, R>,
        reduce: &Reduce,
        seed: impl FnOnce() -> (D, R),
    ) -> VecCollection<'scope, u64, D, R>
    where
        D: Data,
        R: ExchangeData + Semigroup,
    {
        if !reduce.keys.is_empty() {
            return collection;
        }
        let mut waiting = self.first_worker.then(seed);
        let name = self.label("seed");
        let (leaf, seed) = leaf(self.scope, &name, move |_tick, _item: Option<Item>, emit: Emit<'_, D, R>| {
            waiting.take().into_iter().for_each(|(seed, diff)| emit(seed, diff));
        });
        let empty = arrow::array::RecordBatch::new_empty(Arc::new(Schema::empty()));
        self.ends.leaves.push((Feeds::Constant(empty), leaf));
        collection.concat(seed)
    }

    /// Keys with the sums and the merged values of rows that are not fresh from a scan, of which a key may have many.
    fn summed(
        &mut self,
        input: &Node,
        reduce: &Reduce,
        keys: Codec,
        aggregates: &Rc<Aggregates>,
        label: &str,
    ) -> VecCollection<'scope, u64, (Row, Group), i64> {
        let partials = self.partials(input, keys, aggregates);
        let merged = aggregates.has_candidates().then(|| {
            let values = partials.clone().flat_map(Partial::into_candidates);
            let values = self.with_seed(values, reduce, || ((Row::new(), aggregates.no_candidates()), 1));
            let merger = aggregates.merger();
            merge_values(values, &format!("{label}: values"), move |values| merger.merge(values))
        });
        let merged = match merged {
            Some(merged) if aggregates.needs_no_sums() => {
                return merged.map(|(key, merged)| (key, (Accumulator::default(), merged)));
            }
            merged => merged,
        };
        let sums = partials.inner.flat_map(|(partial, time, _)| match partial {
            Partial::Sums(key, sums) => Some((key, time, sums)),
            Partial::Candidates(..) => None,
        });
        let sums = self.with_seed(sums.as_collection(), reduce, || (Row::new(), seed_sums()));
        let Some(merged) = merged else { return accumulate(sums, label, |sums| (sums, Row::new())) };
        let merged = arrange_rows(merged, &format!("{label}: merged"));
        let sums = arrange_rows(accumulate(sums, label, |sums| sums.encode()), &format!("{label}: sums"));
        sums.join_core(merged, |key, sums, merged| Some((key.to_vec(), (Accumulator::decode(sums), merged.to_vec()))))
    }

    /// From groups to what is made of key and aggregates.
    fn finish<D: Data>(
        &mut self,
        groups: VecCollection<'scope, u64, (Row, Group), i64>,
        aggregates: Rc<Aggregates>,
        label: &str,
        made: impl Fn(Row, &[u8]) -> D + 'static,
    ) -> VecCollection<'scope, u64, D, i64> {
        let (losses, owner) = (self.losses.clone(), self.view.to_owned());
        groups
            .inner
            .unary::<CapacityContainerBuilder<Vec<(D, u64, i64)>>, _, _, _>(
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
                            for (at, (key, time, diff)) in heads.into_iter().enumerate() {
                                session.give((made(key, aggregates.row(at)), time, diff));
                            }
                        });
                    }
                },
            )
            .as_collection()
    }
}

/// What rows that are not fresh from a scan say of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Partial {
    /// Something was added to its sums.
    Sums(Row, Accumulator),
    /// A candidate for its other values came or went.
    Candidates(Row, Row),
}

impl Partial {
    fn into_candidates(self) -> Option<(Row, Row)> {
        match self {
            Partial::Candidates(key, value) => Some((key, value)),
            Partial::Sums(..) => None,
        }
    }
}

/// What keeps the sums of a reduce without keys from being nothing.
fn seed_sums() -> Accumulator {
    Accumulator::from_sorted([(SEED, 1)])
}

/// The sums of a key, and what was chosen of its values; nothing, where none are there.
type Group = (Accumulator, Row);

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
