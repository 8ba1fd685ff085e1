//! Fixed log-linear buckets for quantiles: 32 buckets an octave, so a value read back is within 1.6 % of the one put
//! in. Buckets never move or merge, so histograms add and subtract exactly. Both one-shot and continuous quantiles
//! use these, which is why they agree to the last digit.

use std::collections::BTreeMap;

use integer_encoding::VarInt;

/// Bits of the mantissa that name the bucket within an octave.
const MANTISSA_BITS: u32 = 5;
const SHIFT: u32 = 52 - MANTISSA_BITS;

/// A bucket's number; larger values have larger numbers, negative values negative ones, zero has 0.
pub type Bucket = i32;

/// The bucket of a value. NaN counts as zero, infinities as the largest finite values.
#[must_use]
pub fn bucket_of(value: f64) -> Bucket {
    if value.is_nan() || value == 0.0 {
        return 0;
    }
    let finite = value.abs().min(f64::MAX);
    // Numbered from 1, so that the smallest positive bucket is not the one of zero.
    let magnitude = (finite.to_bits() >> SHIFT) as Bucket + 1;
    if value < 0.0 { -magnitude } else { magnitude }
}

/// The middle of a bucket.
#[must_use]
pub fn value_of(bucket: Bucket) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let lower = u64::from(bucket.unsigned_abs() - 1) << SHIFT;
    let middle = f64::from_bits(lower + (1 << (SHIFT - 1)));
    if bucket < 0 { -middle } else { middle }
}

/// The value at quantile `q` (0 to 1, nearest rank) of buckets in ascending order with their counts; `None` if the
/// counts add up to nothing.
pub fn quantile(counts: impl Iterator<Item = (Bucket, i64)> + Clone, q: f64) -> Option<f64> {
    let total: i64 = counts.clone().map(|(_, count)| count).sum();
    if total <= 0 {
        return None;
    }
    let rank = ((q.clamp(0.0, 1.0) * total as f64).ceil() as i64).max(1);
    let mut seen = 0;
    for (bucket, count) in counts {
        seen += count;
        if seen >= rank {
            return Some(value_of(bucket));
        }
    }
    None
}

/// A quantile as an integer, towards zero: the middle of a bucket of integers lies half above one of them, so an
/// integer below 64 comes back as itself.
#[must_use]
pub fn integer_of(quantile: f64) -> i64 {
    quantile as i64
}

/// A histogram as the bytes of a `BINARY` column: each bucket as the distance from the one before (the first from 0),
/// then its count, both as zigzag variable-length integers; ascending, no zero counts.
#[must_use]
pub fn encode(counts: impl Iterator<Item = (Bucket, i64)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut before = 0;
    for (bucket, count) in counts.filter(|(_, count)| *count != 0) {
        for number in [i64::from(bucket) - before, count] {
            let mut buffer = [0; 10];
            let length = number.encode_var(&mut buffer);
            bytes.extend_from_slice(&buffer[..length]);
        }
        before = i64::from(bucket);
    }
    bytes
}

/// Reads what [`encode`] wrote; a torn tail is ignored.
pub fn decode(bytes: &[u8]) -> impl Iterator<Item = (Bucket, i64)> + Clone {
    let (mut rest, mut bucket) = (bytes, 0_i64);
    std::iter::from_fn(move || {
        let (distance, taken) = i64::decode_var(rest)?;
        let (count, after) = i64::decode_var(&rest[taken..])?;
        rest = &rest[taken + after..];
        bucket = bucket.wrapping_add(distance);
        Some((bucket as Bucket, count))
    })
}

/// Counts by bucket, for accumulators that are not diffs.
pub type Histogram = BTreeMap<Bucket, i64>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_within_two_percent() {
        for value in [1.0, 17.0, 999.0, 123_456_789.0, 0.003, -42.5, 9.2e18] {
            let back = value_of(bucket_of(value));
            assert!((back - value).abs() <= value.abs() * 0.016, "{value} came back as {back}");
        }
        assert_eq!(value_of(bucket_of(0.0)), 0.0);
    }

    #[test]
    fn buckets_keep_the_order_of_values() {
        let values = [-1e9, -3.0, -1e-9, 0.0, 1e-300, 0.5, 1.0, 1.1, 2.0, 1e12];
        let buckets: Vec<_> = values.iter().map(|value| bucket_of(*value)).collect();
        assert!(buckets.is_sorted());
    }

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let counts: Histogram =
            (1..=100).map(|n| (bucket_of(f64::from(n)), 1)).fold(Histogram::new(), |mut counts, (bucket, count)| {
                *counts.entry(bucket).or_default() += count;
                counts
            });
        let at = |q| quantile(counts.iter().map(|(b, c)| (*b, *c)), q).expect("not empty");
        assert!((at(0.5) - 50.0).abs() < 1.0);
        assert!((at(0.99) - 99.0).abs() < 2.0);
        assert_eq!(quantile(std::iter::empty(), 0.5), None);
    }

    #[test]
    fn small_integers_come_back_as_themselves() {
        assert!((-63..64).all(|n| integer_of(value_of(bucket_of(f64::from(n)))) == i64::from(n)));
    }

    #[test]
    fn encoding_round_trips() {
        let counts = [(-3, 1), (0, 4), (77, -9), (Bucket::MAX, i64::MAX)];
        let bytes = encode(counts.into_iter());
        assert_eq!(decode(&bytes).collect::<Vec<_>>(), counts);
        assert_eq!(decode(&bytes[..bytes.len() - 1]).collect::<Vec<_>>(), counts[..3]);
    }
}
