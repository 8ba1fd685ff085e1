//! Needs root: faults injected into live traffic raise flags with evidence, which go once the fault is gone.
#![allow(clippy::unwrap_used)]

use anyhow::Result;
use serde_json::Value;
use watershed_integration::agent::Agent;
use watershed_integration::faulty::Faulty;
use watershed_integration::{machine, processes};

/// Of each fault: its kind, severity, the detector, the subject that it flags, and a feature that is evidence.
const FAULTS: [(&str, f64, &str, &str, &str); 3] = [
    ("errors", 1.0, "error-rate", "shop0@% GET /checkout", "error_rate"),
    ("n_plus_one", 40.0, "n-plus-one", "shop0@% select price from items%", "queries"),
    ("dns", 1.0, "dns-outage", "shop0@%", "unserved_rate"),
];

fn flags(agent: &Agent, detector: &str, subject: &str) -> Result<Vec<Value>> {
    agent.query(&format!("SELECT * FROM anomalies WHERE detector = '{detector}' AND subject ILIKE '{subject}'"))
}

#[test]
fn errors_n_plus_one_and_a_name_servers_outage_are_flagged_with_evidence_and_cleared_as_root() -> Result<()> {
    if !machine::can_trace("live_detectors", &["python3"]) {
        return Ok(());
    }
    let mut faulty = Faulty::start(8)?;
    let agent = Agent::on_process(faulty.pid(), &[])?;
    let served = "SELECT count(*) FROM http_events";
    processes::wait_until("traffic", || agent.number(served).is_ok_and(|count| count > 100))?;
    assert_eq!(agent.query("SELECT * FROM anomalies")?, Vec::<Value>::new());

    for (kind, severity, ..) in FAULTS {
        faulty.set(kind, severity)?;
    }
    for (kind, _, detector, subject, feature) in FAULTS {
        processes::wait_at_most(40, kind, || flags(&agent, detector, subject).is_ok_and(|flags| !flags.is_empty()))?;
        let flag = &flags(&agent, detector, subject)?[0];
        let evidence: Value = serde_json::from_str(flag["evidence"].as_str().unwrap())?;
        assert!(evidence["features"][feature].as_f64().unwrap() > 0.2, "{flag}");
        assert!(!evidence["rows"].as_array().unwrap().is_empty(), "{flag}");
        assert!(flag["score"].as_f64().unwrap() > flag["threshold"].as_f64().unwrap(), "{flag}");
    }

    // More requests that are well leave less of the minute to wait.
    faulty.set("load", 5.0)?;
    for (kind, ..) in FAULTS {
        faulty.set(kind, 0.0)?;
    }
    for (kind, _, detector, subject, _) in FAULTS {
        let gone = || flags(&agent, detector, subject).is_ok_and(|flags| flags.is_empty());
        processes::wait_at_most(80, &format!("the end of {kind}"), gone)?;
    }
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
