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
    normalized(sql, &MySqlDialect {}, Placeholders::InOrder)
}

fn pgsql(sql: &str, command: &str) -> String {
    if !PGSQL_STATEMENTS.iter().any(|known| known.eq_ignore_ascii_case(command)) {
        return failed(format!("command {command} has no statement"));
    }
    normalized(sql, &PostgreSqlDialect {}, Placeholders::Numbered)
}

/// How parameters are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Placeholders {
    /// `?`: values are in the order of the text.
    InOrder,
    /// `$1`: literals are numbered on from the largest parameter that the statement has itself.
    Numbered,
}

fn normalized(text: &str, dialect: &dyn Dialect, placeholders: Placeholders) -> String {
    let (sql, given) = executed(text).unwrap_or((text, Vec::new()));
    let tokens = match Tokenizer::new(dialect, sql).with_unescape(false).tokenize() {
        Ok(tokens) => tokens,
        Err(error) => return failed(error.to_string()),
    };
    let own = tokens.iter().filter_map(number_of).max().unwrap_or(0).max(given.len());
    let mut given = given.into_iter();
    let mut query = String::with_capacity(sql.len());
    let mut params: Vec<Json> = match placeholders {
        Placeholders::InOrder => Vec::new(),
        Placeholders::Numbered => given.by_ref().map(Json::Text).collect(),
    };
    let mut literals = 0_usize;
    for token in tokens {
        if matches!(token, Token::Placeholder(_)) {
            params.extend(given.next().map(Json::Text));
        } else if is_literal(&token) {
            literals += 1;
            params.push(Json::Text(token.to_string()));
            query.push_str(&match placeholders {
                Placeholders::InOrder => "?".to_owned(),
                Placeholders::Numbered => format!("${}", own.saturating_add(literals)),
            });
            continue;
        }
        query.push_str(&token.to_string());
    }
    answer(query, params, String::new())
}

/// The statement and values of `query=[…] params=[…]`, as PxL shows a prepared statement that is executed.
fn executed(text: &str) -> Option<(&str, Vec<String>)> {
    let inner = text.trim().strip_prefix("query=[")?.strip_suffix(']')?;
    let (query, values) = inner.rsplit_once("] params=[")?;
    let mut quoted = false;
    let parts = values.split(|character: char| {
        quoted ^= character == '\'';
        character == ',' && !quoted
    });
    let values = parts.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    Some((query, values.collect()))
}

fn number_of(token: &Token) -> Option<usize> {
    let Token::Placeholder(text) = token else { return None };
    text.strip_prefix('$')?.parse().ok()
}

fn is_literal(token: &Token) -> bool {
    if let Token::Word(word) = token {
        let truth = ["true", "false"].iter().any(|truth| word.value.eq_ignore_ascii_case(truth));
        return truth && word.quote_style.is_none();
    }
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
