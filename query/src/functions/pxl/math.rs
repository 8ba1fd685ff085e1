//! Arithmetic as PxL has it: integers wrap, `divide` always makes a float, `floor` and `ceil` make integers, `round`
//! makes text, and remainders are cut towards zero as in C.

use super::rows::{Time, map1, map2};
use super::{Entry, F, I, Overload, S, T, entry, over};

/// A function of two numbers, as floats.
macro_rules! of_floats {
    ($f:expr) => {
        &[
            over(&[F, F], F, |a| map2(a, |x: f64, y: f64| $f(x, y))),
            over(&[F, I], F, |a| map2(a, |x: f64, y: i64| $f(x, y as f64))),
            over(&[I, F], F, |a| map2(a, |x: i64, y: f64| $f(x as f64, y))),
            over(&[I, I], F, |a| map2(a, |x: i64, y: i64| $f(x as f64, y as f64))),
        ]
    };
}

/// A function of one number, as a float.
macro_rules! of_float {
    ($f:expr) => {
        &[over(&[F], F, |a| map1(a, $f)), over(&[I], F, |a| map1(a, |x: i64| $f(x as f64)))]
    };
}

/// A function of two numbers that keeps integers.
macro_rules! of_numbers {
    ($integers:expr, $floats:expr) => {
        [
            over(&[I, I], I, |a| map2(a, $integers)),
            over(&[F, F], F, |a| map2(a, $floats)),
            over(&[F, I], F, |a| map2(a, |x: f64, y: i64| $floats(x, y as f64))),
            over(&[I, F], F, |a| map2(a, |x: i64, y: f64| $floats(x as f64, y))),
        ]
    };
}

static MULTIPLY: [Overload; 4] = of_numbers!(i64::wrapping_mul, |x: f64, y: f64| x * y);

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "add",
        &[
            over(&[I, I], I, |a| map2(a, i64::wrapping_add)),
            over(&[F, F], F, |a| map2(a, |x: f64, y: f64| x + y)),
            over(&[S, S], S, |a| map2(a, |x: &str, y: &str| format!("{x}{y}"))),
            over(&[F, I], F, |a| map2(a, |x: f64, y: i64| x + y as f64)),
            over(&[I, F], F, |a| map2(a, |x: i64, y: f64| x as f64 + y)),
            over(&[T, I], T, |a| map2(a, |x: Time, y: i64| Time(x.0.wrapping_add(y)))),
            over(&[I, T], T, |a| map2(a, |x: i64, y: Time| Time(x.wrapping_add(y.0)))),
        ],
        "Sum of two numbers, a time some nanoseconds later, or two texts one after the other.",
    ),
    entry(
        "subtract",
        &[
            over(&[I, I], I, |a| map2(a, i64::wrapping_sub)),
            over(&[F, F], F, |a| map2(a, |x: f64, y: f64| x - y)),
            over(&[F, I], F, |a| map2(a, |x: f64, y: i64| x - y as f64)),
            over(&[I, F], F, |a| map2(a, |x: i64, y: f64| x as f64 - y)),
            over(&[I, T], I, |a| map2(a, |x: i64, y: Time| x.wrapping_sub(y.0))),
        ],
        "The first number less the second.",
    ),
    entry("divide", of_floats!(|x: f64, y: f64| x / y), "Quotient as a float; by zero it is infinite or NaN."),
    entry("multiply", &MULTIPLY, "Product of two numbers."),
    entry(
        "log",
        of_floats!(|base: f64, x: f64| x.ln() / base.ln()),
        "Logarithm of the second number to the first's base.",
    ),
    entry("ln", of_float!(f64::ln), "Natural logarithm."),
    entry("log2", of_float!(f64::log2), "Logarithm to base 2."),
    entry("log10", of_float!(f64::log10), "Logarithm to base 10."),
    entry("pow", of_floats!(f64::powf), "The first number to the power of the second."),
    entry("exp", of_float!(f64::exp), "e to the power of a number."),
    entry(
        "abs",
        &[over(&[F], F, |a| map1(a, f64::abs)), over(&[I], I, |a| map1(a, i64::wrapping_abs))],
        "A number without its sign.",
    ),
    entry("sqrt", of_float!(f64::sqrt), "Square root; NaN of what is negative."),
    entry(
        "modulo",
        &[
            over(&[T, I], I, |a| map2(a, |x: Time, y: i64| remainder(x.0, y))),
            over(&[T, T], I, |a| map2(a, |x: Time, y: Time| remainder(x.0, y.0))),
            over(&[I, T], I, |a| map2(a, |x: i64, y: Time| remainder(x, y.0))),
            over(&[I, I], I, |a| map2(a, remainder)),
        ],
        "Remainder with the sign of the first argument; 0 where the second is 0.",
    ),
    entry("ceil", &[over(&[F], I, |a| map1(a, |x: f64| x.ceil() as i64))], "Up to an integer."),
    entry("floor", &[over(&[F], I, |a| map1(a, |x: f64| x.floor() as i64))], "Down to an integer."),
    entry(
        "negate",
        &[over(&[I], I, |a| map1(a, i64::wrapping_neg)), over(&[F], F, |a| map1(a, |x: f64| -x))],
        "A number with the other sign.",
    ),
    entry("invert", &[over(&[I], I, |a| map1(a, |x: i64| !x))], "All bits of an integer turned over."),
    entry(
        "bin",
        &[
            over(&[I, I], I, |a| map2(a, bin)),
            over(&[T, T], T, |a| map2(a, |x: Time, y: Time| Time(bin(x.0, y.0)))),
            over(&[I, T], I, |a| map2(a, |x: i64, y: Time| bin(x, y.0))),
            over(&[T, I], T, |a| map2(a, |x: Time, y: i64| Time(bin(x.0, y)))),
            over(&[F, I], I, |a| map2(a, |x: f64, y: i64| bin(x as i64, y))),
        ],
        "Towards zero to a multiple of the second argument.",
    ),
    entry(
        "round",
        &[over(&[F, I], S, |a| map2(a, round))],
        "A number as text with so many decimal places (six where that is negative).",
    ),
    entry("time_to_int64", &[over(&[T], I, |a| map1(a, |x: Time| x.0))], "A time as nanoseconds since 1970."),
    entry("int64_to_time", &[over(&[I], T, |a| map1(a, Time))], "The time so many nanoseconds since 1970."),
];

/// Decimal places that are written at most; a float has no more that are not zero in practice.
const PLACES_MAX: i64 = 340;

fn remainder(value: i64, divisor: i64) -> i64 {
    if divisor == 0 { 0 } else { value.wrapping_rem(divisor) }
}

fn bin(value: i64, width: i64) -> i64 {
    value.wrapping_sub(remainder(value, width))
}

fn round(value: f64, places: i64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    let places = if places < 0 { 6 } else { places.min(PLACES_MAX) };
    format!("{value:.*}", places as usize)
}

#[cfg(test)]
mod tests;
