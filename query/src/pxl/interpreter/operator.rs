//! Operators and casts: on constants at once, on columns as expressions.

use super::super::ast::Unary;
use super::super::call;
use super::super::column::ColumnExpr;
use super::super::constant;
use super::super::types::PxType;
use super::super::value::{Time, Value};
use super::{Given, Interpreter};

impl Interpreter<'_> {
    pub(super) fn unary(&mut self, at: usize, operator: Unary, operand: Value) -> Value {
        match (operator, &operand) {
            (_, Value::Poison) => return Value::Poison,
            (Unary::Plus, Value::Int(_) | Value::Float(_)) => return operand,
            (Unary::Plus, Value::Column(column)) => {
                return match column.data_type {
                    watershed_model::DataType::Int64 | watershed_model::DataType::Float64 => operand,
                    _ => self.fail(at, format!("`+` does not take {}", operand.kind())),
                };
            }
            (Unary::Negate, Value::Int(value)) => return Value::Int(value.wrapping_neg()),
            (Unary::Negate, Value::Float(value)) => return Value::Float(-value),
            (Unary::Not, Value::Bool(value)) => return Value::Bool(!value),
            (Unary::Not, Value::Int(value)) => return Value::Bool(*value == 0),
            (Unary::Invert, Value::Int(value)) => return Value::Int(!value),
            _ => {}
        }
        let (name, sign) = match operator {
            Unary::Plus => ("plus", "+"),
            Unary::Negate => ("negate", "-"),
            Unary::Not => ("logicalNot", "not"),
            Unary::Invert => ("invert", "~"),
        };
        let Value::Column(column) = operand else {
            return self.fail(at, format!("`{sign}` does not take {}", operand.kind()));
        };
        let result = call::scalar(self.catalog, name, vec![*column]);
        self.settle(at, result.map(ColumnExpr::folded))
    }

    pub(in super::super) fn binary(&mut self, at: usize, sign: &'static str, left: &Value, right: &Value) -> Value {
        if matches!(left, Value::Poison) || matches!(right, Value::Poison) {
            return Value::Poison;
        }
        if let Some(folded) = constant::binary(sign, left, right) {
            return self.settle(at, folded);
        }
        let name = match sign {
            "+" => "add",
            "-" => "subtract",
            "*" => "multiply",
            "/" => "divide",
            "%" => "modulo",
            "and" => "logicalAnd",
            "or" => "logicalOr",
            "==" => "equal",
            "!=" => "notEqual",
            "<" => "lessThan",
            "<=" => "lessThanEqual",
            ">" => "greaterThan",
            _ => "greaterThanEqual",
        };
        let columns = (ColumnExpr::of_value(self.catalog, left), ColumnExpr::of_value(self.catalog, right));
        let (Some(left), Some(right)) = columns else {
            return self.fail(at, format!("`{sign}` does not take {} and {}", left.kind(), right.kind()));
        };
        let result = call::scalar(self.catalog, name, vec![left, right]);
        self.settle(at, result.map(ColumnExpr::folded))
    }

    /// A type that is called: Python's convert constants, px's say what a column means.
    pub(super) fn cast(&mut self, at: usize, kind: PxType, mut given: Vec<Given>) -> Value {
        if given.len() != 1 {
            return self.fail(at, format!("{} takes one value", kind.name()));
        }
        let Some(Given { value, .. }) = given.pop() else { return Value::Poison };
        let Some((semantic, types)) = kind.meaning() else { return self.converted(at, kind, value) };
        match (kind, &value) {
            (_, Value::Poison) => return Value::Poison,
            (PxType::Time, Value::Time(_)) => return value,
            (PxType::Time, Value::Int(nanoseconds)) => return Value::Time(Time::At(*nanoseconds)),
            (PxType::Time | PxType::Upid, Value::Text(text)) => {
                let parsed = kind.parse(text);
                return self.settle(at, parsed);
            }
            _ => {}
        }
        let Some(mut column) = ColumnExpr::of_value(self.catalog, &value) else {
            return self.fail(at, format!("px.{} does not take {}", kind.name(), value.kind()));
        };
        if !types.contains(&column.data_type) {
            let names: Vec<&str> = types.iter().map(|kind| kind.name()).collect();
            let found = column.data_type.name();
            return self.fail(at, format!("px.{} is of {}, this is {found}", kind.name(), names.join(" or ")));
        }
        column.semantic = semantic;
        column.key = super::super::context::key_of_column("", semantic);
        Value::Column(Box::new(column))
    }

    fn converted(&mut self, at: usize, kind: PxType, value: Value) -> Value {
        match (kind, &value) {
            (_, Value::Poison) => Value::Poison,
            (PxType::Str, Value::Text(_))
            | (PxType::Int, Value::Int(_))
            | (PxType::Float, Value::Float(_))
            | (PxType::Bool, Value::Bool(_))
            | (PxType::List, Value::List(_)) => value,
            (PxType::Str, Value::Int(number)) => Value::Text(number.to_string()),
            (PxType::Str, Value::Float(number)) => Value::Text(number.to_string()),
            (PxType::Str, Value::Bool(truth)) => Value::Text(if *truth { "True" } else { "False" }.into()),
            (PxType::Int, Value::Float(number)) => Value::Int(*number as i64),
            (PxType::Int, Value::Bool(truth)) => Value::Int(i64::from(*truth)),
            (PxType::Float, Value::Int(number)) => Value::Float(*number as f64),
            (PxType::Bool, Value::Int(number)) => Value::Bool(*number != 0),
            (PxType::List, Value::Tuple(elements)) => Value::List(std::rc::Rc::clone(elements)),
            (_, Value::Text(text)) => {
                let parsed = kind.parse(text);
                self.settle(at, parsed)
            }
            (PxType::Int | PxType::Float, Value::Column(column)) => {
                let to = match kind {
                    PxType::Int => watershed_model::DataType::Int64,
                    _ => watershed_model::DataType::Float64,
                };
                let mut made = ColumnExpr::new(column.as_ref().clone().converted(to), to);
                made.lineage = column.lineage;
                made.semantic = column.semantic;
                Value::Column(Box::new(made))
            }
            _ => self.fail(at, format!("{} does not take {}", kind.name(), value.kind())),
        }
    }
}
