//! Parts of exports and tracepoints: a kind and its fields, kept for whoever carries them out.

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum SpecValue {
    /// Nothing was given.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Text(String),
    /// The name of a column of the exported table.
    Column(String),
    /// Several values.
    List(Vec<SpecValue>),
    /// Keys and their values, in order.
    Dict(Vec<(SpecValue, SpecValue)>),
    /// A part with fields of its own.
    Spec(Box<Spec>),
}

impl SpecValue {
    fn columns(&self) -> Vec<&str> {
        match self {
            SpecValue::Column(name) => vec![name],
            SpecValue::List(values) => values.iter().flat_map(SpecValue::columns).collect(),
            SpecValue::Dict(entries) => entries.iter().flat_map(|(_, value)| value.columns()).collect(),
            SpecValue::Spec(spec) => spec.columns(),
            SpecValue::None | SpecValue::Bool(_) | SpecValue::Int(_) | SpecValue::Float(_) | SpecValue::Text(_) => {
                Vec::new()
            }
        }
    }
}

/// Such as `otel.Data` with `resource`, `data` and `endpoint`.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The function that made it, without `px.`.
    pub kind: String,
    /// Its arguments by name; those left out have their default.
    pub fields: Vec<(String, SpecValue)>,
}

impl Spec {
    /// A field by name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&SpecValue> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// Names of the columns in it.
    pub(crate) fn columns(&self) -> Vec<&str> {
        self.fields.iter().flat_map(|(_, value)| value.columns()).collect()
    }
}
