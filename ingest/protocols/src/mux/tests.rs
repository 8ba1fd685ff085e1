use super::Mux;
use crate::conformance::{Conversation, check, fuzz_mutations};
use crate::protocol::{Protocol, Setup, Side};

fn message(kind: i8, tag: u32, body: &[u8]) -> Vec<u8> {
    let size = (body.len() as u32 + 4).to_be_bytes();
    [&size[..], &[kind as u8], &tag.to_be_bytes()[1..], body].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

fn dispatch(tag: u32, body: &str) -> Vec<u8> {
    let context = [text("com.twitter.finagle.Deadline"), text("0123456789abcdef")].concat();
    message(2, tag, &[&[0, 1][..], &context, &text("/s/users"), &[0, 0], body.as_bytes()].concat())
}

pub(crate) fn conversation() -> Conversation {
    let init = [&[0, 1, 0, 0, 0, 10][..], b"mux-framer", &[0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff]].concat();
    let long = dispatch(2, "a request in two fragments")[8..].to_vec();
    let (first, last) = long.split_at(50);
    vec![
        ('C', message(68, 1, &init)),
        ('S', message(-68, 1, &init)),
        ('C', message(65, 1, b"")),
        ('S', message(-65, 1, b"")),
        ('C', [dispatch(2, "one"), dispatch(3, "a second one")].concat()),
        ('S', message(-2, 3, b"\0\0\0two")),
        ('S', message(-2, 2, b"\x01\0\0it failed")),
        ('C', [message(2, 2 | 1 << 23, first), dispatch(4, "between"), message(2, 2, last)].concat()),
        ('C', message(66, 0, b"\0\0\x04timeout")),
        ('S', message(-2, 2, b"\0\0\0done")),
        ('S', message(-128, 4, b"session error")),
        ('C', message(1, 5, &[&[1, 1, 24][..], &[7; 24], b"old"].concat())),
        ('S', message(-1, 5, b"\x02busy")),
        ('S', message(67, 0, &[0, 0, 0, 0, 0, 0, 0, 0x27, 0x10])),
        ('S', message(64, 6, b"")),
        ('C', message(-64, 6, b"")),
    ]
}

#[test]
fn messages_are_rows_with_their_answers_by_tag() {
    let rows = check::<Mux>(&conversation(), Setup::default(), 1);
    let length = |message: Vec<u8>| message.len();
    let (one, two) = (length(dispatch(2, "one")), length(dispatch(2, "a second one")));
    let parts = length(dispatch(2, "a request in two fragments")) + 8;
    let between = length(dispatch(4, "between"));
    let expected = [
        "68|32>32 failed=false".to_owned(),
        "65|8>8 failed=false".to_owned(),
        format!("2|{two}>14 failed=false"),
        format!("2|{one}>20 failed=true"),
        "66|18>0 failed=false".to_owned(),
        format!("2|{parts}>15 failed=false"),
        format!("2|{between}>21 failed=true"),
        "1|38>13 failed=true".to_owned(),
        "67|17>0 failed=false".to_owned(),
        "64|8>8 failed=false".to_owned(),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn requests_are_told_apart_by_side() {
    for bytes in [dispatch(2, "one"), conversation()[0].1.clone()] {
        let found = Mux::infer(&bytes);
        assert!(found.side == Some(Side::Client) && found.score >= 95, "{found:?}");
    }
    let found = Mux::infer(&message(-2, 2, b"\0\0\0two"));
    assert!(found.side == Some(Side::Server) && found.score >= 80, "{found:?}");
}

#[test]
fn mutated_messages_do_no_harm() {
    fuzz_mutations::<Mux>(&conversation(), 100_000);
}
