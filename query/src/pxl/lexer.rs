//! Text to tokens: indentation as tokens, lines joined in brackets, strings unescaped, comments left out.

use super::fault::Fault;

/// Deepest indentation and deepest nesting of brackets.
const NESTING_MAX: usize = 100;

/// A token and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: TokenKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Name(String),
    Int(i64),
    Float(f64),
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
    Newline,
    Indent,
    Dedent,
    End,
}

/// Longest first, so that the first that fits is the one.
const SIGNS: [&str; 47] = [
    "**=", "//=", ">>=", "<<=", "...", "**", "//", ">>", "<<", "<=", ">=", "==", "!=", "->", "+=", "-=", "*=", "/=",
    "%=", "&=", "|=", "^=", "@=", ":=", "<>", "+", "-", "*", "/", "%", "@", "&", "|", "^", "~", "<", ">", "(", ")",
    "[", "]", "{", "}", ",", ":", ".", "=",
];

/// Tokens of a script; the first mistake ends it.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), indents: vec![0], brackets: Vec::new() };
    lexer.at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    lexer.run()?;
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    indents: Vec<usize>,
    brackets: Vec<(usize, &'static str)>,
}

impl Lexer<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        let mut line_begins = true;
        while self.at < self.text.len() {
            if line_begins && self.brackets.is_empty() {
                if self.blank_line() {
                    continue;
                }
                self.indentation()?;
            }
            line_begins = self.token()?;
        }
        if let Some((at, bracket)) = self.brackets.first() {
            return Err(Fault::new(*at, format!("`{bracket}` is never closed")));
        }
        self.newline();
        for _ in 1..self.indents.len() {
            self.push(self.at, TokenKind::Dedent);
        }
        self.push(self.at, TokenKind::End);
        Ok(())
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, at: usize, kind: TokenKind) {
        self.tokens.push(Token { at, kind });
    }

    fn newline(&mut self) {
        if self.tokens.last().is_some_and(|last| !matches!(last.kind, TokenKind::Newline | TokenKind::Dedent)) {
            self.push(self.at, TokenKind::Newline);
        }
    }

    /// Skips a line without code; it has no indentation.
    fn blank_line(&mut self) -> bool {
        let line = self.rest().split('\n').next().unwrap_or_default();
        let code = line.trim();
        if !code.is_empty() && !code.starts_with('#') {
            return false;
        }
        self.at = (self.at + line.len() + 1).min(self.text.len());
        true
    }

    fn indentation(&mut self) -> Result<(), Fault> {
        let mut width = 0;
        for character in self.rest().chars() {
            match character {
                ' ' => width += 1,
                '\t' => width = (width / 8 + 1) * 8,
                '\u{c}' => width = 0,
                _ => break,
            }
        }
        let blanks = self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\u{c}']).len();
        self.at += blanks;
        let current = self.indents.last().copied().unwrap_or_default();
        if width > current {
            if self.indents.len() >= NESTING_MAX {
                return Err(Fault::new(self.at, format!("blocks are nested deeper than {NESTING_MAX}")));
            }
            self.indents.push(width);
            self.push(self.at, TokenKind::Indent);
        }
        while width < self.indents.last().copied().unwrap_or_default() {
            self.indents.pop();
            self.push(self.at, TokenKind::Dedent);
            if width > self.indents.last().copied().unwrap_or_default() {
                return Err(Fault::new(self.at, "the indentation fits no block above"));
            }
        }
        Ok(())
    }

    /// Reads one token or a blank; whether a line ended.
    fn token(&mut self) -> Result<bool, Fault> {
        let start = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok(false) };
        match first {
            '\n' => {
                self.at += 1;
                if self.brackets.is_empty() {
                    self.newline();
                    return Ok(true);
                }
            }
            ' ' | '\t' | '\r' | '\u{c}' => self.at += 1,
            '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
            '\\' => {
                let after = self.rest()[1..].trim_start_matches('\r');
                if !after.starts_with('\n') {
                    return Err(Fault::new(start, "`\\` joins lines only at the end of a line"));
                }
                self.at = self.text.len() - after.len() + 1;
            }
            ';' => {
                self.at += 1;
                self.newline();
            }
            '0'..='9' => self.number()?,
            '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number()?,
            '"' | '\'' => self.string("")?,
            letter if letter.is_alphabetic() || letter == '_' => self.name()?,
            _ => self.sign()?,
        }
        Ok(false)
    }

    fn name(&mut self) -> Result<(), Fault> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = rest[..length].to_owned();
        let quoted = rest[length..].starts_with(['"', '\'']);
        if quoted && name.len() <= 2 && name.chars().all(|c| "rRbBuUfF".contains(c)) {
            return self.string(&name);
        }
        self.push(self.at, TokenKind::Name(name));
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let rest = self.rest();
        let lower = rest.get(..2).map(str::to_ascii_lowercase).unwrap_or_default();
        let radix = match lower.as_str() {
            "0x" => 16,
            "0o" => 8,
            "0b" => 2,
            _ => 10,
        };
        let mut length = if radix == 10 { 0 } else { 2 };
        let mut float = false;
        let bytes = rest.as_bytes();
        while let Some(&byte) = bytes.get(length) {
            let exponent = radix == 10
                && matches!(byte, b'e' | b'E')
                && bytes.get(length + 1).is_some_and(|next| next.is_ascii_digit() || matches!(next, b'+' | b'-'));
            if exponent {
                float = true;
                length += 2;
            } else if radix == 10 && byte == b'.' {
                float = true;
                length += 1;
            } else if byte.is_ascii_alphanumeric() || byte == b'_' {
                length += 1;
            } else {
                break;
            }
        }
        let digits = rest[..length].replace('_', "");
        let kind = if float {
            digits.parse().ok().map(TokenKind::Float)
        } else {
            let digits = if radix == 10 { digits.as_str() } else { &digits[2..] };
            i64::from_str_radix(digits, radix).ok().map(TokenKind::Int)
        };
        let Some(kind) = kind else {
            return Err(Fault::new(start, format!("`{}` is no 64-bit number", &rest[..length])));
        };
        self.at += length;
        self.push(start, kind);
        Ok(())
    }

    fn string(&mut self, prefix: &str) -> Result<(), Fault> {
        let start = self.at;
        if prefix.contains(['f', 'F']) {
            return Err(Fault::new(start, "f-strings are not part of PxL; join strings with +"));
        }
        if prefix.contains(['b', 'B']) {
            return Err(Fault::new(start, "byte strings are not part of PxL"));
        }
        let raw = prefix.contains(['r', 'R']);
        let body = &self.text[start + prefix.len()..];
        let quote = &body[..1];
        let triple = quote.repeat(3);
        let mark = if body.starts_with(&triple) { triple.as_str() } else { quote };
        let mut value = String::new();
        let mut place = mark.len();
        loop {
            let rest = &body[place..];
            let Some(next) = rest.chars().next() else {
                return Err(Fault::new(start, "the string is never closed"));
            };
            if rest.starts_with(mark) {
                break;
            }
            if next == '\n' && mark.len() == 1 {
                return Err(Fault::new(start, "the string is not closed on its line"));
            }
            if next == '\\' {
                place += escape(rest, raw, &mut value);
            } else {
                value.push(next);
                place += next.len_utf8();
            }
        }
        self.at = start + prefix.len() + place + mark.len();
        self.push(start, TokenKind::Text(value));
        Ok(())
    }

    fn sign(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let Some(sign) = SIGNS.into_iter().find(|sign| self.rest().starts_with(sign)) else {
            let character = self.rest().chars().next().unwrap_or_default();
            return Err(Fault::new(start, format!("`{character}` is not part of PxL")));
        };
        match sign {
            "(" | "[" | "{" => {
                if self.brackets.len() >= NESTING_MAX {
                    return Err(Fault::new(start, format!("brackets are nested deeper than {NESTING_MAX}")));
                }
                self.brackets.push((start, sign));
            }
            ")" | "]" | "}" => match self.brackets.pop() {
                Some((_, "(")) if sign == ")" => {}
                Some((_, "[")) if sign == "]" => {}
                Some((_, "{")) if sign == "}" => {}
                Some((_, open)) => return Err(Fault::new(start, format!("`{sign}` does not close `{open}`"))),
                None => return Err(Fault::new(start, format!("`{sign}` closes nothing"))),
            },
            _ => {}
        }
        self.at += sign.len();
        self.push(start, TokenKind::Sign(sign));
        Ok(())
    }
}

