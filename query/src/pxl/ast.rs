//! What a script says, with the place of each part as a byte offset.

use std::rc::Rc;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    pub(super) at: usize,
    /// Height of the tree; bounded, so that walking it is too.
    pub(super) height: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Name(String),
    List(Vec<Expression>),
    Tuple(Vec<Expression>),
    Dict(Vec<(Expression, Expression)>),
    Attribute(Box<Expression>, String),
    Subscript(Box<Expression>, Box<Expression>),
    Call(Box<Expression>, Vec<Argument>),
    Unary(Unary, Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
}

/// An argument, with its keyword where it has one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Argument {
    pub(super) keyword: Option<String>,
    pub(super) at: usize,
    pub(super) value: Expression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Plus,
    Negate,
    Not,
    Invert,
}

/// A statement and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) at: usize,
    pub(super) kind: StatementKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum StatementKind {
    /// Module, member of it if `from` was used, and the name that it gets.
    Import {
        module: String,
        member: Option<String>,
        name: String,
    },
    Expression(Expression),
    Assign(Target, Expression),
    Define(Rc<Function>),
    Return(Option<Expression>),
    Pass,
}

/// Where an assignment goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    Name(String),
    /// The frame's name, and the column.
    Column(String, Expression),
}

/// A function of the script.
#[derive(Debug, PartialEq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) decorator: Option<Expression>,
    pub(super) body: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) annotation: Option<Expression>,
}
