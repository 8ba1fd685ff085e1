//! How far one side's data of a stream has come, and how much has to follow.

const PREFIX_BYTES: usize = 5;

/// The data of one side of a stream.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Bytes that passed.
    pub(super) bytes: u64,
    /// Some of what would be shown was not seen.
    pub(super) cut: bool,
    /// What the header `content-length` says.
    pub(super) length: Option<u64>,
    messages: Messages,
}

impl Body {
    /// Data of `passed` bytes, of which `content` was seen.
    pub(super) fn pass(&mut self, content: &[u8], passed: u64) {
        self.bytes = self.bytes.saturating_add(passed);
        self.messages.pass(content, passed.saturating_sub(content.len() as u64));
    }

    /// Bytes that have to follow before anything else can: the rest of the body, or of a message of gRPC.
    pub(super) fn left(&self, is_grpc: bool) -> u64 {
        match self.length {
            Some(length) => length.saturating_sub(self.bytes),
            None if is_grpc => self.messages.left(),
            None => 0,
        }
    }
}

/// Messages of gRPC: each behind a byte of flags and its length.
#[derive(Debug, Default)]
struct Messages {
    prefix: [u8; PREFIX_BYTES],
    held: usize,
    left: u64,
    /// Where a message starts is not known.
    lost: bool,
}

impl Messages {
    fn left(&self) -> u64 {
        if self.lost { 0 } else { self.left }
    }

    fn pass(&mut self, mut content: &[u8], unseen: u64) {
        while !content.is_empty() && !self.lost {
            let inside = usize::try_from(self.left).map_or(content.len(), |left| left.min(content.len()));
            self.left -= inside as u64;
            content = &content[inside..];
            let Some((first, rest)) = content.split_first() else { break };
            self.prefix[self.held] = *first;
            self.held += 1;
            content = rest;
            if self.held == PREFIX_BYTES {
                let [_, length @ ..] = self.prefix;
                (self.left, self.held) = (u64::from(u32::from_be_bytes(length)), 0);
            }
        }
        self.lost |= unseen > self.left;
        self.left = self.left.saturating_sub(unseen);
    }
}

#[cfg(test)]
mod tests {
    use super::Body;

    #[test]
    fn what_is_left_of_a_message_is_known_from_its_length() {
        let message = [&[0, 0, 0, 0, 3][..], b"abc"].concat();
        let mut body = Body::default();
        body.pass(&message.repeat(2), 16);
        assert_eq!(body.left(true), 0);
        body.pass(&[0, 0, 0], 3);
        assert_eq!(body.left(true), 0);
        body.pass(&[1, 0, b'x'], 10);
        assert_eq!((body.left(true), body.left(false), body.bytes), (248, 0, 29));
        body.pass(b"", 249);
        assert_eq!(body.left(true), 0, "part of the next message was not seen");
    }
}
