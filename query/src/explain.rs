//! What a script would cost as a view: which windows bound it, which arrangements it keeps, and its plan; the text of
//! `EXPLAIN` and of `watershed script check`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::physical_expr::PhysicalExpr;

use crate::lower::{Refusal, lower};
use crate::prepare::prepare;
use crate::script::{Catalog, ScriptTable};
use crate::view::{Aggregate, EventScan, Join, Map, Node, Operator, ViewPlan, Window};

/// What is known of a table as a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Why it cannot be a view, if it cannot.
    pub refusal: Option<Refusal>,
    /// Tables whose rows are kept for a time, and for which.
    pub windows: Vec<String>,
    /// What is kept indexed for it; those of state tables alone are shared by all uses in the view.
    pub arrangements: Vec<String>,
    /// The plan, a line an operator, inputs indented below.
    pub plan: Vec<String>,
}

/// Explains a table of a script.
#[must_use]
pub fn explain(catalog: &Catalog, table: &ScriptTable) -> Explanation {
    match lower(catalog, table) {
        Ok(plan) => of_view(&plan),
        Err(refusal) => Explanation {
            refusal: Some(refusal),
            windows: Vec::new(),
            arrangements: Vec::new(),
            plan: once(catalog, table),
        },
    }
}

impl Explanation {
    /// The explanation as lines of text.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![match &self.refusal {
            None => "can be a view".to_owned(),
            Some(refusal) => format!("runs once, cannot be a view: {refusal}"),
        }];
        let listed = |title: &str, items: &[String], lines: &mut Vec<String>| {
            if !items.is_empty() {
                lines.push(format!("{title}:"));
                lines.extend(items.iter().map(|item| format!("  {item}")));
            }
        };
        listed("windows", &self.windows, &mut lines);
        listed("arrangements", &self.arrangements, &mut lines);
        listed("plan", &self.plan, &mut lines);
        lines
    }
}

/// The plan of `EXPLAIN`: lines of text, numbered.
pub(crate) fn plan_of(catalog: &Catalog, table: &ScriptTable) -> Result<LogicalPlan, DataFusionError> {
    let lines = explain(catalog, table).lines();
    let rows = lines.into_iter().zip(1_i64..).map(|(line, number)| vec![lit(number), lit(line)]);
    let columns = [("column1", "line"), ("column2", "plan")];
    let named = columns.map(|(column, name)| datafusion::prelude::ident(column).alias(name));
    LogicalPlanBuilder::values(rows.collect())?.project(named)?.build()
}

/// The plan of what only runs once.
fn once(catalog: &Catalog, table: &ScriptTable) -> Vec<String> {
    match prepare(catalog, &table.plan) {
        Ok(plan) => plan.display_indent().to_string().lines().map(str::to_owned).collect(),
        Err(error) => vec![error.strip_backtrace()],
    }
}

fn of_view(plan: &ViewPlan) -> Explanation {
    let mut walk = Walk::default();
    walk.node(&plan.root, 0);
    let (shared, added) = (walk.shared.into_iter(), walk.added.into_iter());
    let arrangements = shared.map(|what| format!("{what} (made once)")).chain(added).collect();
    Explanation { refusal: None, windows: walk.windows.into_iter().collect(), arrangements, plan: walk.lines }
}

#[derive(Default)]
struct Walk {
    lines: Vec<String>,
    windows: BTreeSet<String>,
    shared: BTreeSet<String>,
    added: Vec<String>,
}

impl Walk {
    fn node(&mut self, node: &Node, depth: usize) {
        let line = line_of(&node.operator);
        self.lines.push(format!("{}{line}", "  ".repeat(depth)));
        let below = |walk: &mut Self, input: &Node| walk.node(input, depth + 1);
        match &node.operator {
            Operator::Events(scan) => {
                self.windows.insert(window_of(scan));
            }
            Operator::State(_) | Operator::Constant(_) => {}
            Operator::Map { input, .. } => below(self, input),
            Operator::Reduce { input, .. } | Operator::Distinct(input) | Operator::TopK { input, .. } => {
                self.arrange(node, line);
                below(self, input);
            }
            Operator::Union(inputs) => inputs.iter().for_each(|input| below(self, input)),
            Operator::Join { left, right, join } => {
                for (side, keys) in [(left, &join.left_keys), (right, &join.right_keys)] {
                    self.arrange(side, format!("{} by {}", brief(side), list(keys)));
                    below(self, side);
                }
            }
        }
    }

    fn arrange(&mut self, of: &Node, what: String) {
        if reads_events(of) {
            self.added.push(what);
        } else {
            self.shared.insert(what);
        }
    }
}

fn reads_events(node: &Node) -> bool {
    match &node.operator {
        Operator::Events(_) => true,
        Operator::State(_) | Operator::Constant(_) => false,
        Operator::Map { input, .. }
        | Operator::Reduce { input, .. }
        | Operator::Distinct(input)
        | Operator::TopK { input, .. } => reads_events(input),
        Operator::Union(inputs) => inputs.iter().any(reads_events),
        Operator::Join { left, right, .. } => reads_events(left) || reads_events(right),
    }
}

