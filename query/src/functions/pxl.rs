//! PxL's functions, one file a subject, each a table of entries: name, overloads with what they compute, and a line
//! for the docs. NULL in is NULL out, nothing fails on a value, and a call of constants is a constant.

mod aggregates;
mod compare;
mod conditionals;
mod endpoints;
mod json;
mod math;
mod net;
mod pii;
mod processes;
mod protocols;
mod regex;
mod requests;
mod rows;
mod sql;
mod strings;
mod tables;
mod uri;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use watershed_model::DataType as Type;

use super::FunctionDoc;
pub(crate) use tables::{is_one as is_table, register_status};

/// One function.
#[derive(Debug)]
pub(crate) struct Entry {
    /// As PxL calls it, without `px.`
    pub(crate) name: &'static str,
    /// In order of preference.
    pub(crate) overloads: &'static [Overload],
    pub(crate) doc: &'static str,
}

/// One way to call a function.
#[derive(Debug)]
pub(crate) struct Overload {
    arguments: &'static [Type],
    result: Type,
    /// From arrays of the arguments' types, all of one length, to as many results; without arguments, to one.
    eval: fn(&[ArrayRef]) -> Result<ArrayRef>,
}

/// A function of one overload or several.
const fn entry(name: &'static str, overloads: &'static [Overload], doc: &'static str) -> Entry {
    Entry { name, overloads, doc }
}

const fn over(arguments: &'static [Type], result: Type, eval: fn(&[ArrayRef]) -> Result<ArrayRef>) -> Overload {
    Overload { arguments, result, eval }
}

const B: Type = Type::Boolean;
const I: Type = Type::Int64;
const F: Type = Type::Float64;
const S: Type = Type::String;
const T: Type = Type::Time64Ns;
const U: Type = Type::Uint128;

/// Everything, by subject.
pub(crate) fn entries() -> impl Iterator<Item = &'static Entry> {
    const ALL: &[&[Entry]] = &[
        compare::ENTRIES,
        conditionals::ENTRIES,
        endpoints::ENTRIES,
        json::ENTRIES,
        math::ENTRIES,
        net::ENTRIES,
        pii::ENTRIES,
        processes::ENTRIES,
        protocols::ENTRIES,
        regex::ENTRIES,
        requests::ENTRIES,
        sql::ENTRIES,
        strings::ENTRIES,
        uri::ENTRIES,
    ];
    ALL.iter().copied().flatten()
}

/// Plain names that SQL gives another result type.
const PREFIXED_ONLY: [&str; 4] = ["ceil", "floor", "round", "log"];

/// Makes the functions known as `px_<name>`, and as `<name>` where the context has none of that name.
pub(crate) fn register(context: &SessionContext) {
    aggregates::register(context);
    tables::register(context).expect("a schema in memory takes any table, and the plans are of literals");
    for entry in entries() {
        context.register_udf(ScalarUDF::from(Native::new(entry, format!("px_{}", entry.name))));
        let lower = entry.name.to_lowercase();
        let known = context.state_ref().read().scalar_functions().contains_key(&lower);
        if !known && !PREFIXED_ONLY.contains(&entry.name) {
            context.register_udf(ScalarUDF::from(Native::new(entry, lower)));
        }
    }
}

/// The functions for `docs` and completions.
pub(crate) fn documented() -> Vec<FunctionDoc> {
    let of = |entry: &Entry| FunctionDoc {
        name: format!("px_{}", entry.name).into(),
        signature: signature(entry).into(),
        doc: entry.doc.into(),
    };
    entries().map(of).chain(aggregates::documented()).chain(tables::documented()).collect()
}

fn signature(entry: &Entry) -> String {
    ways(entry.name, entry.overloads.iter().map(|way| (way.arguments, way.result)))
}

/// Every way to call, with what it gives.
pub(crate) fn ways(name: &str, ways: impl Iterator<Item = (&'static [Type], Type)>) -> String {
    let ways = ways.map(|(arguments, result)| format!("({}) -> {}", names(arguments), result.name()));
    format!("px_{name}{}", ways.collect::<Vec<_>>().join(" or "))
}

fn names(types: &[Type]) -> String {
    types.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}

/// An entry under one of its names.
#[derive(Debug)]
struct Native {
    entry: &'static Entry,
    name: String,
    aliases: Vec<String>,
    signature: Signature,
}

impl Native {
    fn new(entry: &'static Entry, name: String) -> Self {
        let lower = name.to_lowercase();
        let aliases = if lower == name { Vec::new() } else { vec![lower] };
        Native { entry, name, aliases, signature: Signature::user_defined(Volatility::Immutable) }
    }

    fn overload(&self, arguments: &[DataType]) -> Result<&'static Overload> {
        let overloads = self.entry.overloads;
        choose(overloads.iter().map(|way| way.arguments), arguments)
            .and_then(|at| overloads.get(at))
            .ok_or_else(|| DataFusionError::Plan(format!("{} takes {}", self.name, signature(self.entry))))
    }
}

impl PartialEq for Native {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Native {}

impl std::hash::Hash for Native {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Native {
    fn name(&self) -> &str {
        &self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(self.overload(arguments)?.arguments.iter().map(|kind| kind.arrow()).collect())
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(self.overload(arguments)?.result.arrow())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        let overload = self.overload(&types)?;
        let constant = args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let arrays = arrays
            .iter()
            .zip(overload.arguments)
            .map(|(array, kind)| Ok(arrow::compute::cast(array, &kind.arrow())?))
            .collect::<Result<Vec<_>>>()?;
        let result = (overload.eval)(&arrays)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// The first way to call that takes the arguments as they are, else the first that takes them widened.
fn choose(mut ways: impl Iterator<Item = &'static [Type]> + Clone, arguments: &[DataType]) -> Option<usize> {
    let fits = |way: &[Type], takes: fn(Type, &DataType) -> bool| {
        way.len() == arguments.len() && way.iter().zip(arguments).all(|(kind, given)| takes(*kind, given))
    };
    let as_is = ways.clone().position(|way| fits(way, same));
    as_is.or_else(|| ways.position(|way| fits(way, widens)))
}

fn same(kind: Type, given: &DataType) -> bool {
    match (kind, given) {
        (Type::Int64, given) => given.is_integer(),
        (Type::Float64, given) => given.is_floating(),
        (Type::Time64Ns, DataType::Timestamp(..)) => true,
        (Type::String, DataType::Utf8View | DataType::LargeUtf8) => true,
        (kind, given) => kind.arrow() == *given,
    }
}

fn widens(kind: Type, given: &DataType) -> bool {
    same(kind, given) || given.is_null() || (kind == Type::Float64 && given.is_numeric())
}

#[cfg(test)]
mod tests;
