//! Columns of `redis_events`, and what is known of commands.

use super::frame::{Element, Elements};
use super::secret::{self, Secrets};
use crate::exchange::Exchange;
use crate::json;
use crate::redaction::HIDDEN;

pub(super) const COMMAND: usize = 0;
pub(super) const ARGUMENTS: usize = 1;
pub(super) const REPLY: usize = 2;
/// Text of an exchange's column that is written out.
const WRITTEN_MAX: usize = 32 << 10;
const DEPTH_MAX: u32 = 16;
const NAME_BYTES_MAX: usize = 64;

/// Commands whose first argument is a part of their name.
const CONTAINERS: [&str; 18] = [
    "ACL",
    "CLIENT",
    "CLUSTER",
    "COMMAND",
    "CONFIG",
    "DEBUG",
    "FUNCTION",
    "LATENCY",
    "MEMORY",
    "MODULE",
    "OBJECT",
    "PUBSUB",
    "SCRIPT",
    "SENTINEL",
    "SLOWLOG",
    "XGROUP",
    "XINFO",
    "FT.CONFIG",
];

/// Frequent commands, enough to recognise a connection by; others are parsed all the same.
const COMMANDS: &str = " GET SET SETEX SETNX PSETEX GETSET GETDEL GETEX MGET MSET MSETNX APPEND STRLEN INCR INCRBY \
    INCRBYFLOAT DECR DECRBY GETRANGE SETRANGE SUBSTR DEL UNLINK EXISTS EXPIRE EXPIREAT PEXPIRE PEXPIREAT EXPIRETIME \
    TTL PTTL PERSIST TYPE KEYS SCAN RANDOMKEY RENAME RENAMENX TOUCH COPY MOVE DUMP RESTORE MIGRATE SORT SORT_RO OBJECT \
    HSET HGET HMSET HMGET HGETALL HDEL HEXISTS HKEYS HVALS HLEN HINCRBY HINCRBYFLOAT HSETNX HSCAN HSTRLEN HRANDFIELD \
    LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LLEN LRANGE LINDEX LSET LREM LTRIM LINSERT LPOS LMOVE BLMOVE LMPOP BLMPOP \
    BLPOP BRPOP RPOPLPUSH BRPOPLPUSH SADD SREM SMEMBERS SISMEMBER SMISMEMBER SCARD SPOP SRANDMEMBER SMOVE SUNION \
    SUNIONSTORE SINTER SINTERSTORE SINTERCARD SDIFF SDIFFSTORE SSCAN ZADD ZREM ZRANGE ZRANGESTORE ZRANGEBYSCORE \
    ZREVRANGE ZREVRANGEBYSCORE ZRANGEBYLEX ZSCORE ZMSCORE ZCARD ZCOUNT ZLEXCOUNT ZRANK ZREVRANK ZINCRBY ZPOPMIN ZPOPMAX \
    BZPOPMIN BZPOPMAX ZUNION ZUNIONSTORE ZINTER ZINTERSTORE ZDIFF ZDIFFSTORE ZSCAN ZREMRANGEBYRANK ZREMRANGEBYSCORE \
    PFADD PFCOUNT PFMERGE SETBIT GETBIT BITCOUNT BITOP BITPOS BITFIELD BITFIELD_RO GEOADD GEODIST GEOHASH GEOPOS \
    GEORADIUS GEOSEARCH GEOSEARCHSTORE XADD XLEN XRANGE XREVRANGE XREAD XREADGROUP XACK XCLAIM XAUTOCLAIM XDEL XTRIM \
    XPENDING XGROUP XINFO MULTI EXEC DISCARD WATCH UNWATCH EVAL EVALSHA EVAL_RO EVALSHA_RO FCALL FCALL_RO FUNCTION SCRIPT \
    SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE PUBLISH SPUBLISH PUBSUB PING ECHO AUTH HELLO \
    SELECT QUIT RESET CLIENT CLUSTER COMMAND CONFIG INFO DBSIZE FLUSHDB FLUSHALL SAVE BGSAVE BGREWRITEAOF LASTSAVE \
    SHUTDOWN MONITOR ROLE REPLICAOF SLAVEOF SYNC PSYNC REPLCONF WAIT WAITAOF READONLY READWRITE ASKING SLOWLOG MEMORY \
    LATENCY MODULE ACL DEBUG TIME SWAPDB LOLWUT FAILOVER SENTINEL JSON.GET JSON.SET FT.SEARCH ";

/// Whether a word is a command, in either case.
pub(super) fn is_command(word: &[u8]) -> bool {
    let mut padded = [b' '; NAME_BYTES_MAX];
    let Some(place) = padded.get_mut(1..=word.len()) else { return false };
    place.copy_from_slice(word);
    place.make_ascii_uppercase();
    let plain = word.len() > 1 && word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'));
    let Some(padded) = padded.get(..word.len() + 2) else { return false };
    plain && COMMANDS.as_bytes().windows(padded.len()).any(|window| window == padded)
}

fn is_container(word: &[u8]) -> bool {
    CONTAINERS.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(word))
}

