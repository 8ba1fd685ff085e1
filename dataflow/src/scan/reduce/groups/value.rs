//! What was chosen of a group's values, one after the other, as it is held for each group: no larger than two words.

/// Bytes that fit without an allocation: those of one number do.
const SHORT: usize = 14;

/// Bytes that seldom change.
pub(super) enum Value {
    Short { length: u8, bytes: [u8; SHORT] },
    // A slice's pointer is two words, and the variant takes part of a third.
    Long(Box<Box<[u8]>>),
}

const _: () = assert!(size_of::<Value>() == 16);

impl Value {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Value::Short { length, bytes } => &bytes[..usize::from(*length)],
            Value::Long(bytes) => bytes,
        }
    }
}

impl Default for Value {
    fn default() -> Self {
        Value::Short { length: 0, bytes: [0; SHORT] }
    }
}

impl From<&[u8]> for Value {
    fn from(slice: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        let Some(start) = bytes.get_mut(..slice.len()) else { return Value::Long(Box::new(slice.into())) };
        start.copy_from_slice(slice);
        Value::Short { length: slice.len() as u8, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_the_bytes_that_it_was_made_of() {
        let bytes: Vec<u8> = (0..40).collect();
        assert!((0..bytes.len()).all(|length| Value::from(&bytes[..length]).as_slice() == &bytes[..length]));
        assert!(Value::default().as_slice().is_empty());
    }
}
