//! Needs root: what real servers and their clients say to each other is decoded by tshark as well, and every exchange
//! is in the tables as it was said, at least 999 of 1000, and nothing else is.

use std::fs;

use anyhow::Result;
use watershed_integration::oracle::nats;
use watershed_integration::oracle::stage::{self, Case};
use watershed_integration::processes::Owned;

#[test]
fn nats_rows_are_what_was_said_as_root() -> Result<()> {
    let case = Case {
        name: "nats",
        table: "nats_events.beta",
        port: 4222,
        commands: &["nats-server"],
        modules: &["nats"],
        expected: nats::expected,
        found: |row| Some(nats::found(row)),
    };
    stage::judge(&case, |stage| {
        let store = stage.path("jetstream");
        let text = format!("listen: \"127.0.0.1:4222\"\njetstream {{ store_dir: \"{store}\" }}\n");
        fs::write(stage.path("nats.conf"), text)?;
        Owned::spawn(stage.command("nats-server")?.args(["-c", "nats.conf"]))
    })
}
