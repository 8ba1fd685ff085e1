//! Methods: who sends them, what they wait for, and their arguments.

use super::arguments::Kind::{self, Bits, Long, LongLong, LongText, Octet, Secret, Short, ShortText, Skip, Table};

/// Who sends a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Client,
    Server,
    Both,
}

/// What a method is to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing answers it.
    Alone,
    /// Nothing answers it, and content follows.
    Carries,
    /// It waits for an answer.
    Asks,
    /// It answers the method of that number, in its class.
    Answers(u16),
    /// It answers, and content follows.
    AnswersWith(u16),
}

/// One method.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) class: u16,
    pub(super) number: u16,
    pub(super) sender: Sender,
    pub(super) role: Role,
    pub(super) arguments: &'static [(Kind, &'static str)],
}

/// The method of those numbers.
pub(super) fn find(class: u16, number: u16) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.class == class && method.number == number)
}

type Arguments = &'static [(Kind, &'static str)];

const fn of(class: u16, number: u16, sender: Sender, role: Role, arguments: Arguments) -> Method {
    Method { class, number, sender, role, arguments }
}

use Role::{Alone, Answers, AnswersWith, Asks, Carries};
use Sender::{Both, Client, Server};

const CLOSE: Arguments = &[(Short, "reply_code"), (ShortText, "reply_text"), (Short, "class_id"), (Short, "method_id")];
const TUNE: Arguments = &[(Short, "channel_max"), (Long, "frame_max"), (Short, "heartbeat")];
const EXCHANGE_BIND: Arguments = &[
    (Skip(2), ""),
    (ShortText, "destination"),
    (ShortText, "source"),
    (ShortText, "routing_key"),
    (Bits(1), "no_wait"),
    (Table, "arguments"),
];
const ACK: Arguments = &[(LongLong, "delivery_tag"), (Bits(1), "multiple")];