/// Adds what an escape stands for; how many bytes of text it has.
fn escape(rest: &str, raw: bool, value: &mut String) -> usize {
    let Some(next) = rest[1..].chars().next() else {
        value.push('\\');
        return 1;
    };
    if raw {
        value.push('\\');
        value.push(next);
        return 1 + next.len_utf8();
    }
    let coded = |digits: usize| {
        let code = rest.get(2..2 + digits)?;
        char::from_u32(u32::from_str_radix(code, 16).ok()?)
    };
    let (character, length) = match next {
        'n' => (Some('\n'), 2),
        't' => (Some('\t'), 2),
        'r' => (Some('\r'), 2),
        'a' => (Some('\u{7}'), 2),
        'b' => (Some('\u{8}'), 2),
        'f' => (Some('\u{c}'), 2),
        'v' => (Some('\u{b}'), 2),
        '0' => (Some('\0'), 2),
        '\\' | '\'' | '"' => (Some(next), 2),
        '\n' => (None, 2),
        'x' if coded(2).is_some() => (coded(2), 4),
        'u' if coded(4).is_some() => (coded(4), 6),
        'U' if coded(8).is_some() => (coded(8), 10),
        _ => {
            value.push('\\');
            (Some(next), 1 + next.len_utf8())
        }
    };
    value.extend(character);
    length
}
