//! Scripts that want too much: a located mistake or an answer, within bounded time and stack.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::tests::Losses;
use crate::{Catalog, compile, execute, lower};

/// Far more than any of these needs, far less than one without a bound takes.
const PATIENCE: Duration = Duration::from_secs(30);

const HEAD: &str = "import px\ndf = px.DataFrame('system.losses', start_time='-5m')\n";

/// What is wrong with a script; nothing if it compiles, and then it runs.
fn tried(origin: &str, text: &str) -> Vec<String> {
    let (catalog, begun) = (Catalog::new(), Instant::now());
    let errors = match compile(&catalog, text, origin) {
        Ok(script) => {
            let _view_or_refusal = lower(&catalog, &script.tables[0]);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _rows_or_error = runtime.block_on(execute(&catalog, &script.tables[0], Arc::new(Losses)));
            Vec::new()
        }
        Err(errors) => errors,
    };
    assert!(begun.elapsed() < PATIENCE, "{:?}: {:.60}", begun.elapsed(), text);
    let lines = text.lines().count() as u64 + 1;
    assert!(errors.iter().all(|error| (1..=lines).contains(&error.line)), "{errors:?}");
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_script_of_a_megabyte_is_refused() {
    for origin in ["a.pxl", "a.sql"] {
        let errors = tried(origin, &"SELECT 1 -- long\n".repeat(64 * 1024));
        assert!(errors[0].contains("longer than"), "{errors:?}");
    }
}

#[test]
fn ten_thousand_columns_are_refused_or_answered_in_bounded_time() {
    let assigned: String = (0..10_000).map(|at| format!("df.c{at} = 1\n")).collect();
    let errors = tried("a.pxl", &format!("{HEAD}{assigned}px.display(df)\n"));
    assert!(errors.iter().any(|error| error.contains("columns")), "{:?}", errors.first());
    let kept: Vec<_> = (0..10_000).map(|at| format!("'c{at}'")).collect();
    let errors = tried("a.pxl", &format!("{HEAD}df = df[[{}]]\npx.display(df)\n", kept.join(", ")));
    assert!(!errors.is_empty());
    let selected: Vec<_> = (0..10_000).map(|at| format!("1 AS c{at}")).collect();
    let errors = tried("a.sql", &format!("SELECT {} FROM system.losses", selected.join(", ")));
    assert!(errors.iter().any(|error| error.contains("columns")), "{:?}", errors.first());
}

#[test]
fn deep_nesting_overflows_no_stack() {
    let nested = |open: &str, inner: &str, close: &str| format!("{}{inner}{}", open.repeat(4_000), close.repeat(4_000));
    for expression in [
        nested("(", "1", ")"),
        nested("[", "1", "]"),
        nested("px.abs(", "df.count", ")"),
        nested("not ", "True", ""),
        nested("1 + ", "1", ""),
        nested("df.count == 1 or ", "True", ""),
        nested("{'a': ", "1", "}"),
    ] {
        assert!(
            !tried("a.pxl", &format!("{HEAD}df.x = {expression}\npx.display(df)\n")).is_empty(),
            "{expression:.40}"
        );
    }
    let chained = "df = df.head(10)\n".repeat(2_000);
    tried("a.pxl", &format!("{HEAD}{chained}px.display(df)\n"));
    for expression in [nested("(", "1", ")"), nested("abs(", "1", ")"), nested("NOT ", "true", "")] {
        tried("a.sql", &format!("SELECT {expression} AS x"));
    }
}

#[test]
fn what_doubles_with_each_line_is_refused() {
    let doubled =
        |begin: &str, line: &str| format!("{HEAD}{begin}\n{}px.display(df)\n", format!("{line}\n").repeat(40));
    for (begin, line) in [
        ("", "df = df.append(df)"),
        ("", "df = df.merge(df, how='inner', left_on='count', right_on='count')"),
        ("", "df.count = df.count + df.count"),
        ("x = 'abcdefgh'", "x = x + x"),
        ("x = [1]", "x = x + x"),
        ("x = [1]", "x = [x, x]"),
        ("x = df.count", "x = x + x"),
        ("x = 'a'", "x = px.replace('a', x, 'aa')"),
    ] {
        let errors = tried("a.pxl", &doubled(begin, line));
        // Nested lists share their elements, and a column that is assigned is computed once.
        assert!(!errors.is_empty() || matches!(line, "x = [x, x]" | "df.count = df.count + df.count"), "{line}");
    }
    let mut functions = "def f0(a):\n    return a + 1\n".to_owned();
    for at in 1..30 {
        functions += &format!("def f{at}(a):\n    return f{0}(f{0}(a))\n", at - 1);
    }
    assert!(!tried("a.pxl", &format!("{HEAD}{functions}df.x = f29(1)\npx.display(df)\n")).is_empty());
}

#[test]
fn a_long_chain_of_sql_operators_ends_in_bounded_time() {
    for operator in [" + 1", " OR 1 = 2", " || 'a'"] {
        let start = if operator.contains("OR") { "1 = 1" } else { "1" };
        tried("a.sql", &format!("SELECT {start}{} AS x", operator.repeat(120)));
        assert!(!tried("a.sql", &format!("SELECT {start}{} AS x", operator.repeat(3_000))).is_empty());
    }
}

#[test]
fn regular_expressions_that_explode_end_in_bounded_time() {
    for regex in ["(a+)+$", "(((a{100}){100}){100}){100}", "(a|aa)*b", "((((a*)*)*)*)*"] {
        for call in ["px.regex_match('{}', df.source)", "px.replace('{}', df.source, 'x')"] {
            let call = call.replace("{}", regex);
            tried("a.pxl", &format!("{HEAD}df.x = {call}\npx.display(df)\n"));
        }
        tried("a.sql", &format!("SELECT source ~ '{regex}' AS x FROM system.losses"));
    }
}
