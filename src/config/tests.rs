#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use super::*;
use crate::failure::Exit;

fn nothing(_: &str) -> Option<String> {
    None
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn problem(text: &str) -> String {
    let file = file(text);
    let failure = Settings::load(&Flags::new(), &nothing, Some(file.path())).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    failure.message
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let file = file("data_budget = \"1MiB\"\nworkers = 3\nlisten = \"127.0.0.1:1\"\n");
    let flags = Flags::from([("data_budget", vec!["3MiB".to_owned()])]);
    let environment = |name: &str| match name {
        "WATERSHED_DATA_BUDGET" => Some("2MiB".to_owned()),
        "WATERSHED_WORKERS" => Some("2".to_owned()),
        _ => None,
    };
    let settings = Settings::load(&flags, &environment, Some(file.path())).unwrap();
    assert_eq!(settings.data_budget(), 3 << 20);
    assert_eq!(settings.workers(), 2);
    assert_eq!(settings.listen().port(), 1);
    assert_eq!(settings.capture_bodies(), 1024);
    let origins: BTreeMap<_, _> = settings.lines().into_iter().map(|(key, _, origin)| (key, origin)).collect();
    assert_eq!(origins["data_budget"], "flag --data-budget");
    assert_eq!(origins["workers"], "environment WATERSHED_WORKERS");
    assert_eq!(origins["listen"], format!("file {}", file.path().display()));
    assert_eq!(origins["capture_bodies"], "default");
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    assert!(problem("data_buget = 1").ends_with("unknown key `data_buget`; did you mean `data_budget`?"));
    assert!(problem("data-budget = 1").ends_with("did you mean `data_budget`?"));
    assert!(problem("listn = \"x\"").ends_with("did you mean `listen`?"));
}

#[test]
fn a_wrong_value_names_its_place() {
    assert!(problem("workers = 0").contains("workers: `0` is not a whole number from 1 to 64"));
    assert!(problem("workers = [1, 2]").contains("workers: expected a string or number"));
    assert!(problem("redact = \"biscuits\"").contains("redact: `biscuits` is no rule"));
    assert!(problem("a = \n").contains(":1:5: "), "{}", problem("a = \n"));
    let environment = |name: &str| (name == "WATERSHED_LISTEN").then(|| "nowhere".to_owned());
    let failure = Settings::load(&Flags::new(), &environment, None).unwrap_err();
    assert!(failure.message.starts_with("WATERSHED_LISTEN: `nowhere`"));
}

#[test]
fn scopes_are_lists_everywhere() {
    let file = file("scope = [\"port:80\", \"port:81\"]");
    let settings = Settings::load(&Flags::new(), &nothing, Some(file.path())).unwrap();
    assert_eq!(settings.scopes(), ["port:80", "port:81"]);
    let environment = |name: &str| (name == "WATERSHED_SCOPE").then(|| "port:1, port:2".to_owned());
    assert_eq!(Settings::load(&Flags::new(), &environment, None).unwrap().scopes(), ["port:1", "port:2"]);
}

#[test]
fn tokens_come_from_a_file_and_are_not_shown() {
    let file = file("  secret\n");
    let flags = Flags::from([("token_file", vec![file.path().display().to_string()])]);
    let environment = |name: &str| (name == "WATERSHED_TOKEN").then(|| "other".to_owned());
    let settings = Settings::load(&flags, &environment, None).unwrap();
    assert_eq!(settings.token().unwrap().as_deref(), Some("secret"));
    assert!(settings.lines().iter().all(|(_, value, _)| value != "other"));
}
