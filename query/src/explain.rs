//! What a script would cost as a view: which windows bound it, which arrangements it keeps, and its plan; the text of
//! `EXPLAIN` and of `watershed script check`.

pub(crate) mod names;

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::physical_expr::PhysicalExpr;

use crate::lower::{Refusal, lower};
use crate::metadata::Spans;
use crate::prepare::prepare;
use crate::script::{Catalog, ScriptTable};
use crate::view::sharing::{can_share, side_identity, state_identity};
use crate::view::{EventScan, Map, Node, Operator, ViewPlan, Window};

/// What is known of a table as a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Why it cannot be a view, if it cannot.
    pub refusal: Option<Refusal>,
    /// Tables whose rows are kept for a time, and for which.
    pub windows: Vec<String>,
    /// The running view that has the same plan, if there is one: its arrangements are shared, and nothing is added.
    pub running: Option<String>,
    /// What is kept indexed for it alone, unless it runs already.
    pub arrangements: Vec<String>,
    /// What running views keep indexed already.
    pub shared: Vec<String>,
    /// The plan, a line an operator, inputs indented below.
    pub plan: Vec<String>,
}

/// Explains a table of a script.
#[must_use]
pub fn explain(catalog: &Catalog, table: &ScriptTable) -> Explanation {
    match lower(catalog, table) {
        Ok(plan) => Explanation { running: catalog.running(&plan), ..of_view(catalog, &plan) },
        Err(refusal) => Explanation {
            refusal: Some(refusal),
            windows: Vec::new(),
            running: None,
            arrangements: Vec::new(),
            shared: Vec::new(),
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
        match &self.running {
            Some(view) => {
                lines.push(format!("runs already as {view}, whose arrangements it shares: nothing is added"));
                let all: Vec<String> = self.arrangements.iter().chain(&self.shared).cloned().collect();
                listed("arrangements shared", &all, &mut lines);
            }
            None => {
                listed("arrangements added", &self.arrangements, &mut lines);
                listed("arrangements shared with running views", &self.shared, &mut lines);
            }
        }
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
    match prepare(catalog, &table.plan, Spans::Joined) {
        Ok(plan) => plan.display_indent().to_string().lines().map(str::to_owned).collect(),
        Err(error) => vec![error.strip_backtrace()],
    }
}

fn of_view(catalog: &Catalog, plan: &ViewPlan) -> Explanation {
    let mut walk = Walk {
        catalog,
        lines: Vec::new(),
        windows: BTreeSet::new(),
        arrangements: Vec::new(),
        shared: Vec::new(),
        once: BTreeSet::new(),
        is_within: false,
    };
    walk.node(&plan.root, 0);
    let Walk { lines, windows, arrangements, shared, .. } = walk;
    let windows = windows.into_iter().collect();
    Explanation { refusal: None, windows, running: None, arrangements, shared, plan: lines }
}

struct Walk<'a> {
    catalog: &'a Catalog,
    lines: Vec<String>,
    windows: BTreeSet<String>,
    arrangements: Vec<String>,
    shared: Vec<String>,
    /// What is made of state tables, which is arranged once however often it is used.
    once: BTreeSet<String>,
    /// What is below is part of what running views keep.
    is_within: bool,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, depth: usize) {
        let line = line_of(node);
        self.lines.push(format!("{}{line}", "  ".repeat(depth)));
        match &node.operator {
            Operator::Events(scan) => {
                self.windows.insert(window_of(scan));
            }
            Operator::Reduce { .. } | Operator::Distinct(_) | Operator::TopK { .. } => {
                self.arrange(node, state_identity(node), line);
            }
            Operator::Join { left, right, join } => {
                self.side(left, &join.left_keys, can_share(join.kind, true), depth);
                return self.side(right, &join.right_keys, can_share(join.kind, false), depth);
            }
            Operator::Named { input, .. } => {
                let keys = list(&names::names_of_keys(input));
                self.arrange(node, None, format!("{} by {keys}", brief(input)));
                self.arrange(node, None, format!("names by {keys}"));
            }
            Operator::State(_)
            | Operator::Constant(_)
            | Operator::Map { .. }
            | Operator::Clocked { .. }
            | Operator::Keys
            | Operator::Union(_) => {}
        }
        node.inputs().into_iter().for_each(|input| self.node(input, depth + 1));
    }

    /// A side of a join at a depth, and what is below it.
    fn side(&mut self, side: &Node, keys: &[Arc<dyn PhysicalExpr>], can_share: bool, depth: usize) {
        let what = format!("{} by {}", brief(side), list(&names::shown_all(keys, &names::of(side))));
        let identity = side_identity(side, keys);
        let is_shared = can_share && identity.as_ref().is_some_and(|identity| self.catalog.has_side(identity));
        let is_within = self.is_within;
        if !is_shared {
            self.arrange(side, identity, what);
        } else if !is_within && identity.is_some_and(|identity| self.once.insert(identity)) {
            self.shared.push(what);
        }
        self.is_within |= is_shared;
        self.node(side, depth + 1);
        self.is_within = is_within;
    }

    /// `identity` is that of what is made of state tables alone.
    fn arrange(&mut self, of: &Node, identity: Option<String>, what: String) {
        if self.is_within {
            return;
        }
        if of.reads_events() {
            return self.arrangements.push(what);
        }
        if identity.is_none_or(|identity| self.once.insert(identity)) {
            self.arrangements.push(format!("{what} (made once)"));
        }
    }
}

