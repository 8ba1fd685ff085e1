//! Scripts to plans: SQL becomes DataFusion's `LogicalPlan`, which is either executed once over a snapshot of the
//! tables or lowered to a [`view::ViewPlan`] that the dataflow keeps up to date.

pub mod view;
