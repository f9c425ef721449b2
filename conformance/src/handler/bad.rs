//! What is no message: it is skipped, and the handler goes on.

use mongrel2::wire::netstring;

use super::Plain;
use super::message::{ID, UUID, raw};
use super::subject::Subject;
use crate::case::Case;
use crate::check::Verdict;

/// How many messages are changed.
const MUTATED: u64 = 1000;

/// What bytes become.
const CHANGED: &[u8] = b"0123456789:,#^!~]}{[\"\\ \xff\0";

/// Messages, with what is wrong about them.
const BAD: &[(&str, &str, &str)] = &[
    ("empty", "no bytes", ""),
    ("words", "one word", "nonsense"),
    ("no-headers", "no headers", "uuid 7 /reply "),
    ("id-text", "an id that is no number", "uuid x /reply 2:{},1:a,"),
    ("id-negative", "a negative id", "uuid -7 /reply 2:{},1:a,"),
    ("id-sign", "an id with a sign", "uuid +7 /reply 2:{},1:a,"),
    ("id-long", "an id of more than 64 bits", "uuid 999999999999999999999 /reply 2:{},1:a,"),
    ("no-body", "no body", "uuid 7 /reply 2:{}"),
    ("behind-headers", "nothing behind the headers", "uuid 7 /reply 2:{},"),
    ("size-long", "headers with a size of ten digits", "uuid 7 /reply 0000000002:{},1:a,"),
    ("size-negative", "headers with a negative size", "uuid 7 /reply -2:{},1:a,"),
    ("size-beyond", "headers that are shorter than their size", "uuid 7 /reply 99:{},1:a,"),
    ("json-list", "headers that are a list", "uuid 7 /reply 2:[],1:a,"),
    ("json-null", "headers that are null", "uuid 7 /reply 4:null,1:a,"),
    ("json-text", "headers that are a text", "uuid 7 /reply 3:\"a\",1:a,"),
    ("json-none", "headers that are no JSON", "uuid 7 /reply 1:{,1:a,"),
    ("json-number", "a header that is a number", "uuid 7 /reply 7:{\"a\":1},1:a,"),
    ("json-numbers", "a header that is a list of numbers", "uuid 7 /reply 9:{\"a\":[1]},1:a,"),
    ("json-object", "a header that is an object", "uuid 7 /reply 8:{\"a\":{}},1:a,"),
    ("tnetstring-list", "headers that are a list", "uuid 7 /reply 4:1:a,]1:a,"),
    ("tnetstring-number", "a header that is a number", "uuid 7 /reply 8:1:a,1:1#}1:a,"),
    ("tnetstring-odd", "a name without a value", "uuid 7 /reply 4:1:a,}1:a,"),
    ("tnetstring-key", "a name that is a number", "uuid 7 /reply 8:1:1#1:a,}1:a,"),
    ("tnetstring-type", "headers of no type", "uuid 7 /reply 8:1:a,1:b,?1:a,"),
    ("tnetstring-short", "a header that is longer than the headers", "uuid 7 /reply 8:1:a,9:b,}1:a,"),
    ("body-short", "a body that is shorter than its size", "uuid 7 /reply 2:{},5:abc,"),
    ("body-end", "a body that doesn't end where its size says", "uuid 7 /reply 2:{},2:abc,"),
    ("body-behind", "something behind the body", "uuid 7 /reply 2:{},3:abc,x"),
    ("body-huge", "a body of nearly a gigabyte that isn't there", "uuid 7 /reply 2:{},999999999:abc,"),
    ("body-digits", "a body with a size of eleven digits", "uuid 7 /reply 2:{},99999999999:abc,"),
    ("body-hex", "a body with a size that is no number", "uuid 7 /reply 2:{},0x3:abc,"),
];

const MADE: &[Plain] = &[
    ("json-deep", "Headers that nest 200,000 deep are skipped, and the handler goes on.", json_deep),
    ("tnetstring-deep", "A tnetstring that nests 1,000 deep is skipped, and the handler goes on.", tnetstring_deep),
    ("mutated", "1,000 messages of which some bytes are changed end no handler.", mutated),
    ("mutated-json", "1,000 messages with JSON of which some bytes are changed end no handler.", mutated_json),
];

pub(super) fn cases() -> Vec<Case<Subject>> {
    let bad = BAD.iter().map(|(name, wrong, message)| {
        let promise = format!("A message with {wrong} is skipped, and the handler goes on.");
        Subject::case(("bad", name), promise, SOURCE, |subject| is_skipped(subject, message.as_bytes()))
    });
    bad.chain(super::plain("bad", SOURCE, MADE)).collect()
}

const SOURCE: &str = "protocol.md, 2 and 3";

fn is_skipped(subject: &Subject, message: &[u8]) -> Verdict {
    subject.send_raw(&with_uuid(message))?;
    subject.says_nothing()
}

/// A reply with another first word would be wrong for another reason.
fn with_uuid(message: &[u8]) -> Vec<u8> {
    message.strip_prefix(b"uuid").map_or_else(|| message.to_vec(), |rest| [UUID.as_bytes(), rest].concat())
}

fn json_deep(subject: &Subject) -> Verdict {
    is_skipped(subject, &raw("/reply", &"[".repeat(200_000), ""))?;
    let deep = [r#"{"a":"#, &"[".repeat(100_000), &"]".repeat(100_000), "}"].concat();
    is_skipped(subject, &raw("/reply", &deep, ""))
}

fn tnetstring_deep(subject: &Subject) -> Verdict {
    let list = (0..1000).fold(b"1:a,".to_vec(), |inner, _| closed(&inner, b']'));
    let headers = closed(&[&b"1:a,"[..], &list].concat(), b'}');
    let head = format!("{UUID} {ID} /reply ");
    is_skipped(subject, &[head.as_bytes(), &headers, b"1:a,"].concat())
}

fn closed(inner: &[u8], kind: u8) -> Vec<u8> {
    let mut out = Vec::new();
    netstring::render(&mut out, inner);
    out.pop();
    out.push(kind);
    out
}

fn mutated(subject: &Subject) -> Verdict {
    changed(subject, "16:6:METHOD,4:JSON,}12:{\"a\":[1,2]} ,")
}

fn mutated_json(subject: &Subject) -> Verdict {
    changed(subject, "29:{\"METHOD\":\"JSON\",\"a\":[\"b\",\"\"]},12:{\"a\":[1,2]} ,")
}

/// Sends a message again and again, each time with some other bytes behind its path: some still are messages.
fn changed(subject: &Subject, rest: &str) -> Verdict {
    let head = format!("{UUID} {ID} @json ");
    for seed in 0..MUTATED {
        let mut message = [&head, rest].concat().into_bytes();
        for pair in random(seed).chunks_exact(2) {
            let place = head.len() + usize::from(pair[0]) % rest.len();
            message[place] = CHANGED[usize::from(pair[1]) % CHANGED.len()];
        }
        subject.send_raw(&message)?;
    }
    subject.settle()
}

/// Bytes without a pattern; the same for the same seed (SplitMix64).
fn random(seed: u64) -> [u8; 8] {
    let state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).to_le_bytes()
}
