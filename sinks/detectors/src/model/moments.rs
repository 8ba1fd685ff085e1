//! Mean and variance that are kept up value by value.

use serde::{Deserialize, Serialize};

/// Weighted mean and variance.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    /// Values taken in.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Their variance.
    pub variance: f64,
}

impl Moments {
    /// Takes a value in with a weight between 0 and 1; the first values count alike whatever their weight is.
    pub fn add(&mut self, value: f64, weight: f64) {
        self.count += 1;
        let weight = weight.max(1.0 / self.count as f64).min(1.0);
        let distance = value - self.mean;
        self.mean += weight * distance;
        self.variance = (1.0 - weight) * (self.variance + weight * distance * distance);
    }

    /// What two sets of values are together, when the first counts by this share of its size.
    #[must_use]
    pub fn merged(&self, other: &Moments, share: f64) -> Moments {
        let (left, right) = (self.count as f64 * share, other.count as f64);
        if left + right == 0.0 {
            return *self;
        }
        let weight = right / (left + right);
        let distance = other.mean - self.mean;
        Moments {
            count: (left + right).round() as u64,
            mean: self.mean + weight * distance,
            variance: (1.0 - weight) * self.variance
                + weight * other.variance
                + weight * (1.0 - weight) * distance * distance,
        }
    }

    /// The standard deviation.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        self.variance.max(0.0).sqrt()
    }
}
