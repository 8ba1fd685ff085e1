//! SQL statements without their literals, so that statements of one shape are the same text.

use datafusion::sql::sqlparser::dialect::{Dialect, MySqlDialect, PostgreSqlDialect};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::json::Json;
use super::rows::map2;
use super::{Entry, I, S, entry, over};

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "normalize_pgsql",
        &[over(&[S, S], S, |a| map2(a, pgsql))],
        "JSON of a statement with `$1`, `$2`, … for its literals (query), the literals (params) and an error, for the \
         commands QUERY, PARSE and EXECUTE.",
    ),
    entry(
        "normalize_mysql",
        &[over(&[S, I], S, |a| map2(a, mysql))],
        "JSON of a statement with `?` for its literals (query), the literals (params) and an error, for the commands \
         3 (query), 22 (prepare) and 23 (execute).",
    ),
];

const MYSQL_STATEMENTS: [i64; 3] = [3, 22, 23];
const PGSQL_STATEMENTS: [&str; 3] = ["query", "parse", "execute"];

fn mysql(sql: &str, command: i64) -> String {
    if !MYSQL_STATEMENTS.contains(&command) {
        return failed(format!("command {command} has no statement"));
    }
    normalized(sql, &MySqlDialect {}, |_| "?".into())
}

fn pgsql(sql: &str, command: &str) -> String {
    if !PGSQL_STATEMENTS.iter().any(|known| known.eq_ignore_ascii_case(command)) {
        return failed(format!("command {command} has no statement"));
    }
    normalized(sql, &PostgreSqlDialect {}, |number| format!("${number}"))
}

/// Literals are numbered on from the largest parameter that the statement has itself.
fn normalized(sql: &str, dialect: &dyn Dialect, placeholder: impl Fn(usize) -> String) -> String {
    let tokens = match Tokenizer::new(dialect, sql).with_unescape(false).tokenize() {
        Ok(tokens) => tokens,
        Err(error) => return failed(error.to_string()),
    };
    let own = tokens.iter().filter_map(number_of).max().unwrap_or(0);
    let (mut query, mut params) = (String::with_capacity(sql.len()), Vec::new());
    for token in tokens {
        if is_literal(&token) {
            params.push(Json::Text(token.to_string()));
            query.push_str(&placeholder(own.saturating_add(params.len())));
        } else {
            query.push_str(&token.to_string());
        }
    }
    answer(query, params, String::new())
}

fn number_of(token: &Token) -> Option<usize> {
    let Token::Placeholder(text) = token else { return None };
    text.strip_prefix('$')?.parse().ok()
}

fn is_literal(token: &Token) -> bool {
    matches!(
        token,
        Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::DoubleQuotedByteStringLiteral(_)
    )
}

fn failed(error: String) -> String {
    answer(String::new(), Vec::new(), error)
}

fn answer(query: String, params: Vec<Json>, error: String) -> String {
    let members = [("query", Json::Text(query)), ("params", Json::Array(params)), ("error", Json::Text(error))];
    Json::Object(members.map(|(key, value)| (key.to_owned(), value)).to_vec()).to_string()
}

#[cfg(test)]
mod tests;
