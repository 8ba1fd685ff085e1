//! Every bundled script over random rows of every table: kept up, it is what DataFusion answers once.
//! `WATERSHED_LAW_SEEDS` sets how many seeds are tried.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::logical_expr::{FetchType, LogicalPlan};
use watershed_query::{Bundled, Catalog, Inputs, ScriptTable, bundled, compile, compile_with};

use super::filler::{Filler, Random};
use super::idioms::PXL;
use super::world::World;

const TICKS: u64 = 14;
/// Ticks after which views are compared; some scripts are made views only after the first ticks.
const CHECKED: [u64; 2] = [7, TICKS - 1];

/// SQL beside the bundled scripts: columns that are not stored.
const SQL: [&str; 4] = [
    "SELECT pod, service, namespace, node, container, cmdline, remote_pod, remote_service, latency FROM http_events \
     WHERE time_ > now() - INTERVAL '5 minutes'",
    "SELECT service, remote_service, count(*) AS n, sum(latency) AS total FROM mysql_events \
     WHERE time_ > now() - INTERVAL '1 minute' AND namespace <> '' GROUP BY service, remote_service",
    "SELECT remote_pod, count(DISTINCT pod) AS pods FROM conn_stats \
     WHERE time_ > now() - INTERVAL '2 minutes' GROUP BY remote_pod",
    "SELECT o.name, o.phase, e.latency FROM http_events AS e JOIN k8s.pods AS o ON e.remote_pod = o.name \
     WHERE e.time_ > now() - INTERVAL '5 minutes'",
];

/// A table of a script, with where it is from.
struct Shown {
    name: String,
    of: String,
    table: ScriptTable,
}

/// Values of variables that some of the rows have.
fn arguments(script: &Bundled, random: &mut Random) -> BTreeMap<String, String> {
    let vis: serde_json::Value = serde_json::from_str(script.vis.unwrap_or("{}")).unwrap();
    let names = vis["variables"].as_array().into_iter().flatten().filter_map(|variable| variable["name"].as_str());
    let value = |name: &str, random: &mut Random| {
        Some(match name {
            "pod" | "baseline_pod" => random.of(&["shop/cart-1", "db/", "web/front-1"]),
            "service" => random.of(&["shop/cart", "db/mysql", "web"]),
            "namespace" => random.of(&["shop", "db", "web"]),
            "node" => "n1",
            "ip" => "10.0.0.3",
            "trace_id" => "4bf92f",
            "max_rows" => "3",
            "slower_than_ms" => "1",
            _ => return None,
        })
    };
    names.filter_map(|name| Some((name.to_owned(), value(name, random)?.to_owned()))).collect()
}

fn tables_of(catalog: &Catalog, script: &Bundled, arguments: &BTreeMap<String, String>) -> Vec<Shown> {
    let inputs = Inputs { arguments, vis: script.vis };
    let compiled = compile_with(catalog, script.text, script.file, &inputs)
        .unwrap_or_else(|errors| panic!("{}: {errors:?}", script.name));
    let shown = |mut table: ScriptTable| {
        // A view is complete.
        table.rows_max = None;
        let name = format!("{} {}", script.name, table.name);
        Shown { of: format!("{name} {arguments:?}"), name, table }
    };
    compiled.tables.into_iter().map(shown).collect()
}

/// The plan without its limit and how many rows that lets through, if it takes any rows rather than the first ones.
fn any_rows(table: &ScriptTable) -> Option<(ScriptTable, usize)> {
    let mut fetched = None;
    let all = table.plan.clone().transform_down(|node| match node {
        LogicalPlan::Limit(limit) if !matches!(*limit.input, LogicalPlan::Sort(_)) => {
            let Ok(FetchType::Literal(Some(fetch))) = limit.get_fetch_type() else { panic!("a limit is a number") };
            fetched = Some(fetch);
            Ok(Transformed::yes(limit.input.as_ref().clone()))
        }
        other => Ok(Transformed::no(other)),
    });
    let plan = all.unwrap().data;
    fetched.map(|fetched| (ScriptTable { plan, ..table.clone() }, fetched))
}

fn compare(world: &World, at: usize, shown: &Shown) -> Result<usize, String> {
    let kept = world.counted(at);
    let wrong = |expected: &BTreeMap<String, i64>| {
        let only = |these: &BTreeMap<String, i64>, others: &BTreeMap<String, i64>| {
            let differing = these.iter().filter(|(row, count)| others.get(*row) != Some(count));
            differing.take(3).map(|(row, count)| format!("\n    {count} × {row}")).collect::<String>()
        };
        Err(format!("{}\n  view:{}\n  once:{}", shown.of, only(kept, expected), only(expected, kept)))
    };
    if let Some((all, fetched)) = any_rows(&shown.table) {
        let all = world.once(&all);
        let (there, total) = (kept.values().sum::<i64>(), all.values().sum::<i64>());
        let some = kept.iter().all(|(row, count)| all.get(row).is_some_and(|most| count <= most));
        return if some && there == total.min(fetched as i64) { Ok(there as usize) } else { wrong(&all) };
    }
    let once = world.once(&shown.table);
    if *kept == once { Ok(once.len()) } else { wrong(&once) }
}

