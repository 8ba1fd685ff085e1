//! Parts of JSON texts, and JSON made of texts. What is no JSON, or has no such part, gives the empty value.

mod ordered;

use serde_json::Number;

use super::rows::{map2, texts};
use super::{Entry, F, I, Overload, S, entry, over};
pub(super) use ordered::Json;

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "pluck",
        &[over(&[S, S], S, |a| map2(a, |json: &str, key: &str| text_of(ordered::member(json, key))))],
        "The value of a key of a JSON object: a text as it is, others as JSON; empty where there is none.",
    ),
    entry(
        "pluck_int64",
        &[over(&[S, S], I, |a| map2(a, |json: &str, key: &str| integer_of(ordered::member(json, key))))],
        "The integer at a key of a JSON object; 0 where there is none.",
    ),
    entry(
        "pluck_float64",
        &[over(&[S, S], F, |a| map2(a, |json: &str, key: &str| float_of(ordered::member(json, key))))],
        "The number with a fraction or exponent at a key of a JSON object; 0.0 where there is none.",
    ),
    entry(
        "pluck_array",
        &[over(&[S, I], S, |a| map2(a, |json: &str, index: i64| text_of(ordered::element(json, index))))],
        "The value at a position (from 0) of a JSON array, as pluck gives it.",
    ),
    entry(
        "split",
        &[over(&[S, S], S, |a| map2(a, split))],
        "The parts of a text between delimiters, as a JSON array; an empty delimiter takes single characters.",
    ),
    entry("_script_reference", &SCRIPT_REFERENCE, "A link to a script (label, script, names and values of arguments)."),
];

/// Names and values that a reference to a script has at most.
const ARGUMENTS_MAX: usize = 8;

static SCRIPT_REFERENCE: [Overload; ARGUMENTS_MAX + 1] = {
    const MANY: &[super::Type] = &[S; 2 + 2 * ARGUMENTS_MAX];
    const fn with(pairs: usize) -> Overload {
        over(MANY.split_at(2 + 2 * pairs).0, S, |a| texts(a, script_reference))
    }
    [with(0), with(1), with(2), with(3), with(4), with(5), with(6), with(7), with(8)]
};

fn text_of(value: Option<Json>) -> String {
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::Text(text)) => text,
        Some(other) => other.to_string(),
    }
}

fn integer_of(value: Option<Json>) -> i64 {
    let Some(Json::Number(number)) = value else { return 0 };
    number.as_i64().unwrap_or(0)
}

fn float_of(value: Option<Json>) -> f64 {
    let Some(Json::Number(number)) = value else { return 0.0 };
    Some(number).filter(Number::is_f64).and_then(|number| number.as_f64()).unwrap_or(0.0)
}

fn split(text: &str, delimiter: &str) -> String {
    let parts: Vec<Json> = match delimiter {
        "" => text.chars().map(|character| Json::Text(character.into())).collect(),
        _ => text.split(delimiter).map(|part| Json::Text(part.into())).collect(),
    };
    Json::Array(parts).to_string()
}

fn script_reference(texts: &[&str]) -> String {
    let [label, script, arguments @ ..] = texts else { return String::new() };
    let text = |text: &str| Json::Text(text.to_owned());
    let pairs = arguments.chunks_exact(2).map(|pair| (pair[0].to_owned(), text(pair[1])));
    Json::Object(vec![
        ("label".into(), text(label)),
        ("script".into(), text(script)),
        ("args".into(), Json::Object(pairs.collect())),
    ])
    .to_string()
}

#[cfg(test)]
mod tests;
