//! Chunked framing of one body, byte by byte where it must be and by whole chunks where it can.

/// Where in the framing the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In a size line.
    Size { value: u64, digits: u8, ended: bool },
    /// In a chunk's data.
    Data(u64),
    /// At the line end after a chunk's data.
    DataEnd,
    /// In the trailer; whether the line has bytes yet.
    Trailer { in_line: bool },
}

/// What bytes of the framing meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Framing, nothing else.
    Framing,
    /// So many bytes of body.
    Data(usize),
    /// The last byte of the message.
    End,
    /// Not chunked framing.
    Invalid,
}

/// What elided bytes meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skip {
    /// All of them lie in known framing.
    Within,
    /// They can only be the last chunk.
    End,
    /// Framing passed that could not be seen.
    Unknown,
}

const SIZE_DIGITS_MAX: u8 = 15;
const LAST_CHUNK: u64 = b"0\r\n\r\n".len() as u64;

impl Chunk {
    pub(super) const START: Chunk = Chunk::Size { value: 0, digits: 0, ended: false };

    /// Takes at least one byte of a non-empty slice: how many, and what they were.
    pub(super) fn step(&mut self, bytes: &[u8]) -> (usize, Step) {
        let Some(byte) = bytes.first().copied() else { return (0, Step::Framing) };
        match *self {
            Chunk::Data(remaining) => {
                let taken = usize::try_from(remaining).map_or(bytes.len(), |remaining| remaining.min(bytes.len()));
                *self = match remaining - taken as u64 {
                    0 => Chunk::DataEnd,
                    left => Chunk::Data(left),
                };
                return (taken, Step::Data(taken));
            }
            Chunk::DataEnd => match byte {
                b'\r' => {}
                b'\n' => *self = Chunk::START,
                _ => return (1, Step::Invalid),
            },
            Chunk::Size { value, digits, ended } => match (byte, ended) {
                (b'\n', _) if digits == 0 => return (1, Step::Invalid),
                (b'\n', _) if value == 0 => *self = Chunk::Trailer { in_line: false },
                (b'\n', _) => *self = Chunk::Data(value),
                (_, true) => {}
                (b'\r' | b';' | b' ' | b'\t', false) => *self = Chunk::Size { value, digits, ended: true },
                (digit, false) => {
                    let Some(digit) = char::from(digit).to_digit(16) else { return (1, Step::Invalid) };
                    if digits >= SIZE_DIGITS_MAX {
                        return (1, Step::Invalid);
                    }
                    *self = Chunk::Size { value: value << 4 | u64::from(digit), digits: digits + 1, ended };
                }
            },
            Chunk::Trailer { in_line } => match byte {
                b'\n' if !in_line => return (1, Step::End),
                b'\n' => *self = Chunk::Trailer { in_line: false },
                b'\r' => {}
                _ => *self = Chunk::Trailer { in_line: true },
            },
        }
        (1, Step::Framing)
    }

    /// Passes over bytes that were not seen. The second number is how many of them were body.
    pub(super) fn skip(&mut self, mut count: u64) -> (Skip, u64) {
        let mut body = 0;
        if let Chunk::Data(remaining) = *self {
            body = remaining.min(count);
            count -= body;
            *self = if body == remaining { Chunk::DataEnd } else { Chunk::Data(remaining - body) };
        }
        if count >= 2 && *self == Chunk::DataEnd {
            count -= 2;
            *self = Chunk::START;
        }
        match count {
            0 => (Skip::Within, body),
            LAST_CHUNK if *self == Chunk::START => (Skip::End, body),
            _ => (Skip::Unknown, body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elided_tails_of_chunks_keep_the_framing() {
        let mut chunk = Chunk::Data(100);
        assert_eq!(chunk.skip(60), (Skip::Within, 60));
        assert_eq!(chunk.skip(42), (Skip::Within, 40));
        assert_eq!(chunk, Chunk::START);
        assert_eq!(Chunk::Data(10).skip(17), (Skip::End, 10));
        assert_eq!(Chunk::Data(10).skip(30), (Skip::Unknown, 10));
    }
}
