//! Needs root: servers under load by their own load tools count commands themselves; there are as many rows of each, and
//! nothing is lost.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use watershed_integration::agent::{Agent, integer};
use watershed_integration::namespace::{self, Namespace};
use watershed_integration::oracle::servers;
use watershed_integration::oracle::stage::Stage;
use watershed_integration::processes::Owned;
use watershed_integration::redis::Redis;
use watershed_integration::{machine, processes};

/// Requests of loads of which one has to be seen whole: a machine that others keep busy loses some of one, and says so;
/// nearly all of the last fits into the ring.
const LOADS: [u32; 3] = [20_000, 6_000, 2_000];

/// What a query counts once it has come to at least so many and stood still.
fn counted(agent: &Agent, sql: &str, least: i64) -> Result<i64> {
    // Of a busy machine the first rows may take longer than a pause between others.
    processes::wait_at_most(60, "the rows", || agent.number(sql).is_ok_and(|count| count >= least))?;
    agent.settled(sql)
}

/// Calls by command, as Redis says.
fn calls(redis: &Redis) -> Result<BTreeMap<String, i64>> {
    let text = redis.ask(&["info", "commandstats"])?;
    let line = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.replace('|', " ").to_uppercase(), rest.split(',').next()?.parse().ok()?))
    };
    Ok(text.lines().filter_map(line).collect())
}

#[test]
fn redis_has_a_row_a_command_one_by_one_and_pipelined_as_root() -> Result<()> {
    if !machine::can_trace("counts_of_redis", &["redis-server", "redis-cli", "redis-benchmark"]) {
        return Ok(());
    }
    for pipeline in ["1", "16", "200"] {
        let mut losses = Vec::new();
        for requests in LOADS {
            losses = redis_under_load(requests, pipeline)?;
            if losses.is_empty() {
                break;
            }
        }
        assert!(losses.is_empty(), "pipeline {pipeline}: {losses:?}");
    }
    Ok(())
}

/// What was lost of a load. If nothing was, there is a row a command.
fn redis_under_load(requests: u32, pipeline: &str) -> Result<Vec<Value>> {
    let redis = Redis::start()?;
    let agent = Agent::on_process(redis.pid(), &[])?;
    let mut load = Command::new("redis-benchmark");
    load.args(["-p", &redis.port().to_string(), "-c", "10", "-n", &requests.to_string(), "-P", pipeline, "-q"]);
    processes::output(load.args(["-t", "set,get,incr,lpush,lrange_100,mset"]))?;
    let (rows, wanted) = ("SELECT count(*) FROM redis_events", calls(&redis)?.values().sum::<i64>());
    let lost = || agent.query("SELECT * FROM system.losses");
    let is_told = || agent.number(rows).is_ok_and(|rows| rows >= wanted) || lost().is_ok_and(|lost| !lost.is_empty());
    processes::wait_at_most(120, "a row a command, or a loss", is_told)?;
    agent.settled(rows)?;
    let losses = lost()?;
    if !losses.is_empty() {
        println!("pipeline {pipeline}: {} of {wanted} rows, lost {losses:?}", agent.number(rows)?);
        return Ok(losses);
    }
    let rows = agent.query("SELECT req_cmd, count(*) AS n FROM redis_events GROUP BY req_cmd")?;
    let seen = |command: &str| integer(&rows.iter().find(|row| row["req_cmd"] == command)?["n"]);
    for (command, calls) in calls(&redis)? {
        assert_eq!(seen(&command), Some(calls), "{command}, pipeline {pipeline}");
    }
    assert_eq!(agent.stop(), Some(0));
    Ok(losses)
}

/// A server of the judged conversations in a namespace of its own, with an agent.
fn staged(name: &str, port: u16, start: impl FnOnce(&Stage) -> Result<Owned>) -> Result<(Stage, Owned, Agent)> {
    let stage = Stage { namespace: Namespace::new(name)?, folder: TempDir::new()? };
    let server = start(&stage)?;
    namespace::wait_for_listener(server.pid(), port)?;
    let agent = Agent::start(&["--scope", &stage.namespace.scope(), "--data-budget", "1GiB"])?;
    Ok((stage, server, agent))
}

