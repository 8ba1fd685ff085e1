//! Watches a scope or plays a recording for some seconds and prints what came of it: `watch SCOPE|FILE SECONDS`, or
//! writes a recording: `watch SCOPE SECONDS FILE`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use watershed_ingest::{Config, Ingest, Pace, SourceSpec, record};
use watershed_model::Tick;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, seconds, rest @ ..] = &arguments[..] else {
        return Err("usage: watch SCOPE|FILE SECONDS [FILE]".into());
    };
    let duration = Duration::from_secs(seconds.parse()?);
    let scopes = || -> Result<_, Box<dyn std::error::Error>> {
        Ok(watershed_bpf::Config { scopes: vec![source.parse()?], ..watershed_bpf::Config::default() })
    };
    if let [file] = rest {
        let summary = record(&scopes()?, &PathBuf::from(file), Some(duration), &Arc::new(AtomicBool::new(false)))?;
        println!("{summary:?}");
        return Ok(());
    }
    let path = PathBuf::from(source);
    let spec = match path.exists() {
        true => SourceSpec::Recording { path, pace: Pace::AsFast },
        false => SourceSpec::Kernel(scopes()?),
    };
    let (sender, ticks) = mpsc::channel();
    let ingest = Ingest::start(spec, Config::default(), Box::new(move |tick| drop(sender.send(tick))))?;
    eprintln!("watching");
    let (started, mut sums) = (Instant::now(), BTreeMap::new());
    while let Some(left) = duration.checked_sub(started.elapsed()) {
        let Ok(tick) = ticks.recv_timeout(left) else { break };
        add(&mut sums, &tick);
    }
    for ((table, column), sum) in &sums {
        println!("{table}\t{column}\t{sum}");
    }
    let status = ingest.status();
    println!("ended {} error {:?} map bytes {}", status.ended, status.error, status.map_bytes);
    Ok(())
}

fn add(sums: &mut BTreeMap<(String, String), i64>, tick: &Tick) {
    for (table, batch) in &tick.events {
        *sums.entry(((*table).to_owned(), "rows".to_owned())).or_default() += batch.num_rows() as i64;
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            let sum = match field.data_type() {
                DataType::Int64 => array.as_primitive::<Int64Type>().values().iter().sum(),
                DataType::Boolean => array.as_boolean().true_count() as i64,
                _ => continue,
            };
            *sums.entry(((*table).to_owned(), field.name().clone())).or_default() += sum;
        }
        if *table == "system.losses" {
            let (reasons, counts) = (batch.column(3).as_string::<i32>(), batch.column(4).as_primitive::<Int64Type>());
            for row in 0..batch.num_rows() {
                let name = (format!("loss {}", reasons.value(row)), "count".to_owned());
                *sums.entry(name).or_default() += counts.value(row);
            }
        }
    }
    for change in &tick.states {
        *sums.entry((change.table.to_owned(), "diffs".to_owned())).or_default() += change.diffs.iter().sum::<i64>();
    }
}
