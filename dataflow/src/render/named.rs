//! Groups and what is made of their keys alone. Whenever a group's sums change, its key goes and comes at one time, which
//! is nothing to whoever makes names; so what a group is called is made once, kept, and put beside its sums.

use differential_dataflow::AsCollection;
use differential_dataflow::consolidation::ConsolidatingContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator as _;
use watershed_operators::{KeyedRows, Row, Rows, Wanted, arrange_rows, lookup};
use watershed_query::view::{Node, Operator, column};

use super::{CHECKED, Renderer, below_maps};
use crate::codec::Codec;

impl<'scope> Renderer<'_, 'scope> {
    pub(super) fn named(&mut self, groups: &Node, names: &Node) -> Rows<'scope> {
        let Operator::Reduce { input, reduce } = &groups.operator else { unreachable!("{CHECKED}") };
        let groups = self.groups(input, reduce, |key, aggregates| (key, aggregates.to_vec()));
        self.keys = Some(self.keys_of(groups.clone()));
        let names = self.names(names, reduce.keys.len());
        self.keys = None;
        let names = arrange_rows(names, &self.label("names"));
        let label = self.label("named");
        lookup(groups, names, &label, Wanted::Pairs, |sums, name| [sums, name.unwrap_or_default()].concat())
    }

    /// The keys that come and go.
    fn keys_of(&mut self, groups: KeyedRows<'scope>) -> Rows<'scope> {
        type Builder = ConsolidatingContainerBuilder<Vec<(Row, u64, i64)>>;
        let label = self.label("keys");
        let keys = groups.inner.unary::<Builder, _, _, _>(Pipeline, &label, |_, _| {
            |input, output| {
                input.for_each(|capability, groups| {
                    let keys = groups.drain(..).map(|((key, _), time, diff)| (key, time, diff));
                    output.session_with_builder(&capability).give_iterator(keys);
                });
            }
        });
        keys.as_collection()
    }

    /// Names by the keys that they begin with. A key with a NULL in it is a group as others are.
    fn names(&mut self, names: &Node, keys: usize) -> KeyedRows<'scope> {
        let (input, steps) = below_maps(names);
        let rows = self.rows(input);
        let types = names.schema.fields().iter().take(keys).map(|field| field.data_type().clone());
        let key_codec = Codec::new(types.collect()).expect(CHECKED);
        let codec = Codec::of(&names.schema).expect(CHECKED);
        let outputs = (0..names.schema.fields().len()).map(|at| column(&names.schema, at)).collect();
        let chain = self.chain(steps, outputs);
        let label = self.label("names");
        self.vectorised(rows, &input.schema, &label, chain, move |columns, updates, origins, give| {
            let (keys, rows) = (key_codec.encode(&columns[..keys])?, codec.encode(columns)?);
            for (at, origin) in origins.iter().enumerate() {
                let (_, time, diff) = &updates[*origin as usize];
                give(((keys.row(at).to_vec(), rows.row(at).to_vec()), *time, *diff));
            }
            Ok(())
        })
    }
}
