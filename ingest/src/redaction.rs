//! What is not to be stored of what was said: rules, and how they change a value before it becomes part of a row.

mod literals;
mod patterns;
mod redis;

pub use patterns::{Kind, Patterns, PatternsError};

use std::borrow::Cow;
use std::str::FromStr;

use watershed_model::{Column, Storage, Table, tables};

/// What stands in place of a value.
pub const REDACTED: &[u8] = watershed_protocols::redaction::HIDDEN;
/// Columns with statements, and whether double quotes enclose values there.
const STATEMENTS: [(&str, &str, bool); 3] =
    [("mysql_events", "req_body", true), ("pgsql_events", "req", false), ("cql_events", "req_body", false)];

/// One rule: a whole column, a header of HTTP, the literals of SQL, the values of Redis, or what a shape gives away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// `TABLE.COLUMN`: a text of a table.
    Column(&'static str, &'static str),
    /// `header:NAME`: the values of a header, in any case of letters.
    Header(String),
    /// `literals`: strings and numbers in statements.
    Literals,
    /// `values`: what Redis is given and gives, but for keys.
    Values,
    /// `builtin`, or one of the rules that it stands for.
    Patterns(&'static [Kind]),
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no rule: write TABLE.COLUMN of a text column, header:NAME or literals, values (of Redis), builtin, \
     authorization, cookies, emails, cards or tokens"
)]
pub struct RuleError(String);

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let error = || RuleError(text.to_owned());
        match text {
            "literals" => return Ok(Rule::Literals),
            "values" => return Ok(Rule::Values),
            _ => {}
        }
        if let Some(kinds) = Kind::named(text) {
            return Ok(Rule::Patterns(kinds));
        }
        if let Some(name) = text.strip_prefix("header:") {
            let name = name.trim().to_ascii_lowercase();
            return if name.is_empty() { Err(error()) } else { Ok(Rule::Header(name)) };
        }
        let (table, column) = text.rsplit_once('.').ok_or_else(error)?;
        let table = tables::ALL.iter().find(|known| known.name == table).ok_or_else(error)?;
        let is_text =
            |known: &&Column| known.name == column && matches!(known.storage, Storage::Bytes | Storage::HttpHeaders);
        let column = table.columns.iter().find(is_text).ok_or_else(error)?;
        Ok(Rule::Column(table.name, column.name))
    }
}

/// What is done to the values of one column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mask {
    whole: bool,
    headers: Vec<String>,
    /// Statements, and whether double quotes enclose values.
    literals: Option<bool>,
    redis: Option<redis::Part>,
    patterns: Patterns,
}

impl Mask {
    /// Of each column of a table; `None` where nothing is done.
    pub(crate) fn of_table(table: &Table, rules: &[Rule]) -> Vec<Option<Mask>> {
        table.columns.iter().map(|column| Mask::of_column(table.name, column, rules)).collect()
    }

    fn of_column(table: &str, column: &Column, rules: &[Rule]) -> Option<Mask> {
        let mut mask = Mask::default();
        for rule in rules {
            match rule {
                Rule::Column(of, name) => mask.whole |= (*of, *name) == (table, column.name),
                Rule::Header(name) if column.storage == Storage::HttpHeaders => mask.headers.push(name.clone()),
                Rule::Header(_) => {}
                Rule::Literals => {
                    let statement =
                        STATEMENTS.iter().find(|statement| (statement.0, statement.1) == (table, column.name));
                    mask.literals = mask.literals.or(statement.map(|statement| statement.2));
                }
                Rule::Values => mask.redis = redis::Part::of(table, column.name),
                Rule::Patterns(kinds) if matches!(column.storage, Storage::Bytes | Storage::HttpHeaders) => {
                    mask.patterns.add(kinds);
                }
                Rule::Patterns(_) => {}
            }
        }
        (mask != Mask::default()).then_some(mask)
    }

    /// The value as it may be stored. What is empty stays so. `command` is the first text of the same row.
    pub(crate) fn apply<'a>(&self, value: &'a [u8], command: &[u8]) -> Cow<'a, [u8]> {
        if value.is_empty() {
            return Cow::Borrowed(value);
        }
        if self.whole {
            return Cow::Borrowed(REDACTED);
        }
        let named = match (self.literals, self.redis) {
            (Some(double_quoted), _) => Cow::Owned(literals::without(value, double_quoted)),
            (None, Some(part)) => Cow::Owned(part.without_values(value, command)),
            (None, None) if self.headers.is_empty() => Cow::Borrowed(value),
            (None, None) => Cow::Owned(self.without_headers(value)),
        };
        match named {
            Cow::Borrowed(value) => self.patterns.apply(value),
            Cow::Owned(value) => Cow::Owned(self.patterns.apply(&value).into_owned()),
        }
    }

    fn without_headers(&self, lines: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(lines.len());
        let mut hides = false;
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let continues = matches!(line.first(), Some(b' ' | b'\t'));
            if continues && hides {
                continue;
            }
            // Names of HTTP/2 may begin with a colon.
            let colon = line.iter().skip(1).position(|byte| *byte == b':').map(|at| at + 1);
            let name = line[..colon.unwrap_or(0)].trim_ascii();
            hides = self.headers.iter().any(|hidden| name.eq_ignore_ascii_case(hidden.as_bytes()));
            if !hides {
                out.extend_from_slice(line);
                continue;
            }
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(REDACTED);
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

#[cfg(test)]
mod tests;
