#![allow(clippy::unwrap_used)]

use super::*;

const GOOD: &str = r#"
name = "slow-endpoints"
view = "endpoint_latency"
subject = ["responder", "endpoint"]
features = ["requests", "error_rate", "latency_p99"]
every = "10s"
[model]
kind = "ewma"
half_life = "5m"
[model.deviation]
of = ["latency_p99"]
[flag]
above = 3.0
clear_below = 2.0
for = "20s"
[budget]
time_per_batch = "50ms"
memory = "64MiB"
"#;

fn error_of(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    Manifest::parse(&GOOD.replace(from, to), "m.toml").unwrap_err().to_string()
}

#[test]
fn a_manifest_as_documented_is_read() {
    let manifest = Manifest::parse(GOOD, "m.toml").unwrap();
    assert_eq!(manifest.every, Span::seconds(10));
    assert_eq!(manifest.budget.memory, Bytes::mebibytes(64));
    assert_eq!(manifest.levels(), Levels { above: 3.0, clear_below: 2.0, for_ns: 20_000_000_000 });
    assert_eq!(manifest.model.name(), "ewma");
}

#[test]
fn each_mistake_is_one_line_that_names_the_file() {
    let mistakes = [
        ("every = \"10s\"", "every = \"10\"", "is no duration"),
        ("every = \"10s\"", "every = \"1ms\"", "the shortest"),
        ("kind = \"ewma\"", "kind = \"ewmo\"", "unknown variant `ewmo`"),
        ("half_life", "half_live", "unknown field `half_live`"),
        ("half_life = \"5m\"", "half_life = \"0s\"", "`half_life` is longer"),
        ("of = [\"latency_p99\"]", "of = [\"latency_p98\"]", "did you mean `latency_p99`?"),
        ("clear_below = 2.0", "clear_below = 4.0", "a flag would go as it comes"),
        ("view = \"endpoint_latency\"", "", "give a `view`"),
        ("view = \"endpoint_latency\"", "view = \"a\"\nscript = \"b.sql\"", "keep one"),
        ("[\"responder\", \"endpoint\"]", "[]", "`subject` names"),
        ("\"64MiB\"", "\"64 apples\"", "is no size"),
        ("above = 3.0", "", "missing field `above`"),
        ("above = 3.0", "above = nan", "finite"),
        ("name = \"slow-endpoints\"", "name = \"Slow\"", "no name of a detector"),
        ("name = \"slow-endpoints\"", "name = ", "m.toml:2"),
        ("\"requests\", ", "\"error_rate\", ", "twice"),
    ];
    for (from, to, expected) in mistakes {
        let error = error_of(from, to);
        assert!(error.starts_with("m.toml:"), "{error}");
        assert!(error.contains(expected), "{error} lacks {expected}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn columns_that_the_view_lacks_are_named() {
    let manifest = Manifest::parse(GOOD, "m.toml").unwrap();
    let columns = |names: &[(&str, bool)]| -> Vec<FeatureColumn> {
        names.iter().map(|(name, is_numeric)| FeatureColumn { name: (*name).into(), is_numeric: *is_numeric }).collect()
    };
    let all =
        [("responder", false), ("endpoint", false), ("requests", true), ("error_rate", true), ("latency_p99", true)];
    assert_eq!(manifest.check_against(&columns(&all), "m.toml"), Ok(()));
    let error = manifest.check_against(&columns(&all[1..]), "m.toml").unwrap_err().to_string();
    assert!(error.contains("no column `responder` for `subject`"), "{error}");
    let mut text = all;
    text[4].1 = false;
    let error = manifest.check_against(&columns(&text), "m.toml").unwrap_err().to_string();
    assert!(error.contains("`latency_p99` of `endpoint_latency` is not a number"), "{error}");
}
