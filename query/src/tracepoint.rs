//! `pxtrace`: what a script asks to trace, as a definition that is complete in itself.

use std::time::Duration;

use watershed_model::DataType;

use crate::pxl::{Spec, SpecValue};

/// What is to be done with a tracepoint.
#[derive(Debug, Clone, PartialEq)]
pub enum Tracepoint {
    /// Deploy it, or replace the one of that name.
    Upsert(Definition),
    /// Take the one of that name away.
    Delete(String),
}

/// A tracepoint that can be deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// The table that it writes.
    pub table: String,
    /// Columns of that table, as far as its programs tell them.
    pub columns: Vec<(String, DataType)>,
    /// Where it is attached.
    pub target: Target,
    /// The first that fits the machine is deployed.
    pub programs: Vec<Program>,
    /// It ends by itself after so long.
    pub ttl: Duration,
}

/// Where a tracepoint is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The binary of a process, by its upid as text.
    Process(String),
    /// A library that a process has loaded.
    SharedObject {
        /// Such as `libc`.
        name: String,
        /// The process, by its upid as text.
        upid: String,
    },
    /// The kernel.
    Kernel,
    /// The processes of a pod.
    Pod {
        /// `namespace/name`.
        pod: String,
        /// Empty for any.
        container: String,
        /// Empty for any.
        process: String,
    },
    /// The processes of all pods with these labels.
    Labels {
        /// Names and values.
        labels: Vec<(String, String)>,
        /// Namespace of the pods.
        namespace: String,
    },
}

/// What runs when the tracepoint is hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// Values of a function's call.
    Function {
        /// Such as `pkg.Func`.
        function: String,
        /// Column and what it holds.
        outputs: Vec<(String, Source)>,
    },
    /// A bpftrace program.
    BpfTrace {
        /// Its text.
        text: String,
        /// Kernels that it is for, and the host; empty for any.
        min_kernel: String,
        /// Empty for any.
        max_kernel: String,
        /// Empty for any.
        host: String,
    },
}

/// What a column of a function's call holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An expression over the arguments.
    Argument(String),
    /// An expression over what is returned.
    Return(String),
    /// How long the call took.
    Latency,
}

impl Tracepoint {
    /// Reads a part that a script made.
    ///
    /// # Errors
    /// One line: what is missing or wrong.
    pub(crate) fn of(spec: &Spec, columns: Vec<(String, DataType)>) -> Result<Self, String> {
        let name = text(spec, "name")?;
        if spec.kind == "pxtrace.DeleteTracepoint" {
            return Ok(Tracepoint::Delete(name));
        }
        let ttl = crate::pxl::duration_ns(&text(spec, "ttl")?).and_then(|ns| u64::try_from(ns).ok());
        let program = spec.field("probe_fn").ok_or("probe_fn is missing")?;
        Ok(Tracepoint::Upsert(Definition {
            table: text(spec, "table_name")?,
            target: target(spec.field("target").ok_or("target is missing")?)?,
            programs: programs(program)?,
            ttl: ttl.map(Duration::from_nanos).ok_or_else(|| format!("ttl of `{name}` is a duration such as '10m'"))?,
            name,
            columns,
        }))
    }
}

fn text(spec: &Spec, field: &str) -> Result<String, String> {
    match spec.field(field) {
        Some(SpecValue::Text(text) | SpecValue::Column(text)) => Ok(text.clone()),
        _ => Err(format!("{field} of {} is a string", spec.kind)),
    }
}

/// A field that may be left out.
fn optional(spec: &Spec, field: &str) -> Result<String, String> {
    match spec.field(field) {
        None | Some(SpecValue::None) => Ok(String::new()),
        Some(_) => text(spec, field),
    }
}

fn target(value: &SpecValue) -> Result<Target, String> {
    match value {
        SpecValue::Text(upid) => Ok(Target::Process(upid.clone())),
        SpecValue::Spec(spec) => match spec.kind.as_str() {
            "pxtrace.kprobe" => Ok(Target::Kernel),
            "pxtrace.SharedObject" => Ok(Target::SharedObject { name: text(spec, "name")?, upid: text(spec, "upid")? }),
            "pxtrace.PodProcess" => Ok(Target::Pod {
                pod: text(spec, "pod_name")?,
                container: optional(spec, "container_name")?,
                process: optional(spec, "process_name")?,
            }),
            "pxtrace.LabelSelector" => {
                Ok(Target::Labels { labels: labels(spec.field("labels"))?, namespace: text(spec, "namespace")? })
            }
            other => Err(format!("{other} is no target of a tracepoint")),
        },
        _ => Err("target is a upid, pxtrace.SharedObject, kprobe, PodProcess or LabelSelector".into()),
    }
}

