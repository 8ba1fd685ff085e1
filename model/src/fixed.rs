//! Floats as fixed point of 2^-32, so that sums do not depend on the order of adding and can be taken back exactly.
//! Both one-shot and continuous sums and means of floats use these, which is why they agree to the last digit.

const PARTS: f64 = 4_294_967_296.0;

/// A sum in two lanes: whole numbers, and parts of 2^-32. Lanes wrap, so adding and taking back always cancel out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Fixed {
    /// Sum of the values rounded down.
    pub whole: i64,
    /// Sum of what was cut off, in 2^-32.
    pub parts: i64,
}

impl Fixed {
    /// The nearest fixed-point number. NaN is zero; what lies beyond 63 bits, and infinities, saturate.
    #[must_use]
    pub fn of(value: f64) -> Self {
        let whole = value.floor();
        let parts = (value - whole) * PARTS;
        Fixed { whole: whole as i64, parts: if parts.is_finite() { parts.round() as i64 } else { 0 } }
    }

    /// Adds it `times` times; negative times take it back.
    pub fn add(&mut self, other: Fixed, times: i64) {
        self.whole = self.whole.wrapping_add(other.whole.wrapping_mul(times));
        self.parts = self.parts.wrapping_add(other.parts.wrapping_mul(times));
    }

    /// The sum as a float, rounded once.
    #[must_use]
    pub fn value(self) -> f64 {
        let fixed = (i128::from(self.whole) << 32) + i128::from(self.parts);
        fixed as f64 / PARTS
    }
}

#[cfg(test)]
mod tests {
    use super::Fixed;

    fn sum(values: impl Iterator<Item = f64>) -> Fixed {
        values.fold(Fixed::default(), |mut sum, value| {
            sum.add(Fixed::of(value), 1);
            sum
        })
    }

    #[test]
    fn sums_do_not_depend_on_order() {
        let values = [0.1, 1e9, -0.3, 1e-7, 77.25, -1e9];
        assert_eq!(sum(values.into_iter()), sum(values.into_iter().rev()));
        assert!((sum(values.into_iter()).value() - 77.05).abs() < 1e-6);
    }

    #[test]
    fn what_was_added_is_taken_back_exactly() {
        let mut total = sum([0.1, -2.7].into_iter());
        total.add(Fixed::of(0.1), -1);
        total.add(Fixed::of(-2.7), -1);
        assert_eq!(total, Fixed::default());
    }

    #[test]
    fn halves_and_quarters_are_exact_and_what_is_no_number_is_zero() {
        assert_eq!(Fixed::of(-1.75).value(), -1.75);
        assert_eq!(Fixed::of(f64::NAN), Fixed::default());
        assert_eq!(Fixed::of(f64::INFINITY), Fixed { whole: i64::MAX, parts: 0 });
    }
}
