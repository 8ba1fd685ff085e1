//! What gives secrets and personal data away by its shape: credentials in headers, cookies, e-mail addresses, numbers
//! of cards, tokens. A shape is no proof; what looks alike is hidden as well, what looks like nothing known is not.

mod shapes;

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::bytes::{Regex, RegexSet};
use shapes::SHAPES;

/// A built-in rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Values of headers with credentials.
    Authorization,
    /// Values of `Cookie` and `Set-Cookie`.
    Cookies,
    /// E-mail addresses.
    Emails,
    /// Numbers of payment cards, by their length and check digit.
    Cards,
    /// Tokens, keys and passwords, by how they are introduced or by a known shape.
    Tokens,
}

impl Kind {
    /// All of them: what `builtin` stands for.
    pub const ALL: [Kind; 5] = [Kind::Authorization, Kind::Cookies, Kind::Emails, Kind::Cards, Kind::Tokens];

    fn name(self) -> &'static str {
        match self {
            Kind::Authorization => "authorization",
            Kind::Cookies => "cookies",
            Kind::Emails => "emails",
            Kind::Cards => "cards",
            Kind::Tokens => "tokens",
        }
    }

    /// What a text stands for: one rule, or all of them for `builtin`.
    #[must_use]
    pub fn named(text: &str) -> Option<&'static [Kind]> {
        let all: &'static [Kind] = &Kind::ALL;
        match all.iter().position(|kind| kind.name() == text) {
            Some(at) => Some(&all[at..=at]),
            None => (text == "builtin").then_some(all),
        }
    }
}

/// Some of the built-in rules, as they are applied to texts.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    kinds: Vec<Kind>,
    /// Names of machines: what has one behind an `@` is a process, not an address.
    hosts: Vec<String>,
    /// Differs from one run to the next, so that nobody can try out what was hidden.
    salt: foldhash::quality::RandomState,
}

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        (&self.kinds, &self.hosts) == (&other.kinds, &other.hosts)
    }
}

impl Eq for Patterns {}

/// Why a text names no built-in rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no built-in rule: write builtin, authorization, cookies, emails, cards, tokens or none")]
pub struct PatternsError(String);

impl FromStr for Patterns {
    type Err = PatternsError;

    fn from_str(text: &str) -> Result<Self, PatternsError> {
        match Kind::named(text) {
            Some(kinds) => Ok(Patterns::of(kinds)),
            None if text == "none" => Ok(Patterns::default()),
            None => Err(PatternsError(text.to_owned())),
        }
    }
}

struct Compiled {
    set: RegexSet,
    shapes: Vec<Regex>,
}

/// Compiled once.
static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let texts = || SHAPES.iter().map(|shape| shape.expression);
    let why = "the expressions are constants, and a test compiles them";
    Compiled {
        set: RegexSet::new(texts()).expect(why),
        shapes: texts().map(|text| Regex::new(text).expect(why)).collect(),
    }
});

impl Patterns {
    /// Those rules.
    #[must_use]
    pub fn of(kinds: &[Kind]) -> Self {
        let mut patterns = Patterns::default();
        patterns.add(kinds);
        patterns
    }

    /// Adds rules.
    pub fn add(&mut self, kinds: &[Kind]) {
        let more = kinds.iter().filter(|kind| !self.kinds.contains(kind));
        self.kinds.extend(more.copied().collect::<Vec<_>>());
    }

    /// Adds the rules of another.
    pub fn extend(&mut self, other: &Patterns) {
        self.add(&other.kinds);
    }

    /// `process@host` is no e-mail address if the host is this one.
    #[must_use]
    pub fn with_host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_owned());
        self
    }

    /// Whether nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The text without what is hidden.
    #[must_use]
    pub fn apply<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.replaced(text, |kind, _| format!("<redacted:{}>", kind.name()))
    }

    /// As [`Self::apply`], but what differed still differs, within one run of the program: for what identifies rows.
    #[must_use]
    pub fn apply_to_key<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let hash = |hidden: &[u8]| self.salt.hash_one(hidden) & 0xffff_ffff_ffff;
        self.replaced(text, |kind, hidden| format!("<redacted:{}:{:012x}>", kind.name(), hash(hidden)))
    }

    fn replaced<'a>(&self, text: &'a [u8], place_holder: impl Fn(Kind, &[u8]) -> String) -> Cow<'a, [u8]> {
        let mut text = Cow::Borrowed(text);
        if self.kinds.is_empty() {
            return text;
        }
        for at in COMPILED.set.matches(&text) {
            let shape = &SHAPES[at];
            if !self.kinds.contains(&shape.kind) {
                continue;
            }
            let mut out = Vec::with_capacity(text.len());
            let mut done = 0;
            for found in COMPILED.shapes[at].captures_iter(&text) {
                // What is hidden is the group, if there is one, else the whole match.
                let Some(hidden) = found.get(1).or_else(|| found.get(2)).or_else(|| found.get(0)) else { continue };
                let spared = (shape.kind == Kind::Emails && self.is_of_host(hidden.as_bytes()))
                    || hidden.as_bytes().starts_with(b"<redacted")
                    || !(shape.accepts)(hidden.as_bytes());
                if spared {
                    continue;
                }
                out.extend_from_slice(&text[done..hidden.start()]);
                out.extend_from_slice(place_holder(shape.kind, hidden.as_bytes()).as_bytes());
                done = hidden.end();
            }
            if done > 0 {
                out.extend_from_slice(&text[done..]);
                text = Cow::Owned(out);
            }
        }
        text
    }

    fn is_of_host(&self, address: &[u8]) -> bool {
        let host = address.iter().position(|byte| *byte == b'@').map(|at| &address[at + 1..]);
        host.is_some_and(|host| self.hosts.iter().any(|known| known.as_bytes() == host))
    }
}

#[cfg(test)]
mod tests;
