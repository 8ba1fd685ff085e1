//! How deep SQL would nest, counted on its tokens before it is parsed: the parser builds a chain such as `1 + 1 + …` of
//! any length without recursion, but everything after it, down to dropping the plan, recurses.

use std::mem::take;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

/// Most operators above each other.
const DEPTH_MAX: usize = 400;
/// Most relations that are joined or united in a script.
const RELATIONS_MAX: usize = 200;
/// Most statements.
const STATEMENTS_MAX: usize = 100;

/// One pair of parentheses, or none.
#[derive(Debug, Default)]
struct Level {
    /// Operators of the expression that is being read.
    operators: usize,
    /// Depth of the deepest parenthesis in it.
    inner: usize,
    /// Depth of the deepest expression before.
    deepest: usize,
}

impl Level {
    fn depth(&self) -> usize {
        self.deepest.max(self.operators + self.inner)
    }

    /// An expression ends, another begins.
    fn next_expression(&mut self) {
        self.deepest = self.depth();
        (self.operators, self.inner) = (0, 0);
    }
}

/// Finds what nests too deep; line, column and what is wrong. Text that has no tokens is left to the parser.
pub(crate) fn check(text: &str) -> Result<(), (u64, u64, String)> {
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location() else { return Ok(()) };
    let (mut levels, mut level, mut relations, mut statements) = (Vec::new(), Level::default(), 0, 1);
    for TokenWithSpan { token, span } in tokens {
        match &token {
            Token::LParen => levels.push(take(&mut level)),
            Token::RParen => {
                let depth = level.depth();
                level = levels.pop().unwrap_or_default();
                level.inner = level.inner.max(depth + 1);
            }
            Token::SemiColon => {
                statements += 1;
                level = Level::default();
            }
            Token::Comma => level.next_expression(),
            Token::Word(word) => match word.keyword {
                Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::JOIN => {
                    relations += 1;
                    level.next_expression();
                }
                keyword if begins_expression(keyword) => level.next_expression(),
                keyword if is_operator(keyword) => level.operators += 1,
                _ => {}
            },
            Token::Whitespace(_) | Token::Number(..) | Token::SingleQuotedString(_) | Token::Period | Token::EOF => {}
            _ => level.operators += 1,
        }
        let wrong = if level.depth() > DEPTH_MAX {
            format!("operators are nested deeper than {DEPTH_MAX}")
        } else if relations > RELATIONS_MAX {
            format!("more than {RELATIONS_MAX} relations are joined or united")
        } else if statements > STATEMENTS_MAX {
            format!("the script has more than {STATEMENTS_MAX} statements")
        } else {
            continue;
        };
        return Err((span.start.line, span.start.column, wrong));
    }
    Ok(())
}

fn begins_expression(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::ON
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE
            | Keyword::VALUES
    )
}

fn is_operator(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::AND
            | Keyword::OR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::IN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::SIMILAR
            | Keyword::BETWEEN
            | Keyword::AT
            | Keyword::COLLATE
    )
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn chains_lists_and_parentheses_are_counted_as_they_nest() {
        let wrong = |text: &str| check(text).is_err();
        assert!(!wrong(&format!("SELECT 1{} AS x", " + 1".repeat(390))));
        assert!(wrong(&format!("SELECT\n  1{} AS x", " + 1".repeat(410))));
        assert!(!wrong(&format!("SELECT {} 1", "1 + 1, ".repeat(5_000))));
        assert!(wrong(&format!("SELECT ((1{}) + 1){}", " + 1".repeat(300), " + 1".repeat(150))));
        assert!(wrong(&format!("SELECT 1{}", "::BIGINT".repeat(500))));
        assert!(wrong(&format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(300))));
        assert!(wrong(&"SELECT 1;".repeat(200)));
        let (line, column, message) = check(&format!("SELECT\n  1{}", " + 1".repeat(500))).expect_err("it is deep");
        assert!(line == 2 && column > 1_000 && message.contains("deeper"), "{line}:{column}: {message}");
    }
}
