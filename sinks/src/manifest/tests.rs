#![allow(clippy::unwrap_used)]

use super::*;

fn problem(text: &str) -> String {
    Manifest::parse(text, "sink.toml").unwrap_err().to_string()
}

#[test]
fn a_whole_manifest_is_read() {
    let manifest = Manifest::parse(
        "name = \"map\"\nview = \"service_map\"\n[file]\npath = \"/tmp/map.jsonl\"\n[budget]\nbuffer = \"1MiB\"\n\
         [retry]\nfirst = \"50ms\"\nlongest = \"1s\"\n",
        "sink.toml",
    )
    .unwrap();
    assert_eq!((manifest.name.as_str(), manifest.kind.name()), ("map", "file"));
    assert_eq!(manifest.follows, Follows::View("service_map".to_owned()));
    assert_eq!(manifest.budget.buffer_bytes, 1 << 20);
    assert_eq!(manifest.budget.retry.longest, Duration::from_secs(1));
}

#[test]
fn every_mistake_is_one_line_that_helps() {
    let sections = "name = \"map\"\nview = \"service_map\"\n";
    for (text, says) in [
        ("nam = \"map\"", "sink.toml:1:1: unknown key `nam`; did you mean `name`?"),
        ("view = \"x\"\n[stdout]", "sink.toml:1:1: missing field `name`"),
        ("name = \"a b\"\nview = \"x\"\n[stdout]", "`a b` is no name of a sink"),
        ("name = \"a\"\n[stdout]", "says not what to follow"),
        ("name = \"a\"\nview = \"x\"\ntable = \"y\"\n[stdout]", "follows more than one thing"),
        (sections, "says not where to write"),
        (&format!("{sections}[stdout]\n[file]\npath = \"x\""), "has the sections [file] and [stdout]"),
        (&format!("{sections}[file]\npaht = \"x\""), "sink.toml:4:1: unknown key `paht`; did you mean `path`?"),
        (&format!("{sections}[file]\npath = 3"), "sink.toml:4:8: invalid type: integer `3`, expected"),
        (&format!("{sections}[stdout]\n[retry]\nfirst = \"soon\""), "`soon` is no duration; write it like 100ms"),
        (&format!("{sections}[stdout]\n[retry]\nfirst = \"1m\""), "first must be at least 1ms and at most longest"),
        (&format!("{sections}[stdout]\n[budget]\nbuffer = \"big\""), "`big` is not a size; write it like 64MiB"),
        (&format!("{sections}[webhook]\nurl = \"there\""), "`there` is no URL"),
        ("name = ", "sink.toml:1:8: "),
    ] {
        let problem = problem(text);
        assert!(problem.contains(says) && !problem.contains('\n'), "{text}\n{problem}");
    }
}
