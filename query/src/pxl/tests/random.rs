//! Programs from a grammar, whole and damaged: each compiles or is refused with a place in its text, never a panic.
//! `WATERSHED_PXL_PROGRAMS` sets how many are tried.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use watershed_model::{DataType, Table, tables};

use super::super::signatures::{self, FunctionKind, Overload, Signature};
use crate::tests::Losses;
use crate::{Catalog, Inputs, compile_with, execute, lower};

const PROGRAMS: u64 = 20_000;
/// Longest that a program may take; a bound on work would be broken long before.
const PATIENCE: Duration = Duration::from_secs(20);
const TYPES: [DataType; 6] =
    [DataType::Boolean, DataType::Int64, DataType::Float64, DataType::String, DataType::Time64Ns, DataType::Uint128];
const TABLES: [&str; 8] =
    ["http_events", "mysql_events", "conn_stats", "process_stats", "processes", "system.losses", "k8s.pods", "nothing"];
const COLUMNS: [&str; 14] = [
    "time_",
    "upid",
    "remote_addr",
    "latency",
    "resp_status",
    "req_path",
    "encrypted",
    "count",
    "name",
    "a",
    "b",
    "c",
    "pod",
    "nothing",
];
const CONTEXT: [&str; 8] = ["pod", "service", "namespace", "node", "cmdline", "pid", "container_id", "nothing"];
const TEXTS: [&str; 12] = [
    "",
    "a",
    "-5m",
    "-99999999999999999d",
    "2024-01-01 00:00:00 +0000",
    "(a+)+$",
    "(((",
    "{\"a\": 1}",
    "time_",
    "é\u{1F600}",
    "%Y",
    "left",
];
const NUMBERS: [&str; 10] =
    ["0", "1", "-1", "3", "9223372036854775807", "9223372036854775808", "0.5", "1e308", "1e999", "True"];
const SCRAPS: [&str; 18] =
    ["(", ")", "[", "]", "{", "}", ",", ":", "=", "==", ".", "'", "\"\"\"", "\n", "\n    ", "def ", "@", "\u{0}"];

/// A seeded writer of programs (splitmix64).
struct Writer {
    state: u64,
    functions: Vec<(&'static str, &'static Signature)>,
    /// What a well-typed program is over.
    table: &'static Table,
}

