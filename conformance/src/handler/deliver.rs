//! The same for many connections at once.

use serde_json::{Value, json};

use super::Plain;
use super::message::{Message, json as parsed};
use super::subject::Subject;
use crate::case::Case;
use crate::check::{Verdict, equal, same};
use crate::client::Answer;

const CASES: &[Plain] = &[
    ("bytes", "Bytes go to each of the connections.", bytes),
    ("many", "More connections than 128 get it in several messages, each connection once.", many),
    ("none", "To nobody nothing is sent.", none),
    ("http", "An HTTP answer goes to each.", http),
    ("bodiless", "One that can't have a body has none.", bodiless),
    ("json", "A value goes to each as JSON.", in_json),
    ("websocket", "A WebSocket's text goes to each.", websocket),
    ("close", "Each connection is closed.", close),
    ("ids", "What is no id is refused.", ids),
];

pub(super) fn cases() -> Vec<Case<Subject>> {
    super::plain("deliver", "protocol.md, 5", CASES)
}

/// Has the handler deliver something, and takes what each of the connections gets.
fn delivered(subject: &Subject, path: &str, ids: &[u64], what: &Value) -> Verdict<Vec<u8>> {
    let mut what = what.clone();
    what["ids"] = json!(ids);
    subject.send(&Message::post(path, &what.to_string()))?;
    let first = subject.recv()?;
    let mut found = first.ids;
    while found.len() < ids.len() {
        let next = subject.recv()?;
        same("what comes next", &next.body, &first.body)?;
        found.extend(next.ids);
    }
    equal("whom it is for", &found[..], ids)?;
    Ok(first.body)
}

fn bytes(subject: &Subject) -> Verdict {
    let body = delivered(subject, "/deliver", &[2, 70_000, 3], &json!({"body": "grün"}))?;
    same("what they get", body, "grün")
}

fn many(subject: &Subject) -> Verdict {
    [127, 128, 129, 300].into_iter().try_for_each(|count: u64| {
        let ids: Vec<u64> = (1000..1000 + count).collect();
        let body = delivered(subject, "/deliver", &ids, &json!({"body": "x"}));
        same("what they get", body.map_err(|problem| problem.when(format!("{count} connections")))?, "x")
    })
}

fn none(subject: &Subject) -> Verdict {
    subject.send(&Message::post("/deliver", r#"{"ids":[],"body":"x"}"#))?;
    subject.says_nothing()
}

fn http(subject: &Subject) -> Verdict {
    let what = json!({"status": 404, "headers": {"X-A": "1"}, "body": "grün"});
    let answer = Answer::of(&delivered(subject, "/deliver/http", &[2, 3], &what)?, false)?;
    answer.expect(404, "grün")?;
    equal("X-A", answer.header("x-a"), Some("1"))
}

fn bodiless(subject: &Subject) -> Verdict {
    let what = json!({"status": 304, "headers": {}, "body": "x"});
    Answer::of(&delivered(subject, "/deliver/http", &[2], &what)?, false)?.expect(304, "")
}

fn in_json(subject: &Subject) -> Verdict {
    let value = json!({"a": [1, "grün", null]});
    let body = delivered(subject, "/deliver/json", &[2, 3], &json!({ "value": value }))?;
    equal("what they get", parsed(&body)?, value)
}

fn websocket(subject: &Subject) -> Verdict {
    let body = delivered(subject, "/deliver/websocket", &[2, 3], &json!({"body": "grün"}))?;
    same("the frame", body, b"\x81\x05gr\xc3\xbcn")
}

fn close(subject: &Subject) -> Verdict {
    same("what they get", delivered(subject, "/deliver/close", &[2, 3], &json!({}))?, "")
}

fn ids(subject: &Subject) -> Verdict {
    [json!("X 2"), json!("2, x"), json!("2\n"), json!(""), json!(-2), json!(null)].iter().try_for_each(|id| {
        let what = json!({"ids": [2, id], "body": "x"}).to_string();
        subject.refuses(&Message::post("/deliver", &what)).map_err(|problem| problem.when(id))
    })
}
