//! Calls of functions on columns: the overload, the conversions, the meaning of the result.

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, when};
use datafusion::prelude::lit;
use watershed_model::{DataType, Semantic};

use super::column::ColumnExpr;
use super::native;
use super::signatures::{self, FunctionKind, Overload};
use crate::script::Catalog;

/// Most parts of an expression.
const NODES_MAX: usize = 2_000;

/// A scalar function of columns.
///
/// # Errors
/// Says which argument types the function has, or which arguments belong to different tables.
pub(super) fn scalar(catalog: &Catalog, name: &str, arguments: Vec<ColumnExpr>) -> Result<ColumnExpr, String> {
    let signature = signatures::all().get(name).filter(|signature| signature.kind == FunctionKind::Scalar);
    let signature = signature.ok_or_else(|| format!("`{name}` is no function of columns"))?;
    let lineage = one_frame(&arguments)?;
    check_size(&arguments)?;
    let given: Vec<DataType> = arguments.iter().map(|argument| argument.data_type).collect();
    let semantics: Vec<Semantic> = arguments.iter().map(|argument| argument.semantic).collect();
    let (expr, data_type) = if let Some(native) = native::call(catalog, name, &arguments) {
        native
    } else {
        let overload = signatures::resolve(&signature.overloads, &given)
            .ok_or_else(|| no_overload(name, &given, &signature.overloads))?;
        let constants = overload.constant.iter().zip(&arguments);
        if let Some(position) = constants.into_iter().position(|(constant, arg)| *constant && arg.lineage.is_some()) {
            return Err(format!("argument {} of {name} must be a constant", position + 1));
        }
        let result = overload.result;
        let converted: Vec<Expr> =
            arguments.into_iter().zip(&overload.arguments).map(|(arg, to)| arg.converted(*to)).collect();
        (called(catalog, name, converted, result)?, result)
    };
    let semantic = meaning(name, data_type, &semantics);
    let key = name.rsplit_once("_to_").and_then(|(_, to)| super::context::key_named(to));
    Ok(ColumnExpr { expr, data_type, semantic, key, lineage })
}

/// An expression that a variable holds is in each that uses it, so that they could double with each line.
fn check_size(arguments: &[ColumnExpr]) -> Result<(), String> {
    let mut nodes = 0;
    for argument in arguments {
        let counted = argument.expr.apply(|_| {
            nodes += 1;
            Ok(if nodes > NODES_MAX { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        counted.map_err(|error| error.strip_backtrace())?;
    }
    if nodes > NODES_MAX {
        return Err(format!("this expression has more than {NODES_MAX} parts; assign a part to a column first"));
    }
    Ok(())
}

fn called(catalog: &Catalog, name: &str, mut arguments: Vec<Expr>, _result: DataType) -> Result<Expr, String> {
    if name == "select" && arguments.len() == 3 {
        let (otherwise, then) = (arguments.pop().unwrap_or_default(), arguments.pop().unwrap_or_default());
        let condition = arguments.pop().unwrap_or_else(|| lit(false));
        return when(condition, then).otherwise(otherwise).map_err(|error| error.strip_backtrace());
    }
    let function =
        catalog.scalar(&format!("px_{name}")).ok_or_else(|| format!("`{name}` has no implementation here"))?;
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, arguments)))
}

/// An expression can read the columns of one table only.
pub(super) fn one_frame(arguments: &[ColumnExpr]) -> Result<Option<u64>, String> {
    let mut lineages = arguments.iter().filter_map(|argument| argument.lineage);
    let first = lineages.next();
    if lineages.any(|other| Some(other) != first) {
        return Err("an expression reads columns of one DataFrame; merge the two first".into());
    }
    Ok(first)
}

fn no_overload(name: &str, given: &[DataType], overloads: &[Overload]) -> String {
    let list = |types: &[DataType]| types.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    let known: Vec<String> = overloads.iter().map(|overload| format!("({})", list(&overload.arguments))).collect();
    format!("{name} does not take ({}); it takes {}", list(given), known.join(" or "))
}

/// What the result of a function means.
pub(super) fn meaning(name: &str, data_type: DataType, given: &[Semantic]) -> Semantic {
    let known = |semantic: &&Semantic| **semantic != Semantic::None;
    let agreed = || {
        let first = given.iter().find(known).copied().unwrap_or(Semantic::None);
        if given.iter().filter(known).all(|other| *other == first) { first } else { Semantic::None }
    };
    match name {
        "add" | "subtract" | "multiply" | "modulo" | "negate" | "abs" | "bin" | "ceil" | "floor" | "any" | "sum"
        | "mean" | "min" | "max"
            if data_type != DataType::Boolean =>
        {
            agreed()
        }
        "select" => given
            .get(1)
            .filter(|then| {
                given.get(2).is_some_and(|other| *then == other || *other == Semantic::None || **then == Semantic::None)
            })
            .map_or(Semantic::None, |then| if *then == Semantic::None { given[2] } else { *then }),
        "divide" => match given {
            [Semantic::Bytes, Semantic::DurationNs] => Semantic::ThroughputBytesPerNs,
            [Semantic::None, Semantic::DurationNs] => Semantic::ThroughputPerNs,
            [left, Semantic::None] => *left,
            _ => Semantic::None,
        },
        "quantiles" => match given {
            [Semantic::DurationNs] => Semantic::DurationNsQuantiles,
            _ => Semantic::Quantiles,
        },
        "pluck_float64" | "pluck_int64" | "pluck" if given.first() == Some(&Semantic::DurationNsQuantiles) => {
            Semantic::DurationNs
        }
        "upid" => Semantic::Upid,
        "asid" | "upid_to_asid" => Semantic::Asid,
        "_script_reference" => Semantic::ScriptReference,
        "service_id_to_cluster_ip" => Semantic::IpAddress,
        "_upid_to_podname_local_addr_fallback" => Semantic::PodName,
        _ => match name.rsplit_once("_to_").map(|(_, to)| to) {
            Some("pod_name") => Semantic::PodName,
            Some("service_name") => Semantic::ServiceName,
            Some("node_name") => Semantic::NodeName,
            Some("namespace") => Semantic::NamespaceName,
            Some("container_name") => Semantic::ContainerName,
            Some("pod_status") => Semantic::PodStatus,
            Some("status") if name.starts_with("pod_") => Semantic::PodStatus,
            Some("status") if name.starts_with("container_") => Semantic::ContainerStatus,
            _ => Semantic::None,
        },
    }
}