impl Writer {
    fn new() -> Self {
        let mut functions: Vec<_> = signatures::all().iter().map(|(name, of)| (name.as_str(), of)).collect();
        functions.sort_by_key(|(name, _)| *name);
        Writer { state: 0, functions, table: tables::ALL[0] }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len())]
    }

    fn program(&mut self, seed: u64) -> String {
        self.state = seed;
        if self.below(2) == 0 {
            return self.typed_program();
        }
        let mut text = String::from("import px\n");
        if self.below(4) == 0 {
            text.push_str("import pxviews\nimport pxtrace\nimport pxconfig\n");
        }
        if self.below(3) == 0 {
            let body = self.frame(2);
            text.push_str(&format!("def f(df, x: int):\n    df.a = x\n    return {body}\n"));
        }
        text.push_str(&format!("df = {}\ng = {}\n", self.source(), self.source()));
        for _ in 0..self.below(6) {
            let statement = self.statement();
            text.push_str(&statement);
            text.push('\n');
        }
        text.push_str("px.display(df)\n");
        for _ in 0..[0, 0, 1, 3][self.below(4)] {
            self.damage(&mut text);
        }
        text
    }

    /// A program whose names and types are right; some of its windows are not.
    fn typed_program(&mut self) -> String {
        self.table = tables::ALL[self.below(tables::ALL.len())];
        let time = self.of(&["", ", start_time='-5m'", ", start_time='-1h', end_time='-1m'"]);
        let mut text = format!("import px\ndf = px.DataFrame('{}'{time})\n", self.table.name);
        for number in 0..self.below(5) {
            let kind = TYPES[self.below(TYPES.len())];
            let statement = match self.below(4) {
                0 => format!("df = df[{}]\n", self.typed(DataType::Boolean, 3)),
                1 => format!("df = df.append(df.head({number}))\n"),
                _ => format!("df.new_{number} = {}\n", self.typed(kind, 3)),
            };
            text.push_str(&statement);
        }
        let column = self.table.columns[self.below(self.table.columns.len())];
        let aggregate = self.overload(FunctionKind::Aggregate, |way| way.arguments == [column.data_type]);
        match (self.below(3), aggregate) {
            (0, Some((name, _))) => {
                let key = self.table.columns[self.below(self.table.columns.len())].name;
                text.push_str(&format!("df = df.groupby('{key}').agg(a=('{}', px.{name}))\n", column.name));
            }
            (1, _) => {
                let name = column.name;
                text.push_str(&format!("df = df.merge(df, how='left', left_on='{name}', right_on='{name}')\n"));
            }
            _ => {}
        }
        text + "px.display(df)\n"
    }

    fn typed(&mut self, kind: DataType, depth: usize) -> String {
        if depth > 0 && self.below(4) > 0 {
            let way = self.overload(FunctionKind::Scalar, |way| way.result == kind);
            if let Some((name, way)) = way {
                let constant = |at: usize| way.constant.get(at).copied().unwrap_or_default();
                let argument = |(at, kind): (usize, &DataType)| {
                    if constant(at) { literal(self.below(9), *kind) } else { self.typed(*kind, depth - 1) }
                };
                let arguments: Vec<_> = way.arguments.iter().enumerate().map(argument).collect();
                return format!("px.{name}({})", arguments.join(", "));
            }
        }
        let fitting: Vec<_> = self.table.columns.iter().filter(|column| column.data_type == kind).collect();
        match self.below(fitting.len() + 1) {
            0 => literal(self.below(9), kind),
            at => format!("df.{}", fitting[at - 1].name),
        }
    }

    /// One of the ways to call that fit.
    fn overload(
        &mut self,
        kind: FunctionKind,
        fits: impl Fn(&Overload) -> bool,
    ) -> Option<(&'static str, &'static Overload)> {
        let of_kind = self.functions.iter().filter(|(_, of)| of.kind == kind);
        let ways = of_kind.flat_map(|(name, of)| of.overloads.iter().map(move |way| (*name, way)));
        let fitting: Vec<_> = ways.filter(|(_, way)| fits(way)).collect();
        if fitting.is_empty() { None } else { Some(fitting[self.below(fitting.len())]) }
    }

    fn statement(&mut self) -> String {
        match self.below(9) {
            0..3 => format!("df.{} = {}", self.of(&COLUMNS), self.expression(3)),
            3 => format!("df['{}'] = {}", self.of(&COLUMNS), self.expression(2)),
            4..7 => format!("{} = {}", self.of(&["df", "g"]), self.frame(3)),
            7 => format!("px.{}({}, '{}')", self.of(&["display", "debug", "export"]), self.frame(1), self.of(&TEXTS)),
            _ => format!("x = {}", self.expression(3)),
        }
    }

    fn source(&mut self) -> String {
        let time = self.of(&["'-5m'", "-300", "px.now() - px.minutes(5)", "None", "'-99999999999d'", "df"]);
        let select = self.of(&["", ", select=['time_', 'upid']", ", select=[]", ", end_time='-1m'", ", select='a'"]);
        match self.below(8) {
            0 => format!("px.{}({})", self.function(FunctionKind::Table), self.of(&["", "True", "'a', 1"])),
            _ => format!("px.DataFrame('{}', start_time={time}{select})", self.of(&TABLES)),
        }
    }

    fn frame(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.of(&["df", "g", "nothing", "df.a", "None"]).into();
        }
        let of = self.frame(depth - 1);
        let (a, b) = (self.of(&COLUMNS), self.of(&COLUMNS));
        match self.below(12) {
            0 => format!("{of}[['{a}', '{b}']]"),
            1 => format!("{of}[{}]", self.expression(3)),
            2 => format!("{of}.groupby(['{a}', '{b}']).agg(n=('{a}', px.{}))", self.function(FunctionKind::Aggregate)),
            3 => format!("{of}.groupby('{a}').agg(a=('{b}', px.{}))", self.function(FunctionKind::Scalar)),
            4 => {
                let how = self.of(&["inner", "left", "right", "outer", "cross"]);
                let right = self.frame(depth - 1);
                format!("{of}.merge({right}, how='{how}', left_on='{a}', right_on=['{b}'], suffixes=['', '_y'])")
            }
            5 => format!("{of}.append({})", self.frame(depth - 1)),
            6 => format!("{of}.head({})", self.of(&NUMBERS)),
            7 => format!("{of}.drop(['{a}', '{b}'])"),
            8 => format!("f({of}, {})", self.of(&NUMBERS)),
            9 => format!("{of}.rolling('{}', on='{a}')", self.of(&TEXTS)),
            10 => format!("{of}.stream().agg()"),
            _ => self.source(),
        }
    }

    fn expression(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.below(6) {
                0 => format!("'{}'", self.of(&TEXTS)),
                1 => self.of(&NUMBERS).into(),
                2 => format!("df.ctx['{}']", self.of(&CONTEXT)),
                3 => self.of(&["None", "px.now()", "x", "[1, 'a']", "(1, 2)", "{'a': 1}", "px", "px.Pod"]).into(),
                _ => format!("df.{}", self.of(&COLUMNS)),
            };
        }
        let operand = self.expression(depth - 1);
        match self.below(6) {
            0 | 1 => {
                let kind = [FunctionKind::Scalar, FunctionKind::Scalar, FunctionKind::Aggregate][self.below(3)];
                let more = (0..self.below(3)).map(|_| format!(", {}", self.expression(depth - 1))).collect::<String>();
                format!("px.{}({operand}{more})", self.function(kind))
            }
            2 => format!("{}{operand}", self.of(&["-", "not ", "~", "+", "- -"])),
            3 => format!("px.select({operand}, {}, {})", self.expression(depth - 1), self.expression(depth - 1)),
            _ => {
                let operator =
                    self.of(&["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "and", "or", "**", "//", "in", "is"]);
                format!("({operand}) {operator} ({})", self.expression(depth - 1))
            }
        }
    }

    fn function(&mut self, kind: FunctionKind) -> &'static str {
        loop {
            let at = self.below(self.functions.len());
            let (name, of) = self.functions[at];
            if of.kind == kind {
                return name;
            }
        }
    }

    /// Takes a piece out of a program, repeats one, or puts a scrap in.
    fn damage(&mut self, text: &mut String) {
        let mut at = self.below(text.len());
        let mut end = (at + self.below(12)).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        match self.below(3) {
            0 => text.replace_range(at..end, ""),
            1 => {
                let piece = text[at..end].to_owned();
                text.insert_str(end, &piece);
            }
            _ => text.insert_str(at, self.of(&SCRAPS)),
        }
    }
}

