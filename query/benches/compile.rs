//! Compile time of every bundled script, to plans of both ways of running: text to tables, then each lowered to a view.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use watershed_query::{Bundled, Catalog, Inputs, bundled, compile_with, lower};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUNS: usize = 20;

/// Times to compile and to lower.
fn measured(catalog: &Catalog, script: &Bundled) -> [Duration; 2] {
    let inputs = Inputs { arguments: &BTreeMap::new(), vis: script.vis };
    let start = Instant::now();
    let compiled = compile_with(catalog, script.text, script.file, &inputs).expect("bundled scripts compile");
    let compile = start.elapsed();
    for table in &compiled.tables {
        // One that only runs once is refused, which takes its time as well.
        let _view_or_refusal = lower(catalog, table);
    }
    [compile, start.elapsed() - compile]
}

fn shown(name: &str, mut times: Vec<(Duration, &str)>) {
    times.sort();
    let at = |quantile: f64| times[((times.len() - 1) as f64 * quantile) as usize];
    let ms = |(time, _): (Duration, &str)| time.as_secs_f64() * 1e3;
    println!(
        "{name}: p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms ({})",
        ms(at(0.5)),
        ms(at(0.99)),
        ms(at(1.0)),
        at(1.0).1
    );
}

fn main() {
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let catalog = Catalog::new();
    let scripts = bundled();
    // Named views read each other only by their tables here, so each script compiles alone.
    for script in scripts {
        let _warm = measured(&catalog, script);
    }
    let mut all: [Vec<(Duration, &str)>; 2] = Default::default();
    for _ in 0..runs {
        for script in scripts {
            for (times, time) in all.iter_mut().zip(measured(&catalog, script)) {
                times.push((time, script.name));
            }
        }
    }
    let [compile, plan] = all;
    println!("{} scripts, {runs} runs each", scripts.len());
    shown("compile", compile);
    shown("lower all tables", plan);
}