static METHODS: &[Method] = &[
    of(
        10,
        10,
        Server,
        Asks,
        &[
            (Octet, "version_major"),
            (Octet, "version_minor"),
            (Table, "server_properties"),
            (LongText, "mechanisms"),
            (LongText, "locales"),
        ],
    ),
    of(
        10,
        11,
        Client,
        Answers(10),
        &[(Table, "client_properties"), (ShortText, "mechanism"), (Secret, "response"), (ShortText, "locale")],
    ),
    of(10, 20, Server, Asks, &[(Secret, "challenge")]),
    of(10, 21, Client, Answers(20), &[(Secret, "response")]),
    of(10, 30, Server, Asks, TUNE),
    of(10, 31, Client, Answers(30), TUNE),
    of(10, 40, Client, Asks, &[(ShortText, "virtual_host")]),
    of(10, 41, Server, Answers(40), &[]),
    of(10, 50, Both, Asks, CLOSE),
    of(10, 51, Both, Answers(50), &[]),
    of(10, 60, Server, Alone, &[(ShortText, "reason")]),
    of(10, 61, Server, Alone, &[]),
    of(10, 70, Client, Asks, &[(Secret, "new_secret"), (ShortText, "reason")]),
    of(10, 71, Server, Answers(70), &[]),
    of(20, 10, Client, Asks, &[]),
    of(20, 11, Server, Answers(10), &[]),
    of(20, 20, Both, Asks, &[(Bits(1), "active")]),
    of(20, 21, Both, Answers(20), &[(Bits(1), "active")]),
    of(20, 40, Both, Asks, CLOSE),
    of(20, 41, Both, Answers(40), &[]),
    of(
        40,
        10,
        Client,
        Asks,
        &[
            (Skip(2), ""),
            (ShortText, "exchange"),
            (ShortText, "type"),
            (Bits(5), "passive durable auto_delete internal no_wait"),
            (Table, "arguments"),
        ],
    ),
    of(40, 11, Server, Answers(10), &[]),
    of(40, 20, Client, Asks, &[(Skip(2), ""), (ShortText, "exchange"), (Bits(2), "if_unused no_wait")]),
    of(40, 21, Server, Answers(20), &[]),
    of(40, 30, Client, Asks, EXCHANGE_BIND),
    of(40, 31, Server, Answers(30), &[]),
    of(40, 40, Client, Asks, EXCHANGE_BIND),
    of(40, 51, Server, Answers(40), &[]),
    of(
        50,
        10,
        Client,
        Asks,
        &[
            (Skip(2), ""),
            (ShortText, "queue"),
            (Bits(5), "passive durable exclusive auto_delete no_wait"),
            (Table, "arguments"),
        ],
    ),
    of(50, 11, Server, Answers(10), &[(ShortText, "queue"), (Long, "message_count"), (Long, "consumer_count")]),
    of(
        50,
        20,
        Client,
        Asks,
        &[
            (Skip(2), ""),
            (ShortText, "queue"),
            (ShortText, "exchange"),
            (ShortText, "routing_key"),
            (Bits(1), "no_wait"),
            (Table, "arguments"),
        ],
    ),
    of(50, 21, Server, Answers(20), &[]),
    of(50, 30, Client, Asks, &[(Skip(2), ""), (ShortText, "queue"), (Bits(1), "no_wait")]),
    of(50, 31, Server, Answers(30), &[(Long, "message_count")]),
    of(50, 40, Client, Asks, &[(Skip(2), ""), (ShortText, "queue"), (Bits(3), "if_unused if_empty no_wait")]),
    of(50, 41, Server, Answers(40), &[(Long, "message_count")]),
    of(
        50,
        50,
        Client,
        Asks,
        &[
            (Skip(2), ""),
            (ShortText, "queue"),
            (ShortText, "exchange"),
            (ShortText, "routing_key"),
            (Table, "arguments"),
        ],
    ),
    of(50, 51, Server, Answers(50), &[]),
    of(60, 10, Client, Asks, &[(Long, "prefetch_size"), (Short, "prefetch_count"), (Bits(1), "global")]),
    of(60, 11, Server, Answers(10), &[]),
    of(
        60,
        20,
        Client,
        Asks,
        &[
            (Skip(2), ""),
            (ShortText, "queue"),
            (ShortText, "consumer_tag"),
            (Bits(4), "no_local no_ack exclusive no_wait"),
            (Table, "arguments"),
        ],
    ),
    of(60, 21, Server, Answers(20), &[(ShortText, "consumer_tag")]),
    of(60, 30, Both, Asks, &[(ShortText, "consumer_tag"), (Bits(1), "no_wait")]),
    of(60, 31, Both, Answers(30), &[(ShortText, "consumer_tag")]),
    of(
        60,
        40,
        Client,
        Carries,
        &[(Skip(2), ""), (ShortText, "exchange"), (ShortText, "routing_key"), (Bits(2), "mandatory immediate")],
    ),
    of(
        60,
        50,
        Server,
        Carries,
        &[(Short, "reply_code"), (ShortText, "reply_text"), (ShortText, "exchange"), (ShortText, "routing_key")],
    ),
    of(
        60,
        60,
        Server,
        Carries,
        &[
            (ShortText, "consumer_tag"),
            (LongLong, "delivery_tag"),
            (Bits(1), "redelivered"),
            (ShortText, "exchange"),
            (ShortText, "routing_key"),
        ],
    ),
    of(60, 70, Client, Asks, &[(Skip(2), ""), (ShortText, "queue"), (Bits(1), "no_ack")]),
    of(
        60,
        71,
        Server,
        AnswersWith(70),
        &[
            (LongLong, "delivery_tag"),
            (Bits(1), "redelivered"),
            (ShortText, "exchange"),
            (ShortText, "routing_key"),
            (Long, "message_count"),
        ],
    ),
    of(60, 72, Server, Answers(70), &[]),
    of(60, 80, Both, Alone, ACK),
    of(60, 90, Client, Alone, &[(LongLong, "delivery_tag"), (Bits(1), "requeue")]),
    of(60, 100, Client, Alone, &[(Bits(1), "requeue")]),
    of(60, 110, Client, Asks, &[(Bits(1), "requeue")]),
    of(60, 111, Server, Answers(110), &[]),
    of(60, 120, Both, Alone, &[(LongLong, "delivery_tag"), (Bits(2), "multiple requeue")]),
    of(85, 10, Client, Asks, &[(Bits(1), "no_wait")]),
    of(85, 11, Server, Answers(10), &[]),
    of(90, 10, Client, Asks, &[]),
    of(90, 11, Server, Answers(10), &[]),
    of(90, 20, Client, Asks, &[]),
    of(90, 21, Server, Answers(20), &[]),
    of(90, 30, Client, Asks, &[]),
    of(90, 31, Server, Answers(30), &[]),
];
