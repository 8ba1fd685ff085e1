//! Which functions there are, and which overload a call means.

use std::collections::HashMap;
use std::sync::LazyLock;

use watershed_model::DataType;

/// Whether a function works on one row, on a group, or makes a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FunctionKind {
    Scalar,
    Aggregate,
    Table,
}

/// Argument types and result type.
#[derive(Debug, Clone)]
pub(super) struct Overload {
    pub(super) arguments: Vec<DataType>,
    /// Arguments that must be constants.
    pub(super) constant: Vec<bool>,
    pub(super) result: DataType,
}

/// A function by its PxL name.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) kind: FunctionKind,
    pub(super) overloads: Vec<Overload>,
    /// Of a table function: parameters and columns.
    pub(super) parameters: Vec<(String, DataType)>,
    pub(super) columns: Vec<(String, DataType)>,
}

static SIGNATURES: LazyLock<HashMap<String, Signature>> = LazyLock::new(|| {
    let lines = include_str!("signatures.txt").lines();
    lines.filter_map(signature).collect()
});

/// All functions by name.
pub(super) fn all() -> &'static HashMap<String, Signature> {
    &SIGNATURES
}

pub(super) fn type_of(letter: &str) -> Option<DataType> {
    Some(match letter {
        "B" => DataType::Boolean,
        "I" => DataType::Int64,
        "F" => DataType::Float64,
        "S" => DataType::String,
        "T" => DataType::Time64Ns,
        "U" => DataType::Uint128,
        _ => return None,
    })
}

fn signature(line: &str) -> Option<(String, Signature)> {
    let mut words = line.split(' ');
    let (kind, name) = (words.next()?, words.next()?);
    let kind = match kind {
        "s" => FunctionKind::Scalar,
        "a" => FunctionKind::Aggregate,
        _ => FunctionKind::Table,
    };
    let mut signature = Signature { kind, overloads: Vec::new(), parameters: Vec::new(), columns: Vec::new() };
    if kind == FunctionKind::Table {
        signature.parameters = named(words.next()?.trim_matches(['(', ')']));
        signature.columns = named(words.next()?);
    } else {
        signature.overloads = words.filter_map(overload).collect();
    }
    Some((name.to_owned(), signature))
}

fn named(list: &str) -> Vec<(String, DataType)> {
    let pairs = list.split(',').filter_map(|pair| pair.split_once(':'));
    pairs.filter_map(|(name, letter)| Some((name.to_owned(), type_of(letter)?))).collect()
}

fn overload(word: &str) -> Option<Overload> {
    let (arguments, result) = word.trim_start_matches('(').split_once(')')?;
    let arguments: Vec<&str> = arguments.split(',').filter(|argument| !argument.is_empty()).collect();
    Some(Overload {
        constant: arguments.iter().map(|argument| argument.starts_with('!')).collect(),
        arguments: arguments.iter().map(|argument| type_of(argument.trim_start_matches('!'))).collect::<Option<_>>()?,
        result: type_of(result)?,
    })
}

/// The overload that fits best: as it is, else with the fewest conversions.
pub(super) fn resolve<'a>(overloads: &'a [Overload], given: &[DataType]) -> Option<&'a Overload> {
    let cost = |overload: &Overload| {
        if overload.arguments.len() != given.len() {
            return None;
        }
        given.iter().zip(&overload.arguments).map(|(from, to)| conversion(*from, *to)).sum::<Option<u32>>()
    };
    let costs = overloads.iter().filter_map(|overload| Some((cost(overload)?, overload)));
    costs.min_by_key(|(cost, _)| *cost).map(|(_, overload)| overload)
}

/// What a conversion costs; `None` if PxL does not convert by itself.
fn conversion(from: DataType, to: DataType) -> Option<u32> {
    match (from, to) {
        (from, to) if from == to => Some(0),
        (DataType::Int64, DataType::Float64) => Some(1),
        (DataType::Int64, DataType::Time64Ns) => Some(2),
        (DataType::Time64Ns, DataType::Int64) => Some(3),
        (DataType::Boolean, DataType::Int64) => Some(4),
        _ => None,
    }
}