/// What rows are of: the tables below.
fn brief(node: &Node) -> String {
    fn tables(node: &Node, found: &mut BTreeSet<&'static str>) {
        match &node.operator {
            Operator::Events(scan) => drop(found.insert(scan.table)),
            Operator::State(scan) => drop(found.insert(scan.table)),
            Operator::Keys => drop(found.insert("keys")),
            _ => node.inputs().into_iter().for_each(|input| tables(input, found)),
        }
    }
    let mut found = BTreeSet::new();
    tables(node, &mut found);
    if found.is_empty() { "constants".to_owned() } else { found.into_iter().collect::<Vec<_>>().join("+") }
}

fn line_of(node: &Node) -> String {
    match &node.operator {
        Operator::Events(scan) => {
            let filter = filter_of(&scan.map, &names::of_table(scan.table, &scan.columns));
            format!("events {}{filter}", window_of(scan))
        }
        Operator::State(scan) => format!("state {}", scan.table),
        Operator::Constant(rows) => format!("constant: {} rows", rows.num_rows()),
        Operator::Map { input, map } => {
            let input = names::of(input);
            format!("map to {}{}", list(&names::shown_all(&map.project, &input)), filter_of(map, &input))
        }
        Operator::Clocked { input, map } => {
            let input = names::with_now(input);
            format!("at each tick, map to {}{}", list(&names::shown_all(&map.project, &input)), filter_of(map, &input))
        }
        Operator::Reduce { input, reduce } => {
            let input = names::of(input);
            let aggregates: Vec<_> = reduce.aggregates.iter().map(|call| names::aggregate(call, &input)).collect();
            format!("reduce by {}: {}", list(&names::shown_all(&reduce.keys, &input)), list(&aggregates))
        }
        Operator::Join { left, right, join } => {
            let keys = [(left, &join.left_keys), (right, &join.right_keys)]
                .map(|(side, keys)| list(&names::shown_all(keys, &names::of(side))));
            let filter = join.filter.as_ref().map(|filter| names::shown(filter, &names::both(left, right)));
            let filter = filter.map(|filter| format!(" where {filter}")).unwrap_or_default();
            format!("{} join on {}{filter}", join.kind, keys.join(" = "))
        }
        Operator::Named { input, .. } => format!("named by {}", list(&names::names_of_keys(input))),
        Operator::Keys => "its keys".to_owned(),
        Operator::Union(inputs) => format!("union of {}", inputs.len()),
        Operator::Distinct(_) => "distinct".to_owned(),
        Operator::TopK { input, top } => {
            let input = names::of(input);
            let keys = top.order.iter().map(|key| {
                format!("{}{}", names::shown(&key.expression, &input), if key.descending { " descending" } else { "" })
            });
            format!("first {} after {} by {}", top.fetch, top.skip, list(&keys.collect::<Vec<_>>()))
        }
    }
}