fn literal(choice: usize, kind: DataType) -> String {
    match kind {
        DataType::Boolean => ["True", "False"][choice % 2].into(),
        DataType::Int64 => ["0", "1", "-7", "200"][choice % 4].into(),
        DataType::Float64 => ["0.0", "0.5", "-1e9"][choice % 3].into(),
        DataType::String => format!("'{}'", TEXTS[choice % TEXTS.len()]),
        DataType::Time64Ns => "px.now()".into(),
        DataType::Uint128 => "px.uint128('00000000-0000-0001-0000-000000000007')".into(),
    }
}

/// Compiles a program; every 50th that compiles is also run once and made a view, as far as it can be.
fn try_out(catalog: &Catalog, text: &str, runs: bool) -> Result<bool, String> {
    let inputs = Inputs { arguments: &BTreeMap::new(), vis: None };
    let script = match compile_with(catalog, text, "a.pxl", &inputs) {
        Ok(script) => script,
        Err(errors) => {
            let lines = text.lines().count() as u64 + 1;
            let located = |error: &crate::ScriptError| {
                (1..=lines).contains(&error.line) && error.column >= 1 && !error.message.is_empty()
            };
            let all_located = !errors.is_empty() && errors.iter().all(located);
            return if all_located { Ok(false) } else { Err(format!("not located: {errors:?}")) };
        }
    };
    // Plans of several parts are executed as tasks.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
    for table in script.tables.iter().filter(|_| runs) {
        let _refusal_or_view = lower(catalog, table);
        runtime
            .block_on(execute(catalog, table, Arc::new(Losses)))
            .map_err(|error| format!("it compiles but does not run: {error}"))?;
    }
    Ok(true)
}

#[test]
fn programs_from_a_grammar_compile_or_are_refused_with_a_place() {
    let programs = std::env::var("WATERSHED_PXL_PROGRAMS").ok().and_then(|count| count.parse().ok());
    let (catalog, mut writer) = (Catalog::new(), Writer::new());
    let mut compiled = 0_u64;
    let (mut wrong, mut told) = (Vec::new(), 0);
    let programs = programs.unwrap_or(PROGRAMS);
    for seed in 0..programs {
        if seed % 50_000 == 0 {
            eprintln!("{seed} programs, of which {compiled} compile and {} are wrong", wrong.len());
        }
        let text = writer.program(seed);
        let begun = Instant::now();
        if std::env::var_os("WATERSHED_PXL_SHOW").is_some() {
            eprintln!("seed {seed}\n{text}");
        }
        let tried = catch_unwind(AssertUnwindSafe(|| try_out(&catalog, &text, compiled.is_multiple_of(50))));
        match tried {
            Ok(Ok(compiles)) => compiled += u64::from(compiles),
            Ok(Err(message)) => wrong.push(format!("seed {seed}: {message}\n{text}")),
            Err(_) => wrong.push(format!("seed {seed} panics:\n{text}")),
        }
        if begun.elapsed() > PATIENCE {
            wrong.push(format!("seed {seed} takes {:?}:\n{text}", begun.elapsed()));
        }
        // What is found is told at once, as a long run may be ended before it.
        wrong.iter().skip(told).for_each(|message| eprintln!("{message}\n"));
        told = wrong.len();
        assert!(told < 10, "{}", wrong.join("\n\n"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(compiled * 10 > programs, "only {compiled} of {programs} programs compile");
}
