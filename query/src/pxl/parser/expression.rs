//! Expressions, by precedence from `or` down to names and literals.

use super::super::ast::{Argument, Expression, Kind, Unary};
use super::super::fault::Fault;
use super::super::lexer::TokenKind;
use super::{NESTING_MAX, Parser};

const COMPARISONS: [&str; 6] = ["==", "!=", "<", ">", "<=", ">="];
const KEYWORDS: [&str; 16] = [
    "if", "else", "for", "in", "is", "and", "or", "not", "import", "from", "def", "return", "class", "while", "as",
    "lambda",
];

impl Parser {
    /// An expression, or several as a tuple.
    pub(super) fn expressions(&mut self) -> Result<Expression, Fault> {
        let first = self.expression()?;
        if !self.sign_is(",") {
            return Ok(first);
        }
        let at = first.at;
        let mut elements = vec![first];
        while self.take_sign(",") {
            if self.ends_statement() || self.sign_is("=") || self.sign_is("]") || self.sign_is(")") {
                break;
            }
            elements.push(self.expression()?);
        }
        node(at, Kind::Tuple(elements))
    }

    pub(super) fn expression(&mut self) -> Result<Expression, Fault> {
        self.deeper(|parser| {
            if parser.name_is("lambda") {
                return Err(Fault::new(parser.at(), "PxL has no lambda"));
            }
            let parsed = parser.either()?;
            if parser.name_is("if") {
                return Err(Fault::new(parser.at(), "PxL has no conditional expressions, use px.select"));
            }
            Ok(parsed)
        })
    }

