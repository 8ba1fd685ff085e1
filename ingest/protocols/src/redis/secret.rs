//! Words of commands that prove who somebody is, which nobody else is to read: they are in no row.

use crate::redaction::HIDDEN;

/// Parameters of `CONFIG SET` and `SENTINEL SET`.
const PARAMETERS: [&[u8]; 7] = [
    b"requirepass",
    b"masterauth",
    b"tls-key-file-pass",
    b"tls-client-key-file-pass",
    b"sentinel-pass",
    b"auth-pass",
    b"primaryauth",
];

/// How the words of a command say secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    /// Behind a user's name, or alone.
    Last,
    /// Behind `AUTH` or `AUTH2` and a user's name.
    BehindAuth,
    /// Behind a parameter's name.
    Parameters,
    /// Rules of a user that add or remove a password or its hash.
    Rules,
}

/// Finds the secret words of one command, in order.
#[derive(Debug)]
pub(super) struct Secrets {
    place: Place,
    /// The word that is secret, counted from the next one.
    ahead: Option<u32>,
    is_hello: bool,
}

impl Secrets {
    /// `command` as in the row.
    pub(super) fn of(command: &[u8]) -> Self {
        let place = match command {
            b"AUTH" => Place::Last,
            b"HELLO" | b"MIGRATE" => Place::BehindAuth,
            b"CONFIG SET" | b"SENTINEL SET" => Place::Parameters,
            b"ACL SETUSER" => Place::Rules,
            _ => Place::Nowhere,
        };
        Secrets { place, ahead: None, is_hello: command == b"HELLO" }
    }

    /// What stands for the next word.
    pub(super) fn shown<'a>(&mut self, word: &'a [u8], is_last: bool) -> &'a [u8] {
        let hides = match self.ahead.take() {
            Some(0) => true,
            Some(words) => {
                self.ahead = Some(words - 1);
                return word;
            }
            None => false,
        };
        match self.place {
            _ if hides => HIDDEN,
            Place::Nowhere => word,
            Place::Last if is_last => HIDDEN,
            Place::Last => {
                self.ahead = Some(0);
                word
            }
            Place::BehindAuth => {
                let names = |name: &[u8]| word.eq_ignore_ascii_case(name);
                self.ahead = match () {
                    () if names(b"AUTH2") || names(b"AUTH") && self.is_hello => Some(1),
                    () => names(b"AUTH").then_some(0),
                };
                word
            }
            Place::Parameters => {
                self.ahead = PARAMETERS.iter().any(|name| word.eq_ignore_ascii_case(name)).then_some(0);
                word
            }
            Place::Rules if matches!(word.first(), Some(b'>' | b'<' | b'#' | b'!')) => HIDDEN,
            Place::Rules => word,
        }
    }
}

/// Whether the answer to a command may tell a password.
pub(super) fn is_answer(command: &[u8], arguments: &[u8]) -> bool {
    let asks = |part: &[u8]| arguments.windows(part.len()).any(|found| found.eq_ignore_ascii_case(part));
    match command {
        b"CONFIG GET" => asks(b"*") || asks(b"?") || asks(b"pass") || asks(b"auth"),
        b"ACL GENPASS" | b"ACL GETUSER" | b"ACL LIST" => true,
        _ => false,
    }
}
