//! Operators on constants, worked out while compiling.

use super::value::{Time, Value};

/// Longest text that is worked out while compiling, in bytes.
const TEXT_MAX: usize = 64 * 1024;
/// Longest list.
const LIST_MAX: usize = 10_000;

/// What was worked out, unless it is too long.
pub(super) fn bounded(value: Value) -> Result<Value, String> {
    match &value {
        Value::Text(text) if text.len() > TEXT_MAX => Err(format!("this text is longer than {TEXT_MAX} bytes")),
        Value::List(list) if list.len() > LIST_MAX => Err(format!("this list is longer than {LIST_MAX}")),
        _ => Ok(value),
    }
}

/// The result on two constants; `None` if the operator is not for them.
pub(super) fn binary(sign: &str, left: &Value, right: &Value) -> Option<Result<Value, String>> {
    let value = match (left, right) {
        (Value::Int(left), Value::Int(right)) => return integers(sign, *left, *right),
        (Value::Float(left), Value::Float(right)) => floats(sign, *left, *right)?,
        (Value::Int(left), Value::Float(right)) => floats(sign, *left as f64, *right)?,
        (Value::Float(left), Value::Int(right)) => floats(sign, *left, *right as f64)?,
        (Value::Text(left), Value::Text(right)) => match sign {
            "+" => Value::Text(format!("{left}{right}")),
            _ => ordered(sign, left.cmp(right))?,
        },
        (Value::Bool(left), Value::Bool(right)) => match sign {
            "and" => Value::Bool(*left && *right),
            "or" => Value::Bool(*left || *right),
            "==" => Value::Bool(left == right),
            "!=" => Value::Bool(left != right),
            _ => return None,
        },
        (Value::Time(time), Value::Int(by)) => match sign {
            "+" => Value::Time(time.plus(*by)),
            "-" => Value::Time(time.plus(by.saturating_neg())),
            _ => return None,
        },
        (Value::Int(by), Value::Time(time)) if sign == "+" => Value::Time(time.plus(*by)),
        (Value::Time(left), Value::Time(right)) => {
            let (left, right) = match (left, right) {
                (Time::Now(left), Time::Now(right)) | (Time::At(left), Time::At(right)) => (*left, *right),
                _ => return None,
            };
            match sign {
                "-" => Value::Int(left.wrapping_sub(right)),
                _ => ordered(sign, left.cmp(&right))?,
            }
        }
        (Value::List(left), Value::List(right)) if sign == "+" => {
            Value::List(std::rc::Rc::new(left.iter().chain(right.iter()).cloned().collect()))
        }
        _ => return None,
    };
    Some(bounded(value))
}

fn integers(sign: &str, left: i64, right: i64) -> Option<Result<Value, String>> {
    Some(Ok(match sign {
        "+" => Value::Int(left.wrapping_add(right)),
        "-" => Value::Int(left.wrapping_sub(right)),
        "*" => Value::Int(left.wrapping_mul(right)),
        "/" => Value::Float(left as f64 / right as f64),
        "%" if right == 0 => return Some(Err("this divides by zero".into())),
        "%" => Value::Int(left.wrapping_rem(right)),
        "and" => Value::Bool(left != 0 && right != 0),
        "or" => Value::Bool(left != 0 || right != 0),
        _ => ordered(sign, left.cmp(&right))?,
    }))
}

fn floats(sign: &str, left: f64, right: f64) -> Option<Value> {
    let equal = (left - right).abs() < f64::EPSILON;
    Some(match sign {
        "+" => Value::Float(left + right),
        "-" => Value::Float(left - right),
        "*" => Value::Float(left * right),
        "/" => Value::Float(left / right),
        "==" => Value::Bool(equal),
        "!=" => Value::Bool(!equal),
        "<" => Value::Bool(left < right),
        "<=" => Value::Bool(left <= right),
        ">" => Value::Bool(left > right),
        ">=" => Value::Bool(left >= right),
        _ => return None,
    })
}

fn ordered(sign: &str, order: std::cmp::Ordering) -> Option<Value> {
    Some(Value::Bool(match sign {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => return None,
    }))
}