    fn either(&mut self) -> Result<Expression, Fault> {
        let mut left = self.both()?;
        while self.name_is("or") {
            self.next += 1;
            let right = self.both()?;
            left = binary("or", left, right)?;
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Expression, Fault> {
        let mut left = self.negation()?;
        while self.name_is("and") {
            self.next += 1;
            let right = self.negation()?;
            left = binary("and", left, right)?;
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expression, Fault> {
        if !self.name_is("not") {
            return self.comparison();
        }
        let at = self.at();
        self.next += 1;
        let operand = self.deeper(Parser::negation)?;
        node(at, Kind::Unary(Unary::Not, Box::new(operand)))
    }

    fn comparison(&mut self) -> Result<Expression, Fault> {
        let left = self.sum()?;
        let Some(operator) = self.comparison_sign()? else { return Ok(left) };
        self.next += 1;
        let right = self.sum()?;
        if self.comparison_sign()?.is_some() {
            return Err(Fault::new(self.at(), "PxL has no chained comparisons; join them with `and`"));
        }
        binary(operator, left, right)
    }

    fn comparison_sign(&self) -> Result<Option<&'static str>, Fault> {
        match self.kind() {
            TokenKind::Sign(sign) => Ok(COMPARISONS.into_iter().find(|known| known == sign)),
            TokenKind::Name(name) if name == "in" => {
                Err(Fault::new(self.at(), "PxL has no `in`, use px.equals_any or px.contains"))
            }
            TokenKind::Name(name) if name == "is" => Err(Fault::new(self.at(), "PxL has no `is`, use ==")),
            TokenKind::Name(name) if name == "not" => Err(Fault::new(self.at(), "PxL has no `not in`")),
            _ => Ok(None),
        }
    }

    fn sum(&mut self) -> Result<Expression, Fault> {
        let mut left = self.product()?;
        while let TokenKind::Sign(sign @ ("+" | "-")) = *self.kind() {
            self.next += 1;
            let right = self.product()?;
            left = binary(sign, left, right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, Fault> {
        let mut left = self.signed()?;
        while let TokenKind::Sign(sign @ ("*" | "/" | "%" | "**" | "//")) = *self.kind() {
            if sign.len() > 1 {
                return Err(self.unexpected("an operator"));
            }
            self.next += 1;
            let right = self.signed()?;
            left = binary(sign, left, right)?;
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Expression, Fault> {
        let at = self.at();
        let operator = match self.kind() {
            TokenKind::Sign("+") => Unary::Plus,
            TokenKind::Sign("-") => Unary::Negate,
            TokenKind::Sign("~") => Unary::Invert,
            _ => return self.postfix(),
        };
        self.next += 1;
        let operand = self.deeper(Parser::signed)?;
        node(at, Kind::Unary(operator, Box::new(operand)))
    }

    fn postfix(&mut self) -> Result<Expression, Fault> {
        let mut value = self.atom()?;
        loop {
            let at = self.at();
            if self.take_sign(".") {
                let at = self.at();
                let name = self.name("an attribute")?;
                value = node(at, Kind::Attribute(Box::new(value), name))?;
            } else if self.take_sign("(") {
                let arguments = self.arguments()?;
                let at = value.at;
                value = node(at, Kind::Call(Box::new(value), arguments))?;
            } else if self.take_sign("[") {
                if self.sign_is(":") {
                    return Err(Fault::new(self.at(), "PxL has no slices"));
                }
                if self.sign_is("]") {
                    return Err(self.unexpected("a column or an index"));
                }
                let index = self.expressions()?;
                if self.sign_is(":") {
                    return Err(Fault::new(self.at(), "PxL has no slices"));
                }
                self.close("]")?;
                value = node(at, Kind::Subscript(Box::new(value), Box::new(index)))?;
            } else {
                return Ok(value);
            }
        }
    }

    fn arguments(&mut self) -> Result<Vec<Argument>, Fault> {
        let mut arguments: Vec<Argument> = Vec::new();
        while !self.take_sign(")") {
            let at = self.at();
            if self.sign_is("*") || self.sign_is("**") {
                return Err(Fault::new(at, "PxL has no *args and **kwargs"));
            }
            let keyword = self.keyword();
            if keyword.is_none() && arguments.last().is_some_and(|last| last.keyword.is_some()) {
                return Err(Fault::new(at, "an argument without a keyword comes before those with one"));
            }
            if keyword.is_some() && arguments.iter().any(|other| other.keyword == keyword) {
                return Err(Fault::new(at, format!("`{}` is given twice", keyword.unwrap_or_default())));
            }
            let value = self.expression()?;
            self.refuse_comprehension()?;
            arguments.push(Argument { keyword, at, value });
            // Published scripts leave out the comma before a keyword argument.
            let comma_left_out =
                matches!(self.kind(), TokenKind::Name(_)) && matches!(self.kind_after(), TokenKind::Sign("="));
            if !self.take_sign(",") && !self.sign_is(")") && !comma_left_out {
                return Err(self.unexpected("`,` or `)`"));
            }
        }
        Ok(arguments)
    }

    fn keyword(&mut self) -> Option<String> {
        let TokenKind::Name(name) = self.kind() else { return None };
        if !matches!(self.kind_after(), TokenKind::Sign("=")) {
            return None;
        }
        let name = name.clone();
        self.next += 2;
        Some(name)
    }

    fn atom(&mut self) -> Result<Expression, Fault> {
        let at = self.at();
        let kind = match self.kind().clone() {
            TokenKind::Int(value) => Kind::Int(value),
            TokenKind::Float(value) => Kind::Float(value),
            TokenKind::Text(mut value) => {
                while let TokenKind::Text(more) = self.kind_after() {
                    value.push_str(more);
                    self.next += 1;
                }
                Kind::Text(value)
            }
            TokenKind::Name(name) if KEYWORDS.contains(&name.as_str()) => {
                return Err(self.unexpected("an expression"));
            }
            TokenKind::Name(name) => match name.as_str() {
                "True" => Kind::Bool(true),
                "False" => Kind::Bool(false),
                "None" => Kind::None,
                "yield" | "await" => return Err(Fault::new(at, format!("PxL has no {name}"))),
                _ => Kind::Name(name),
            },
            TokenKind::Sign("(") => return self.bracketed(at),
            TokenKind::Sign("[") => {
                self.next += 1;
                return self.elements("]").and_then(|(elements, _)| node(at, Kind::List(elements)));
            }
            TokenKind::Sign("{") => return self.dict(at),
            _ => return Err(self.unexpected("an expression")),
        };
        self.next += 1;
        node(at, kind)
    }

    fn bracketed(&mut self, at: usize) -> Result<Expression, Fault> {
        self.next += 1;
        let (mut elements, comma) = self.elements(")")?;
        match elements.pop() {
            Some(only) if elements.is_empty() && !comma => Ok(only),
            last => {
                elements.extend(last);
                node(at, Kind::Tuple(elements))
            }
        }
    }

    /// Up to the closing bracket; whether there was a comma.
    fn elements(&mut self, close: &'static str) -> Result<(Vec<Expression>, bool), Fault> {
        let (mut elements, mut comma) = (Vec::new(), false);
        while !self.take_sign(close) {
            if self.sign_is("*") {
                return Err(Fault::new(self.at(), "PxL has no unpacking"));
            }
            elements.push(self.expression()?);
            self.refuse_comprehension()?;
            if self.take_sign(",") {
                comma = true;
            } else if !self.sign_is(close) {
                return Err(self.unexpected(&format!("`,` or `{close}`")));
            }
        }
        Ok((elements, comma))
    }

    fn dict(&mut self, at: usize) -> Result<Expression, Fault> {
        self.next += 1;
        let mut entries = Vec::new();
        while !self.take_sign("}") {
            let key = self.expression()?;
            if !self.take_sign(":") {
                return Err(self.unexpected("`:` of a dict"));
            }
            let value = self.expression()?;
            self.refuse_comprehension()?;
            entries.push((key, value));
            if !self.take_sign(",") && !self.sign_is("}") {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
        node(at, Kind::Dict(entries))
    }

    fn refuse_comprehension(&self) -> Result<(), Fault> {
        if self.name_is("for") {
            return Err(Fault::new(self.at(), "PxL has no comprehensions"));
        }
        Ok(())
    }

    fn close(&mut self, bracket: &str) -> Result<(), Fault> {
        if self.take_sign(bracket) { Ok(()) } else { Err(self.unexpected(&format!("`{bracket}`"))) }
    }
}

fn binary(sign: &'static str, left: Expression, right: Expression) -> Result<Expression, Fault> {
    let at = left.at;
    node(at, Kind::Binary(sign, Box::new(left), Box::new(right)))
}

fn node(at: usize, kind: Kind) -> Result<Expression, Fault> {
    let tallest = |parts: &[Expression]| parts.iter().map(|part| part.height).max().unwrap_or(0);
    let below = match &kind {
        Kind::None | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::Name(_) => 0,
        Kind::List(parts) | Kind::Tuple(parts) => tallest(parts),
        Kind::Dict(entries) => entries.iter().map(|(key, value)| key.height.max(value.height)).max().unwrap_or(0),
        Kind::Attribute(of, _) | Kind::Unary(_, of) => of.height,
        Kind::Subscript(left, right) | Kind::Binary(_, left, right) => left.height.max(right.height),
        Kind::Call(callee, arguments) => {
            arguments.iter().map(|argument| argument.value.height).max().unwrap_or(0).max(callee.height)
        }
    };
    if below >= 2 * NESTING_MAX {
        return Err(Fault::new(at, format!("the expression is nested deeper than {}", 2 * NESTING_MAX)));
    }
    Ok(Expression { at, height: below + 1, kind })
}