/// Sets command and arguments. Returns how many arguments there are besides the name's parts.
pub(super) fn set_request<'a>(exchange: &mut Exchange, mut words: impl Iterator<Item = &'a [u8]>) -> u64 {
    let name = words.next().unwrap_or_default();
    let name = &name[..name.len().min(NAME_BYTES_MAX)];
    let part = if is_container(name) { words.next() } else { None };
    exchange.write_text(COMMAND, |out| {
        out.extend(name.iter().map(u8::to_ascii_uppercase));
        if let Some(part) = part {
            out.push(b' ');
            out.extend(part[..part.len().min(NAME_BYTES_MAX)].iter().map(u8::to_ascii_uppercase));
        }
    });
    let mut count = 0;
    let mut secrets = Secrets::of(exchange.text(COMMAND));
    let mut words = words.peekable();
    exchange.write_text(ARGUMENTS, |out| {
        out.push(b'[');
        while let Some(word) = words.next() {
            let word = secrets.shown(word, words.peek().is_none());
            if out.len() < WRITTEN_MAX {
                if count > 0 {
                    out.push(b',');
                }
                json::string(out, word);
            }
            count += 1;
        }
        out.push(b']');
    });
    count
}

/// Words of an inline command, with quotes as the server reads them.
pub(super) fn inline_words(line: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        let mut word = Vec::new();
        let mut quote = None;
        let mut at = 0;
        while let Some(&byte) = rest.get(at) {
            at += 1;
            match (quote, byte) {
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, _) if byte.is_ascii_whitespace() => break,
                (Some(open), _) if open == byte => quote = None,
                (Some(open), b'\\') if open == b'"' || rest.get(at) == Some(&b'\'') => {
                    let escaped = rest.get(at).copied().unwrap_or(b'\\');
                    at += 1;
                    word.push(match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        other => other,
                    });
                }
                (None | Some(_), _) => word.push(byte),
            }
        }
        words.push(word);
        rest = rest.get(at..).unwrap_or_default().trim_ascii_start();
    }
    words
}

/// Sets the reply: the text itself, or an aggregate as JSON.
pub(super) fn set_reply(exchange: &mut Exchange, mut elements: Elements<'_>) {
    if !exchange.failed && secret::is_answer(exchange.text(COMMAND), exchange.text(ARGUMENTS)) {
        return exchange.set_text(REPLY, HIDDEN);
    }
    exchange.write_text(REPLY, |out| reply(out, &mut elements));
}

/// Appends a reply as [`set_reply`] has it.
pub(super) fn reply(out: &mut Vec<u8>, elements: &mut Elements<'_>) {
    match elements.next() {
        Some(Element::Attribute(pairs)) => {
            skip(elements, pairs.saturating_mul(2));
            reply(out, elements);
        }
        Some(Element::Text(text) | Element::Error(text) | Element::Literal(text)) => out.extend_from_slice(text),
        Some(Element::Null) => out.extend_from_slice(b"<NULL>"),
        Some(element) => nested(out, element, elements, out.len() + WRITTEN_MAX, 0),
        None => {}
    }
}

/// Appends an element with what belongs to it, as JSON.
fn nested(out: &mut Vec<u8>, element: Element<'_>, elements: &mut Elements<'_>, limit: usize, depth: u32) {
    match element {
        Element::Text(text) | Element::Error(text) => json::string(out, text),
        Element::Literal(text) => out.extend_from_slice(text),
        Element::Null => out.extend_from_slice(b"null"),
        Element::List(count) | Element::Push(count) => {
            out.push(b'[');
            each(out, count, elements, limit, depth, |out, index| {
                if index > 0 {
                    out.push(b',');
                }
                None
            });
            out.push(b']');
        }
        Element::Map(pairs) => {
            out.push(b'{');
            each(out, pairs.saturating_mul(2), elements, limit, depth, |out, index| match index % 2 {
                1 => {
                    out.push(b':');
                    None
                }
                _ => {
                    if index > 0 {
                        out.push(b',');
                    }
                    Some(())
                }
            });
            out.push(b'}');
        }
        Element::Attribute(pairs) => {
            skip(elements, pairs.saturating_mul(2));
            match elements.next() {
                Some(next) if depth < DEPTH_MAX => nested(out, next, elements, limit, depth + 1),
                _ => out.extend_from_slice(b"null"),
            }
        }
    }
}

/// Appends elements as long as there are some, nesting and length permit. `before` appends what stands before one, and
/// says whether it is a key.
fn each(
    out: &mut Vec<u8>,
    count: u64,
    elements: &mut Elements<'_>,
    limit: usize,
    depth: u32,
    mut before: impl FnMut(&mut Vec<u8>, u64) -> Option<()>,
) {
    if depth >= DEPTH_MAX {
        return skip(elements, count);
    }
    for index in 0..count {
        if out.len() > limit {
            break;
        }
        let Some(element) = elements.next() else { break };
        let key = before(out, index).is_some();
        match element {
            Element::Literal(text) if key => json::string(out, text),
            _ => nested(out, element, elements, limit, depth + 1),
        }
    }
}

fn skip(elements: &mut Elements<'_>, count: u64) {
    let mut left = count;
    while left > 0 {
        left -= 1;
        match elements.next() {
            Some(Element::List(more) | Element::Push(more)) => left = left.saturating_add(more),
            Some(Element::Map(more)) => left = left.saturating_add(more.saturating_mul(2)),
            Some(Element::Attribute(more)) => left = left.saturating_add(more.saturating_mul(2).saturating_add(1)),
            Some(_) => {}
            None => return,
        }
    }
}
