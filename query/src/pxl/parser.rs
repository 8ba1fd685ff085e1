//! Tokens to statements. A bad statement is reported and skipped, so that all mistakes of a script are found at once.

mod expression;

use std::rc::Rc;

use super::ast::{Expression, Function, Kind, Parameter, Statement, StatementKind, Target};
use super::fault::{FAULTS_MAX, Fault};
use super::lexer::{Token, TokenKind, tokens};

/// Deepest nesting of expressions and of blocks.
pub(super) const NESTING_MAX: usize = 100;

/// The statements of a script.
pub(super) fn parse(text: &str) -> Result<Vec<Statement>, Vec<Fault>> {
    let tokens = tokens(text).map_err(|fault| vec![fault])?;
    let mut parser = Parser { tokens, next: 0, depth: 0, faults: Vec::new() };
    let statements = parser.module();
    if parser.faults.is_empty() { Ok(statements) } else { Err(parser.faults) }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    faults: Vec<Fault>,
}

/// Statements of Python that PxL does not have.
const REFUSED: [(&str, &str); 22] = [
    ("if", "if statements"),
    ("elif", "if statements"),
    ("else", "if statements"),
    ("for", "for loops"),
    ("while", "while loops"),
    ("class", "classes"),
    ("try", "try statements"),
    ("except", "try statements"),
    ("finally", "try statements"),
    ("with", "with statements"),
    ("del", "del statements"),
    ("global", "global statements"),
    ("nonlocal", "nonlocal statements"),
    ("assert", "assert statements"),
    ("raise", "raise statements"),
    ("yield", "yield"),
    ("async", "async"),
    ("await", "await"),
    ("break", "break"),
    ("continue", "continue"),
    ("print", "print; show a table with px.display"),
    ("exec", "exec"),
];

impl Parser {
    fn module(&mut self) -> Vec<Statement> {
        let mut statements = Vec::new();
        while !self.is_end() && self.faults.len() < FAULTS_MAX {
            self.statement_into(&mut statements);
        }
        statements
    }

    fn statement_into(&mut self, statements: &mut Vec<Statement>) {
        let start = self.next;
        match self.statement() {
            Ok(parsed) => statements.extend(parsed),
            Err(fault) => {
                self.faults.push(fault);
                self.skip_statement(start);
            }
        }
    }

    /// Leaves a bad statement behind, with the block that belongs to it.
    fn skip_statement(&mut self, start: usize) {
        let mut blocks = 0_usize;
        while !self.is_end() {
            let kind = self.tokens[self.next].kind.clone();
            match kind {
                TokenKind::Indent => blocks += 1,
                TokenKind::Dedent if blocks == 0 => break,
                TokenKind::Dedent => blocks -= 1,
                _ => {}
            }
            self.next += 1;
            let ended = matches!(kind, TokenKind::Newline | TokenKind::Dedent);
            if ended && blocks == 0 && !matches!(self.kind(), TokenKind::Indent) {
                break;
            }
        }
        if self.next == start && !self.is_end() {
            self.next += 1;
        }
    }

    fn statement(&mut self) -> Result<Vec<Statement>, Fault> {
        let at = self.at();
        match self.kind() {
            TokenKind::Indent => return Err(Fault::new(at, "this line is indented, but no block begins before it")),
            TokenKind::Dedent => return Err(Fault::new(at, "the indentation fits no block above")),
            TokenKind::Newline => {
                self.next += 1;
                return Ok(Vec::new());
            }
            _ => {}
        }
        if self.sign_is("@") || self.name_is("def") {
            return self.define().map(|statement| vec![statement]);
        }
        let statements = self.simple_statement()?;
        if !self.take_newline() {
            return Err(self.unexpected("the end of the statement"));
        }
        Ok(statements)
    }

    fn simple_statement(&mut self) -> Result<Vec<Statement>, Fault> {
        let at = self.at();
        if let TokenKind::Name(name) = self.kind() {
            let name = name.clone();
            let refused = REFUSED.iter().find(|(keyword, _)| *keyword == name);
            let is_call_or_name = matches!(name.as_str(), "print" | "exec");
            if let (Some((_, what)), false) = (refused, is_call_or_name) {
                return Err(Fault::new(at, format!("PxL has no {what}")));
            }
            match name.as_str() {
                "import" => return self.import(at),
                "from" => return self.members_import(at),
                "return" => {
                    self.next += 1;
                    let value = if self.ends_statement() { None } else { Some(self.expressions()?) };
                    return Ok(vec![Statement { at, kind: StatementKind::Return(value) }]);
                }
                "pass" => {
                    self.next += 1;
                    return Ok(vec![Statement { at, kind: StatementKind::Pass }]);
                }
                _ => {}
            }
        }
        let left = self.expressions()?;
        if let TokenKind::Sign(sign) = self.kind() {
            let sign = *sign;
            if sign == "=" {
                let target = target(left)?;
                self.next += 1;
                let value = self.expressions()?;
                if self.sign_is("=") {
                    return Err(Fault::new(self.at(), "PxL assigns to one target at a time"));
                }
                return Ok(vec![Statement { at, kind: StatementKind::Assign(target, value) }]);
            }
            if sign.len() > 1 && sign.ends_with('=') && !matches!(sign, "==" | "!=" | "<=" | ">=") {
                let message = format!("PxL has no augmented assignment `{sign}`; write `x = x {} …`", &sign[..1]);
                return Err(Fault::new(self.at(), message));
            }
            if sign == ":" {
                return Err(Fault::new(self.at(), "PxL has no annotations on variables"));
            }
        }
        Ok(vec![Statement { at, kind: StatementKind::Expression(left) }])
    }