fn filter_of(map: &Map, names: &[String]) -> String {
    map.filter.as_ref().map(|filter| format!(" where {}", names::shown(filter, names))).unwrap_or_default()
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
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
        assert!(text.contains("reduce by [upid]: [count(*)]"), "{text}");
        assert!(lines.iter().any(|line| line.contains("processes by [") && line.contains("(made once)")), "{text}");
        assert!(text.contains("Inner join on"), "{text}");
    }

    #[test]
    fn names_that_are_made_of_keys_are_told_with_what_is_kept_for_them() {
        let lines = explained(
            "SELECT e.upid, p.name, q.host, e.n FROM (SELECT upid, comm, count(*) AS n FROM proc_exit_events \
             WHERE time_ > now() - INTERVAL '5 minutes' GROUP BY upid, comm) AS e \
             LEFT JOIN processes AS p ON p.upid = e.upid LEFT JOIN processes AS q ON q.name = e.comm",
        );
        let text = lines.join("\n");
        for line in ["  proc_exit_events by [upid, comm]", "  names by [upid, comm]"] {
            assert!(lines.iter().any(|told| told == line), "{line}: {text}");
        }
        let plan = lines.iter().skip_while(|line| *line != "plan:");
        let plan: Vec<&str> = plan.map(|line| line.trim_start()).collect();
        let at = |line: &str| plan.iter().position(|told| *told == line).unwrap_or_else(|| panic!("{line}: {text}"));
        assert!(at("named by [upid, comm]") < at("reduce by [upid, comm]: [count(*)]"), "{text}");
        assert!(at("reduce by [upid, comm]: [count(*)]") < at("its keys"), "{text}");
    }

    #[test]
    fn columns_have_the_names_that_users_know() {
        for script in ["service_map", "endpoint_latency", "flows"] {
            let script = crate::bundled().iter().find(|found| found.name.ends_with(script)).unwrap();
            let text = explained(script.text).join("\n");
            for internal in ["__", "@0", "fact_", "told_"] {
                assert!(!text.contains(internal), "{internal}: {text}");
            }
        }
        let text =
            explained("SELECT service, count(*) FROM http_events WHERE time_ > now() - INTERVAL '1m' GROUP BY 1");
        let text = text.join("\n");
        assert!(text.contains("reduce by [service_name]: [sum(count(*))]") && !text.contains("__"), "{text}");
    }

    #[test]
    fn a_view_that_runs_already_is_shared() {
        let catalog = Catalog::new();
        let sql = "SELECT req_path, count(*) AS n FROM http_events WHERE time_ > now() - INTERVAL '5 minutes' \
                   GROUP BY req_path";
        let compiled = |sql: &str| compile(&catalog, sql, "a.sql").unwrap().tables.remove(0);
        let plan = lower(&catalog, &compiled(sql)).unwrap();
        catalog.keep("busy", &plan);
        let explained = |sql: &str| explain(&catalog, &compiled(sql));
        assert_eq!(explained(&sql.replace("req_path, count", "req_path,  count")).running.as_deref(), Some("busy"));
        let lines = explained(sql).lines();
        assert!(lines.iter().any(|line| line.contains("runs already as busy")), "{lines:?}");
        for other in [sql.replace("AS n", "AS m"), sql.replace("5 min", "6 min"), sql.replace("req_path", "req_method")]
        {
            assert_eq!(explained(&other).running, None, "{other}");
        }
        catalog.forget("busy");
        assert_eq!(explained(sql).running, None);
    }

    #[test]
    fn what_other_views_keep_of_state_tables_is_shared() {
        let catalog = Catalog::new();
        let by_service = |table: &str| {
            let sql = format!(
                "SELECT service, count(*) AS n FROM {table} WHERE time_ > now() - INTERVAL '5 minutes' GROUP BY service"
            );
            compile(&catalog, &sql, "a.sql").unwrap().tables.remove(0)
        };
        let alone = explain(&catalog, &by_service("mysql_events"));
        assert!(alone.shared.is_empty() && alone.arrangements.iter().any(|what| what.contains("processes")));
        catalog.keep("services", &lower(&catalog, &by_service("http_events")).unwrap());
        let beside = explain(&catalog, &by_service("mysql_events"));
        assert!(beside.shared.iter().any(|what| what.contains("processes")), "{beside:?}");
        assert!(!beside.arrangements.iter().any(|what| what.contains("processes")), "{beside:?}");
        assert_eq!(beside.running, None);
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
