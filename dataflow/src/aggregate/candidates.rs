//! Values of a group that are not sums: encoded one after the other, and merged without being decoded.

use integer_encoding::VarInt;

/// What a value that is not a sum is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Smallest,
    Largest,
    /// All distinct lines; the candidate is the text itself.
    Lines,
}

/// Chooses among candidates.
#[derive(Clone)]
pub(crate) struct Merger {
    choices: Vec<Choice>,
}

impl Merger {
    pub(crate) fn new(choices: Vec<Choice>) -> Self {
        Merger { choices }
    }

    /// One candidate for each choice, or none.
    pub(crate) fn of(&self, candidates: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        candidates.iter().take(self.choices.len()).for_each(|candidate| put(&mut bytes, *candidate));
        bytes
    }

    /// The best of each candidate.
    pub(crate) fn merge(&self, values: &[&[u8]]) -> Vec<u8> {
        if let [only] = values {
            return only.to_vec();
        }
        let mut merged = Vec::new();
        for (at, choice) in self.choices.iter().enumerate() {
            let mut present = values.iter().filter_map(|value| parts(value).nth(at).flatten()).peekable();
            match choice {
                Choice::Smallest => put(&mut merged, present.min()),
                Choice::Largest => put(&mut merged, present.max()),
                Choice::Lines => put(&mut merged, present.peek().is_some().then(|| lines_of(present)).as_deref()),
            }
        }
        merged
    }

    /// Whether what was merged to `merged` may be another without `value`.
    pub(crate) fn matters(&self, value: &[u8], merged: &[u8]) -> bool {
        let mut pairs = parts(value).zip(parts(merged)).zip(&self.choices);
        pairs.any(|((value, merged), choice)| value.is_some() && (*choice == Choice::Lines || value == merged))
    }
}

/// The distinct lines of texts in order.
pub(super) fn lines_of<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = texts.flat_map(|text| text.split(|byte| *byte == b'\n')).collect();
    lines.sort_unstable();
    lines.dedup();
    lines.join(&b'\n')
}

/// Length plus one (0 for none) and the bytes.
pub(super) fn put(bytes: &mut Vec<u8>, part: Option<&[u8]>) {
    let mut buffer = [0; 10];
    let length = part.map_or(0, |part| part.len() + 1).encode_var(&mut buffer);
    bytes.extend_from_slice(&buffer[..length]);
    bytes.extend_from_slice(part.unwrap_or_default());
}

/// What `put` wrote.
pub(super) fn parts(bytes: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, taken) = usize::decode_var(rest)?;
        let (part, after) = rest[taken..].split_at_checked(length.saturating_sub(1))?;
        rest = after;
        Some((length > 0).then_some(part))
    })
}