    fn import(&mut self, at: usize) -> Result<Vec<Statement>, Fault> {
        let mut statements = Vec::new();
        loop {
            self.next += 1;
            let module = self.dotted_name()?;
            let name = self.import_name(&module)?;
            statements.push(Statement { at, kind: StatementKind::Import { module, member: None, name } });
            if !self.sign_is(",") {
                return Ok(statements);
            }
        }
    }

    fn members_import(&mut self, at: usize) -> Result<Vec<Statement>, Fault> {
        self.next += 1;
        let module = self.dotted_name()?;
        if !self.name_is("import") {
            return Err(self.unexpected("`import`"));
        }
        self.next += 1;
        let bracketed = self.take_sign("(");
        let mut statements = Vec::new();
        loop {
            if self.sign_is("*") {
                return Err(Fault::new(self.at(), "PxL imports names one by one, not `*`"));
            }
            let member = self.name("a name to import")?;
            let name = self.import_name(&member)?;
            let kind = StatementKind::Import { module: module.clone(), member: Some(member), name };
            statements.push(Statement { at, kind });
            if !self.take_sign(",") || (bracketed && self.sign_is(")")) {
                break;
            }
        }
        if bracketed && !self.take_sign(")") {
            return Err(self.unexpected("`)`"));
        }
        Ok(statements)
    }

    fn dotted_name(&mut self) -> Result<String, Fault> {
        let mut name = self.name("a module")?;
        while self.take_sign(".") {
            name = format!("{name}.{}", self.name("a module")?);
        }
        Ok(name)
    }

    fn import_name(&mut self, given: &str) -> Result<String, Fault> {
        if !self.name_is("as") {
            return Ok(given.to_owned());
        }
        self.next += 1;
        self.name("a name")
    }

    fn define(&mut self) -> Result<Statement, Fault> {
        let at = self.at();
        let mut decorator = None;
        while self.take_sign("@") {
            if decorator.is_some() {
                return Err(Fault::new(self.at(), "a function has at most one decorator"));
            }
            decorator = Some(self.expression()?);
            if !self.take_newline() {
                return Err(self.unexpected("the end of the decorator"));
            }
        }
        if !self.name_is("def") {
            return Err(self.unexpected("`def` after a decorator"));
        }
        self.next += 1;
        let name = self.name("the function's name")?;
        if !self.take_sign("(") {
            return Err(self.unexpected("`(`"));
        }
        let parameters = self.parameters()?;
        if self.take_sign("->") {
            self.expression()?;
        }
        if !self.take_sign(":") {
            return Err(self.unexpected("`:`"));
        }
        let body = self.block()?;
        let function = Function { name, parameters, decorator, body };
        Ok(Statement { at, kind: StatementKind::Define(Rc::new(function)) })
    }

    fn parameters(&mut self) -> Result<Vec<Parameter>, Fault> {
        let mut parameters: Vec<Parameter> = Vec::new();
        while !self.take_sign(")") {
            let at = self.at();
            if self.sign_is("*") || self.sign_is("**") {
                return Err(Fault::new(at, "PxL has no *args and **kwargs"));
            }
            let name = self.name("a parameter")?;
            if parameters.iter().any(|other| other.name == name) {
                return Err(Fault::new(at, format!("there are two parameters `{name}`")));
            }
            let annotation = if self.take_sign(":") { Some(self.expression()?) } else { None };
            if self.sign_is("=") {
                return Err(Fault::new(self.at(), "PxL has no default values of parameters"));
            }
            parameters.push(Parameter { name, annotation });
            if !self.take_sign(",") && !self.sign_is(")") {
                return Err(self.unexpected("`,` or `)`"));
            }
        }
        Ok(parameters)
    }