fn labels(value: Option<&SpecValue>) -> Result<Vec<(String, String)>, String> {
    let Some(SpecValue::Dict(entries)) = value else { return Err("labels are a dict of strings".into()) };
    let label = |(name, value): &(SpecValue, SpecValue)| match (name, value) {
        (SpecValue::Text(name), SpecValue::Text(value)) => Ok((name.clone(), value.clone())),
        _ => Err("labels are a dict of strings".to_owned()),
    };
    entries.iter().map(label).collect()
}

fn programs(value: &SpecValue) -> Result<Vec<Program>, String> {
    match value {
        SpecValue::List(programs) if !programs.is_empty() => programs.iter().map(program).collect(),
        SpecValue::List(_) => Err("probe_fn lists no program".into()),
        one => Ok(vec![program(one)?]),
    }
}

fn program(value: &SpecValue) -> Result<Program, String> {
    let any = String::new;
    match value {
        SpecValue::Text(text) => {
            Ok(Program::BpfTrace { text: text.clone(), min_kernel: any(), max_kernel: any(), host: any() })
        }
        SpecValue::Spec(spec) if spec.kind == "pxtrace.TraceProgram" => Ok(Program::BpfTrace {
            text: text(spec, "program")?,
            min_kernel: optional(spec, "min_kernel")?,
            max_kernel: optional(spec, "max_kernel")?,
            host: optional(spec, "host_name")?,
        }),
        SpecValue::Spec(spec) => {
            let Some(SpecValue::List(outputs)) = spec.field("outputs") else {
                return Err("a probe returns a list of dicts of its columns".into());
            };
            let columns = outputs.iter().map(columns).collect::<Result<Vec<_>, _>>()?;
            Ok(Program::Function { function: text(spec, "fn_name")?, outputs: columns.concat() })
        }
        _ => Err("a program is a function with @pxtrace.probe, a bpftrace text or pxtrace.TraceProgram".into()),
    }
}

fn columns(value: &SpecValue) -> Result<Vec<(String, Source)>, String> {
    let wrong = || "a probe returns a list of dicts of its columns".to_owned();
    let SpecValue::Dict(entries) = value else { return Err(wrong()) };
    let column = |(name, value): &(SpecValue, SpecValue)| {
        let (SpecValue::Text(name), SpecValue::Spec(spec)) = (name, value) else { return Err(wrong()) };
        let source = match spec.kind.as_str() {
            "pxtrace.ArgExpr" => Source::Argument(text(spec, "expr")?),
            "pxtrace.RetExpr" => Source::Return(text(spec, "expr")?),
            "pxtrace.FunctionLatency" => Source::Latency,
            other => return Err(format!("{other} is no column of a probe")),
        };
        Ok((name.clone(), source))
    };
    entries.iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Catalog, compile};

    const PROBE: &str = "\
import pxtrace
import px
@pxtrace.probe('main.compute')
def probe():
    return [{'n': pxtrace.ArgExpr('req.n'), 'out': pxtrace.RetExpr('$0')}, {'took': pxtrace.FunctionLatency()}]
pxtrace.UpsertTracepoint('compute', 'calls', probe, pxtrace.PodProcess('shop/cart', 'main'), '10m')
px.display(px.DataFrame('calls'))
";

    #[test]
    fn a_probe_becomes_a_definition_with_its_table() {
        let script = compile(&Catalog::new(), PROBE, "a.pxl").unwrap();
        let [Tracepoint::Upsert(definition)] = script.tracepoints.as_slice() else { panic!("one tracepoint") };
        assert_eq!((definition.name.as_str(), definition.table.as_str()), ("compute", "calls"));
        assert_eq!(definition.ttl, Duration::from_secs(600));
        let names: Vec<_> = definition.columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["upid", "time_", "n", "out", "took"]);
        let pod = Target::Pod { pod: "shop/cart".into(), container: "main".into(), process: String::new() };
        assert_eq!(definition.target, pod);
        let outputs = vec![
            ("n".to_owned(), Source::Argument("req.n".into())),
            ("out".to_owned(), Source::Return("$0".into())),
            ("took".to_owned(), Source::Latency),
        ];
        assert_eq!(definition.programs, [Program::Function { function: "main.compute".into(), outputs }]);
        assert_eq!(script.tables[0].columns.len(), 5);
    }

    #[test]
    fn what_is_no_tracepoint_is_a_located_mistake() {
        for (from, to, message) in [
            ("'10m'", "'soon'", "ttl"),
            ("pxtrace.PodProcess('shop/cart', 'main')", "7", "target is a upid"),
            ("pxtrace.FunctionLatency()", "7", "list of dicts"),
        ] {
            let error = compile(&Catalog::new(), &PROBE.replace(from, to), "a.pxl").unwrap_err().remove(0);
            assert!(error.line >= 3 && error.message.contains(message), "{error}");
        }
    }
}