/// Follows all scripts over one seed's rows; what was ever shown, and what was wrong.
fn follow_all(seed: u64, rows_shown: &mut BTreeSet<String>) -> Vec<String> {
    let (mut world, mut filler) = (World::start(1 + seed as usize % 3), Filler::new(seed));
    let mut shown: Vec<Shown> = Vec::new();
    let (mut wrong, mut followed) = (Vec::new(), 0);
    for script in bundled() {
        let arguments = if seed.is_multiple_of(2) { arguments(script, &mut filler.random) } else { BTreeMap::new() };
        shown.extend(tables_of(&world.catalog, script, &arguments));
    }
    for sql in SQL {
        let table = compile(&world.catalog, sql, "own.sql").unwrap_or_else(|e| panic!("{sql}: {e:?}")).tables.remove(0);
        shown.push(Shown { name: sql.into(), of: sql.into(), table });
    }
    for (number, text) in PXL.iter().enumerate() {
        let script = compile(&world.catalog, text, "idiom.pxl").unwrap_or_else(|e| panic!("{text}: {e:?}"));
        for table in script.tables {
            let name = format!("idiom {number} {}", table.name);
            let table = ScriptTable { rows_max: None, ..table };
            shown.push(Shown { of: format!("{name}: {text}"), name, table });
        }
    }
    for tick in 0..TICKS {
        // Half of the views join when rows are there.
        let joined = if tick < 4 { shown.len() / 2 } else { shown.len() };
        while followed < joined {
            world.follow_table(shown[followed].table.clone());
            followed += 1;
        }
        let after = match CHECKED.contains(&tick) {
            // Views that are brought up to date each second are so then.
            true => 1_000,
            false if filler.random.below(6) == 0 => 100 * filler.random.below(900),
            false => 0,
        };
        world.tick_with(100 + after, |time| filler.tick(time));
        if !CHECKED.contains(&tick) {
            continue;
        }
        world.catch_up();
        for (at, table) in shown.iter().enumerate() {
            match compare(&world, at, table) {
                Ok(0) => {}
                Ok(_) => {
                    rows_shown.insert(table.name.clone());
                }
                Err(difference) => wrong.push(format!("seed {seed}, tick {tick}: {difference}")),
            }
        }
    }
    world.stop();
    wrong
}

#[test]
fn every_bundled_script_kept_up_equals_its_answer_over_random_rows() {
    let seeds: u64 = std::env::var("WATERSHED_LAW_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(2);
    let run = |first: u64| {
        let mut rows_shown = BTreeSet::new();
        let wrong = (first..seeds).step_by(2).flat_map(|seed| follow_all(seed, &mut rows_shown)).collect::<Vec<_>>();
        (wrong, rows_shown)
    };
    let ((mut wrong, mut rows_shown), (others, more_shown)) = std::thread::scope(|scope| {
        let even = scope.spawn(|| run(0));
        let odd = run(1);
        (odd, even.join().unwrap())
    });
    wrong.extend(others);
    rows_shown.extend(more_shown);
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    let catalog = Catalog::new();
    let none = BTreeMap::new();
    let of_all = bundled().iter().flat_map(|script| tables_of(&catalog, script, &none));
    let of_idiom = |number: usize| rows_shown.iter().any(|name| name.starts_with(&format!("idiom {number} ")));
    let idle: Vec<_> = (0..PXL.len()).filter(|number| !of_idiom(*number)).map(|number| PXL[number]).collect();
    assert!(idle.is_empty(), "never had rows: {idle:?}");
    let own = SQL.iter().filter(|sql| !rows_shown.contains(**sql)).collect::<Vec<_>>();
    assert!(own.is_empty(), "never had rows: {own:?}");
    let empty: Vec<_> = of_all.map(|shown| shown.name).filter(|name| !rows_shown.contains(name)).collect();
    let ours = empty.iter().filter(|name| name.starts_with("ws/")).collect::<Vec<_>>();
    assert!(ours.is_empty(), "never had rows: {ours:?}");
    assert!(empty.len() * 10 < rows_shown.len(), "{} have rows; never: {empty:?}", rows_shown.len());
}