    fn block(&mut self) -> Result<Vec<Statement>, Fault> {
        if !self.take_newline() {
            let body = self.simple_statement()?;
            return if self.take_newline() { Ok(body) } else { Err(self.unexpected("the end of the statement")) };
        }
        if !matches!(self.kind(), TokenKind::Indent) {
            return Err(Fault::new(self.at(), "the function has no body; indent it"));
        }
        self.next += 1;
        let mut body = Vec::new();
        self.deeper(|parser| {
            while !matches!(parser.kind(), TokenKind::Dedent | TokenKind::End) && parser.faults.len() < FAULTS_MAX {
                parser.statement_into(&mut body);
            }
            Ok(())
        })?;
        if matches!(self.kind(), TokenKind::Dedent) {
            self.next += 1;
        }
        Ok(body)
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= NESTING_MAX {
            return Err(Fault::new(self.at(), format!("this is nested deeper than {NESTING_MAX}")));
        }
        self.depth += 1;
        let parsed = stacker::maybe_grow(128 * 1024, 1024 * 1024, || parse(self));
        self.depth -= 1;
        parsed
    }

    fn kind(&self) -> &TokenKind {
        &self.tokens[self.next.min(self.tokens.len() - 1)].kind
    }

    fn kind_after(&self) -> &TokenKind {
        &self.tokens[(self.next + 1).min(self.tokens.len() - 1)].kind
    }

    fn at(&self) -> usize {
        self.tokens[self.next.min(self.tokens.len() - 1)].at
    }

    fn is_end(&self) -> bool {
        matches!(self.kind(), TokenKind::End)
    }

    fn ends_statement(&self) -> bool {
        matches!(self.kind(), TokenKind::Newline | TokenKind::End | TokenKind::Dedent)
    }

    fn take_newline(&mut self) -> bool {
        let ends = matches!(self.kind(), TokenKind::Newline);
        self.next += usize::from(ends);
        ends || self.is_end()
    }

    fn sign_is(&self, wanted: &str) -> bool {
        matches!(self.kind(), TokenKind::Sign(sign) if *sign == wanted)
    }

    fn take_sign(&mut self, wanted: &str) -> bool {
        let there = self.sign_is(wanted);
        self.next += usize::from(there);
        there
    }

    fn name_is(&self, wanted: &str) -> bool {
        matches!(self.kind(), TokenKind::Name(name) if name == wanted)
    }

    fn name(&mut self, what: &str) -> Result<String, Fault> {
        let TokenKind::Name(name) = self.kind() else { return Err(self.unexpected(what)) };
        let name = name.clone();
        self.next += 1;
        Ok(name)
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let found = match self.kind() {
            TokenKind::Name(name) => format!("`{name}`"),
            TokenKind::Int(_) | TokenKind::Float(_) => "a number".into(),
            TokenKind::Text(_) => "a string".into(),
            TokenKind::Sign(sign) => format!("`{sign}`"),
            TokenKind::Newline => "the end of the line".into(),
            TokenKind::Indent | TokenKind::Dedent => "another indentation".into(),
            TokenKind::End => "the end of the script".into(),
        };
        let why = match self.kind() {
            TokenKind::Name(name) => match name.as_str() {
                "if" | "else" => "; PxL has no conditional expressions, use px.select",
                "for" => "; PxL has no comprehensions",
                "is" => "; PxL has no `is`, use ==",
                "in" => "; PxL has no `in`, use px.equals_any",
                _ => "",
            },
            TokenKind::Sign("**") => "; PxL has no `**`, use px.pow",
            TokenKind::Sign("//") => "; PxL has no `//`, use px.floor(a / b)",
            TokenKind::Sign("&" | "|" | "^" | "<<" | ">>") => "; PxL has no bitwise operators, use and, or, not",
            TokenKind::Sign(":=") => "; PxL has no assignment within expressions",
            _ => "",
        };
        Fault::new(self.at(), format!("expected {wanted}, found {found}{why}"))
    }
}

fn target(left: Expression) -> Result<Target, Fault> {
    let at = left.at;
    let named = |frame: Expression, column: Expression| match frame.kind {
        Kind::Name(name) => Ok(Target::Column(name, column)),
        _ => Err(Fault::new(at, "a column is assigned to a DataFrame that has a name, such as df.column = …")),
    };
    match left.kind {
        Kind::Name(name) => Ok(Target::Name(name)),
        Kind::Attribute(frame, column) => {
            let column = Expression { at, height: 1, kind: Kind::Text(column) };
            named(*frame, column)
        }
        Kind::Subscript(frame, column) => named(*frame, *column),
        Kind::Tuple(_) | Kind::List(_) => Err(Fault::new(at, "PxL assigns to one target, it has no unpacking")),
        _ => Err(Fault::new(at, "this cannot be assigned to; only a name, df.column and df['column'] can")),
    }
}