#[test]
fn mysql_has_a_row_a_query_as_root() -> Result<()> {
    if !machine::can_trace("counts_of_mysql", &["ip", "mariadbd", "mariadb", "mysqlslap"]) {
        return Ok(());
    }
    let (stage, _server, agent) = staged("counts-mysql", 3306, servers::mariadb)?;
    let client = |program: &str, arguments: &[&str]| {
        let path = machine::find(program).context("the client")?;
        let mut command = stage.namespace.command(&path);
        command.args(["--no-defaults", "-h", "127.0.0.1", "-u", "oracle", "-psecret"]).args(arguments);
        processes::output(&mut command)
    };
    client("mariadb", &["-e", "CREATE DATABASE b; CREATE TABLE b.t AS SELECT 1 AS v"])?;
    let query = "SELECT v FROM t WHERE v = 1";
    client("mysqlslap", &["--create-schema=b", "--no-drop", "-c", "8", "--number-of-queries=8000", "-q", query])?;
    let said = client("mariadb", &["-N", "-e", "SHOW GLOBAL STATUS LIKE 'Com_select'"])?;
    let selects: i64 = said.split_whitespace().nth(1).context("a number")?.parse()?;
    assert!(selects >= 8000, "{said}");
    let rows = "SELECT count(*) FROM mysql_events WHERE req_body LIKE 'SELECT%' AND trace_role =";
    assert_eq!(counted(&agent, &format!("{rows} 2"), selects)?, selects);
    assert_eq!(agent.number(&format!("{rows} 1"))?, selects);
    let losses = agent.query("SELECT * FROM system.losses")?;
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn postgresql_has_a_row_a_query_as_root() -> Result<()> {
    if !machine::can_trace("counts_of_postgresql", &["ip", "setpriv"]) {
        return Ok(());
    }
    let pgbench = newest("/usr/lib/postgresql", "bin/pgbench");
    let Some(pgbench) = pgbench else {
        println!("SKIPPED counts_of_postgresql: pgbench is not installed");
        return Ok(());
    };
    let (stage, _server, agent) = staged("counts-pgsql", 5432, servers::postgres)?;
    let bench = |arguments: &[&str]| {
        let mut command = stage.namespace.command(&pgbench);
        command.args(["-h", "127.0.0.1", "-U", "postgres"]).args(arguments).arg("postgres");
        processes::output(command.env("PGOPTIONS", "-c log_statement=all"))
    };
    bench(&["-i", "-q", "-s", "1"])?;
    for mode in ["simple", "extended", "prepared"] {
        // At a rate that a development build keeps up with on a busy machine.
        bench(&["-S", "-n", "-c", "8", "-t", "500", "-R", "2000", "-M", mode])?;
    }
    let log = std::fs::read_to_string(stage.path("server.log"))?;
    let simple = log.lines().filter(|line| line.contains("statement: SELECT abalance")).count() as i64;
    let executed = log.lines().filter(|line| line.contains(": SELECT abalance")).count() as i64;
    assert_eq!((simple, executed), (4000, 12_000));
    let rows = "SELECT count(*) FROM pgsql_events WHERE trace_role = 2 AND req LIKE '%SELECT abalance%'";
    let all = format!("{rows} AND req_cmd IN ('QUERY', 'EXECUTE')");
    assert_eq!(counted(&agent, &all, executed)?, executed);
    assert_eq!(agent.number(&format!("{rows} AND req_cmd = 'QUERY'"))?, simple);
    let losses = agent.query("SELECT * FROM system.losses")?;
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

/// The newest version's file below a folder of versions.
fn newest(folder: &str, file: &str) -> Option<std::path::PathBuf> {
    let versions = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path().join(file)));
    versions.filter(|path| path.exists()).max()
}
