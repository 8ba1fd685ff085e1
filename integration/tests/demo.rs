//! The demo shows the map of its services; needs root to trace them, else it replays its recording.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use anyhow::Result;
use watershed_integration::agent::binary;
use watershed_integration::{machine, processes};

const SERVICES: [&str; 5] = ["nginx@", "orders@", "payments@", "catalog@", "search@"];

#[test]
fn the_demo_shows_its_services_live_as_root() -> Result<()> {
    if !machine::can_trace("the_demo_shows_its_services_live", &["nginx", "python3"]) {
        return Ok(());
    }
    let text = processes::output(Command::new(binary()).args(["demo", "--for", "12s"]))?;
    for service in SERVICES {
        assert!(text.contains(service), "{service} is missing in:\n{text}");
    }
    assert!(text.contains("POST /charge"), "{text}");
    Ok(())
}

#[test]
fn the_demo_replays_a_recording_where_tracing_is_not_permitted() -> Result<()> {
    let text = processes::output(Command::new(binary()).args(["demo", "--recorded", "--for", "12s"]))?;
    assert!(text.contains("recording"), "it says so: {text}");
    for service in SERVICES {
        assert!(text.contains(service), "{service} is missing in:\n{text}");
    }
    Ok(())
}
