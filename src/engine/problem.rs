//! Why a request cannot be served, for every wire to translate.

use std::fmt;

use watershed_proto::v1;
use watershed_query::{Refusal, ScriptError};

/// One thing wrong with a script.
#[derive(Debug, Clone)]
pub(crate) struct ScriptProblem {
    pub(crate) origin: String,
    /// From 1; 0 when the problem has no place.
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) message: String,
    /// How to mend it; may be empty.
    pub(crate) hint: String,
}

/// A request's problem.
#[derive(Debug, Clone)]
pub(crate) enum Problem {
    /// The script does not compile.
    Script(Vec<ScriptProblem>),
    /// The script compiles but cannot be kept up.
    CannotBeView {
        table: String,
        reason: String,
        hint: String,
    },
    /// A field of the request is wrong.
    Invalid {
        field: &'static str,
        message: String,
    },
    NotFound(String),
    /// The view is in use or always on.
    Protected(String),
    /// The view that was followed was dropped.
    Dropped(String),
    Failed(String),
    /// The server shuts down.
    Stopping,
}

impl Problem {
    /// A problem with a script as a whole.
    pub(crate) fn script(origin: &str, message: impl Into<String>, hint: &str) -> Self {
        let problem =
            ScriptProblem { origin: origin.to_owned(), line: 1, column: 1, message: message.into(), hint: hint.into() };
        Problem::Script(vec![problem])
    }

    /// The problem as a list of places in a script.
    pub(super) fn into_script_problems(self, origin: &str) -> Vec<v1::ScriptProblem> {
        let problems = match self {
            Problem::Script(problems) => problems,
            other => vec![ScriptProblem {
                origin: origin.to_owned(),
                line: 1,
                column: 1,
                message: other.to_string(),
                hint: String::new(),
            }],
        };
        let wire = |problem: ScriptProblem| v1::ScriptProblem {
            origin: problem.origin,
            line: problem.line,
            column: problem.column,
            message: problem.message,
            hint: problem.hint,
        };
        problems.into_iter().map(wire).collect()
    }

    pub(super) fn of_script(errors: Vec<ScriptError>) -> Self {
        Problem::Script(errors.into_iter().map(ScriptProblem::from).collect())
    }

    pub(crate) fn of_refusal(table: &str, refusal: Refusal) -> Self {
        Problem::CannotBeView { table: table.to_owned(), reason: refusal.reason, hint: refusal.hint.to_string() }
    }
}

impl From<ScriptError> for ScriptProblem {
    fn from(error: ScriptError) -> Self {
        Self {
            origin: error.origin,
            line: error.line as u32,
            column: error.column as u32,
            message: error.message,
            hint: String::new(),
        }
    }
}

/// `file:line:column: message; hint`.
impl fmt::Display for ScriptProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}: {}", self.origin, self.line, self.column, self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(formatter, "; {}", self.hint) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Script(problems) => {
                for (position, problem) in problems.iter().enumerate() {
                    let line_end = if position == 0 { "" } else { "\n" };
                    write!(formatter, "{line_end}{problem}")?;
                }
                Ok(())
            }
            Problem::CannotBeView { table, reason, hint } => {
                write!(formatter, "`{table}` cannot be a view: {reason}")?;
                if hint.is_empty() { Ok(()) } else { write!(formatter, "; {hint}") }
            }
            Problem::Invalid { field, message } => write!(formatter, "{field}: {message}"),
            Problem::NotFound(message)
            | Problem::Protected(message)
            | Problem::Dropped(message)
            | Problem::Failed(message) => formatter.write_str(message),
            Problem::Stopping => formatter.write_str("the server is shutting down"),
        }
    }
}
