//! `vis.json`: variables, and the functions that are called to make the tables.

use serde::Deserialize;

/// What a script's `vis.json` says that matters for its tables.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Vis {
    pub(super) variables: Vec<Variable>,
    pub(super) global_funcs: Vec<GlobalFunction>,
    pub(super) widgets: Vec<Widget>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) default_value: Option<serde_json::Value>,
    pub(super) valid_values: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GlobalFunction {
    pub(super) output_name: String,
    pub(super) func: FunctionCall,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Widget {
    pub(super) name: String,
    pub(super) func: Option<FunctionCall>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FunctionCall {
    pub(super) name: String,
    pub(super) args: Vec<CallArgument>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallArgument {
    pub(super) name: String,
    pub(super) value: Option<serde_json::Value>,
    pub(super) variable: Option<String>,
}

/// A value as the text that functions are called with.
pub(super) fn text_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
