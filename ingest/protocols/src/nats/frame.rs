//! Command lines and the payloads behind them.

const LINE_BYTES_MAX: usize = 16 << 10;
const WORDS_MAX: usize = 6;
const PAYLOAD_BYTES_MAX: u64 = 64 << 20;

/// A command without its payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command<'a> {
    /// Upper case.
    pub(super) name: &'static str,
    /// What follows on the line.
    pub(super) rest: &'a [u8],
    words: [&'a [u8]; WORDS_MAX],
    count: usize,
    /// Bytes of the line with its end.
    pub(super) line: usize,
}

/// What the beginning of a buffer is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Line<'a> {
    Command(Command<'a>),
    More,
    Invalid,
}

const NAMES: [&str; 12] =
    ["INFO", "CONNECT", "PUB", "HPUB", "SUB", "UNSUB", "MSG", "HMSG", "PING", "PONG", "+OK", "-ERR"];

pub(super) fn line(bytes: &[u8]) -> Line<'_> {
    let window = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let letters = window.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).unwrap_or(window.len());
    let is = |name: &&&str| match letters == window.len() {
        true => name.len() >= letters && name.as_bytes()[..letters].eq_ignore_ascii_case(&window[..letters]),
        false => name.as_bytes().eq_ignore_ascii_case(&window[..letters]),
    };
    let Some(name) = NAMES.iter().find(is) else { return Line::Invalid };
    let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
        return if window.len() < LINE_BYTES_MAX { Line::More } else { Line::Invalid };
    };
    let Some(text) = window[..end].strip_suffix(b"\r") else { return Line::Invalid };
    let rest = text.get(letters..).unwrap_or_default().trim_ascii();
    let mut command = Command { name, rest, words: [b""; WORDS_MAX], count: 0, line: end + 1 };
    let words = rest.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    for (slot, word) in command.words.iter_mut().zip(words) {
        *slot = word;
        command.count += 1;
    }
    if command.is_sound() { Line::Command(command) } else { Line::Invalid }
}

impl<'a> Command<'a> {
    pub(super) fn words(&self) -> &[&'a [u8]] {
        &self.words[..self.count]
    }

    fn is_sound(&self) -> bool {
        let count = self.count;
        match self.name {
            "INFO" | "CONNECT" => self.rest.first() == Some(&b'{'),
            "PUB" => (2..=3).contains(&count) && self.payload().is_some(),
            "HPUB" | "MSG" => (3..=4).contains(&count) && self.payload().is_some(),
            "HMSG" => (4..=5).contains(&count) && self.payload().is_some(),
            "SUB" => (2..=3).contains(&count),
            "UNSUB" => (1..=2).contains(&count),
            "PING" | "PONG" | "+OK" => count == 0,
            _ => count > 0,
        }
    }

    fn has_payload(&self) -> bool {
        matches!(self.name, "PUB" | "HPUB" | "MSG" | "HMSG")
    }

    /// Bytes of the payload, without its line end.
    fn payload(&self) -> Option<u64> {
        let size = std::str::from_utf8(self.words().last()?).ok()?.parse().ok()?;
        (size <= PAYLOAD_BYTES_MAX).then_some(size)
    }

    /// Bytes of the whole command.
    pub(super) fn bytes(&self) -> u64 {
        let payload = if self.has_payload() { self.payload().map_or(0, |size| size + 2) } else { 0 };
        self.line as u64 + payload
    }

    /// Bytes of headers at the beginning of the payload.
    pub(super) fn headers(&self) -> usize {
        let at = self.count.wrapping_sub(2);
        let size = self.words().get(at).filter(|_| self.name.starts_with('H'));
        size.and_then(|size| std::str::from_utf8(size).ok()?.parse().ok()).unwrap_or(0)
    }

    /// Subject of a message, and where its reply goes.
    pub(super) fn subjects(&self) -> (&'a [u8], Option<&'a [u8]>) {
        let (reply, without) = match self.name {
            "PUB" => (1, 2),
            "HPUB" => (1, 3),
            "MSG" => (2, 3),
            _ => (2, 4),
        };
        let reply = if self.count > without { self.words().get(reply).copied() } else { None };
        (self.words().first().copied().unwrap_or_default(), reply)
    }
}