/// What rows are of: the tables below.
fn brief(node: &Node) -> String {
    fn tables(node: &Node, found: &mut BTreeSet<&'static str>) {
        match &node.operator {
            Operator::Events(scan) => drop(found.insert(scan.table)),
            Operator::State(scan) => drop(found.insert(scan.table)),
            Operator::Constant(_) => {}
            Operator::Map { input, .. }
            | Operator::Reduce { input, .. }
            | Operator::Distinct(input)
            | Operator::TopK { input, .. } => tables(input, found),
            Operator::Union(inputs) => inputs.iter().for_each(|input| tables(input, found)),
            Operator::Join { left, right, .. } => {
                tables(left, found);
                tables(right, found);
            }
        }
    }
    let mut found = BTreeSet::new();
    tables(node, &mut found);
    if found.is_empty() { "constants".to_owned() } else { found.into_iter().collect::<Vec<_>>().join("+") }
}

fn line_of(operator: &Operator) -> String {
    match operator {
        Operator::Events(scan) => format!("events {}{}", window_of(scan), filter_of(&scan.map)),
        Operator::State(scan) => format!("state {}", scan.table),
        Operator::Constant(rows) => format!("constant: {} rows", rows.num_rows()),
        Operator::Map { map, .. } => format!("map to {}{}", list(&map.project), filter_of(map)),
        Operator::Reduce { reduce, .. } => {
            let aggregates: Vec<_> = reduce.aggregates.iter().map(aggregate).collect();
            format!("reduce by {}: [{}]", list(&reduce.keys), aggregates.join(", "))
        }
        Operator::Join { join, .. } => join_of(join),
        Operator::Union(inputs) => format!("union of {}", inputs.len()),
        Operator::Distinct(_) => "distinct".to_owned(),
        Operator::TopK { top, .. } => {
            let keys = top
                .order
                .iter()
                .map(|key| format!("{}{}", key.expression, if key.descending { " descending" } else { "" }));
            format!("first {} after {} by [{}]", top.fetch, top.skip, keys.collect::<Vec<_>>().join(", "))
        }
    }
}

fn join_of(join: &Join) -> String {
    let mut text = format!("{} join on {} = {}", join.kind, list(&join.left_keys), list(&join.right_keys));
    if let Some(filter) = &join.filter {
        write!(text, " where {filter}").expect("text grows");
    }
    text
}

fn aggregate(aggregate: &Aggregate) -> String {
    let filter = aggregate.filter.as_ref().map(|filter| format!(" where {filter}")).unwrap_or_default();
    format!("{:?}({}){filter}", aggregate.function, list(&aggregate.arguments).trim_matches(['[', ']']))
}

fn filter_of(map: &Map) -> String {
    map.filter.as_ref().map(|filter| format!(" where {filter}")).unwrap_or_default()
}

fn list(expressions: &[Arc<dyn PhysicalExpr>]) -> String {
    let expressions: Vec<_> = expressions.iter().map(ToString::to_string).collect();
    format!("[{}]", expressions.join(", "))
}

fn window_of(scan: &EventScan) -> String {
    let Some(Window { pane_ns, age_ns, delay_ns }) = scan.window else {
        return format!("{}: every row, summed up in a bounded number of groups", scan.table);
    };
    let youngest = delay_ns.map(|delay| format!(", without the last {}", duration(delay))).unwrap_or_default();
    let oldest = age_ns.map_or_else(|| "all".to_owned(), |age| format!("the last {}", duration(age)));
    format!("{}: {oldest}{youngest}, to {}", scan.table, duration(pane_ns))
}

fn duration(ns: i64) -> String {
    let (ms, sign) = (ns.unsigned_abs() / 1_000_000, if ns < 0 { "-" } else { "" });
    let shown = match ms {
        ms if ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
        ms if ms % 60_000 == 0 => format!("{}min", ms / 60_000),
        ms if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    };
    format!("{sign}{shown}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::compile;

    fn explained(sql: &str) -> Vec<String> {
        let catalog = Catalog::new();
        explain(&catalog, &compile(&catalog, sql, "a.sql").unwrap().tables[0]).lines()
    }

    #[test]
    fn windows_arrangements_and_operators_are_told() {
        let lines = explained(
            "SELECT p.name, count(*) AS n FROM http_events e JOIN processes p ON e.upid = p.upid \
             WHERE e.time_ > now() - INTERVAL '5 minutes' GROUP BY p.name",
        );
        let text = lines.join("\n");
        assert_eq!(lines[..3], ["can be a view", "windows:", "  http_events: the last 5min, to 1s"], "{text}");
        // Rows are summed by process first, then what was summed by name.
        assert!(text.contains("reduce by [upid@0]: [Count()]"), "{text}");
        assert!(lines.iter().any(|line| line.contains("processes by [") && line.contains("(made once)")), "{text}");
        assert!(text.contains("Inner join on"), "{text}");
    }

    #[test]
    fn what_cannot_be_a_view_says_why_and_has_a_plan() {
        let lines = explained("SELECT * FROM http_events");
        assert!(lines[0].contains("cannot be a view") && lines[0].contains("INTERVAL '5 minutes'"), "{}", lines[0]);
        assert!(lines.iter().any(|line| line.contains("TableScan")), "{lines:?}");
    }

    #[test]
    fn explain_is_a_statement_of_sql() {
        let catalog = Catalog::new();
        let table = compile(&catalog, "EXPLAIN SELECT pod FROM http_events", "a.sql").unwrap().tables.remove(0);
        let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["line", "plan"]);
        assert!(lower(&catalog, &table).is_ok());
    }
}
