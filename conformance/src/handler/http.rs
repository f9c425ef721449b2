//! HTTP answers, judged as a client sees them (RFC 9110, RFC 9112).

use serde_json::{Value, json};

use super::message::{Message, json as parsed};
use super::subject::Subject;
use super::{BYTES, Plain};
use crate::case::Case;
use crate::check::{Verdict, equal, same};
use crate::client::Answer;

const CASES: &[Plain] = &[
    (
        "answer",
        "An answer has the status, the headers and the body that it was given, and the body's length in bytes.",
        answer,
    ),
    ("body", "A body has any bytes.", body),
    ("empty", "An empty body has the length 0.", empty),
    ("large", "A body of 10 MiB is sent, whole.", large),
    ("statuses", "Any status of three digits can be sent, with or without a phrase.", statuses),
    ("bodiless", "204 and 304 have no body, and 204 no length.", bodiless),
    ("head", "An answer to HEAD has the length of the body, and no body.", head),
    ("json", "An answer in JSON has the value as its body, and says what it is.", in_json),
    ("values", "A value with a line break or another control character is refused.", values),
    ("names", "A name that ends early, or is none, is refused.", names),
    ("framing", "Headers that tell where the body ends are refused, or don't contradict its length.", framing),
    ("bad-status", "A status without three digits is refused.", bad_status),
];

pub(super) fn cases() -> Vec<Case<Subject>> {
    super::plain("http", "RFC 9110, RFC 9112", CASES)
}

/// What `/http` is told to answer.
fn wanted(status: u16, headers: &Value, body: &str) -> String {
    json!({"status": status, "headers": headers, "body": body}).to_string()
}

fn answered(subject: &Subject, status: u16, headers: &Value, body: &str) -> Verdict<Answer> {
    subject.ask_http(&Message::post("/http", &wanted(status, headers, body)))
}

fn refused(subject: &Subject, headers: &Value) -> Verdict {
    subject.refuses(&Message::post("/http", &wanted(200, headers, "x"))).map_err(|problem| problem.when(headers))
}

fn answer(subject: &Subject) -> Verdict {
    let headers = json!({"Content-Type": "text/plain; charset=utf-8", "X-A": "a \"b\"\tc"});
    let answer = answered(subject, 404, &headers, "grün\n")?;
    answer.expect(404, "grün\n")?;
    equal("Content-Length", answer.header("content-length"), Some("6"))?;
    equal("Content-Type", answer.header("content-type"), Some("text/plain; charset=utf-8"))?;
    equal("X-A", answer.header("x-a"), Some("a \"b\"\tc"))
}

fn body(subject: &Subject) -> Verdict {
    subject.ask_http(&Message::post("/http/body", &BYTES))?.expect(200, BYTES)
}

fn empty(subject: &Subject) -> Verdict {
    let answer = subject.ask_http(&Message::post("/http/body", ""))?;
    equal("Content-Length", answer.header("content-length"), Some("0"))?;
    answer.expect(200, "")
}

fn large(subject: &Subject) -> Verdict {
    let body = super::plain::large();
    subject.ask_http(&Message::post("/http/body", &body))?.expect(200, &body)
}

fn statuses(subject: &Subject) -> Verdict {
    [200, 201, 299, 303, 400, 418, 451, 500, 599].into_iter().try_for_each(|status| {
        let answer = answered(subject, status, &json!({}), "x").map_err(|problem| problem.when(status))?;
        answer.expect(status, "x")?;
        // RFC 9112, section 4: the blank behind the status is there without a phrase, too.
        same("how the answer begins", &answer.line[..answer.line.len().min(13)], format!("HTTP/1.1 {status} "))
    })
}

fn bodiless(subject: &Subject) -> Verdict {
    for status in [204, 304] {
        let answer = answered(subject, status, &json!({"X-A": "1"}), "x").map_err(|problem| problem.when(status))?;
        answer.expect(status, "")?;
        equal("X-A", answer.header("x-a"), Some("1"))?;
        equal("Transfer-Encoding", answer.header("transfer-encoding"), None)?;
        // RFC 9110, section 8.6.
        if status == 204 {
            equal("Content-Length", answer.header("content-length"), None)?;
        }
    }
    Ok(())
}

fn head(subject: &Subject) -> Verdict {
    let bytes = subject.ask(&Message::of("HEAD", "/http/body", "grün"))?;
    let answer = Answer::of(&bytes, true)?;
    answer.expect(200, "")?;
    equal("Content-Length", answer.header("content-length"), Some("5"))
}

fn in_json(subject: &Subject) -> Verdict {
    let value = json!({"a": [1, "grün", null]});
    let answer = subject.ask_http(&Message::post("/http/json", &value.to_string()))?;
    equal("the status", answer.status, 200)?;
    let kind = answer.header("content-type").unwrap_or_default();
    equal("Content-Type", kind.split(';').next(), Some("application/json"))?;
    equal("the body", parsed(&answer.body)?, value)
}

fn values(subject: &Subject) -> Verdict {
    ["1\r\nX-B: 2", "1\nX-B: 2", "1\rX-B: 2", "1\r\n\r\n<p>", "1\r\n", "\n", "1\0", "1\u{7f}"]
        .into_iter()
        .try_for_each(|value| refused(subject, &json!({ "X-A": value })))
}

fn names(subject: &Subject) -> Verdict {
    ["X-B: 2\r\nX-A", "X-A\n", "", "X A", "X-A:", "X-A\0", "Grün"]
        .into_iter()
        .try_for_each(|name| refused(subject, &json!({ name: "1" })))
}

fn framing(subject: &Subject) -> Verdict {
    for (name, value) in [("Content-Length", "7"), ("content-length", "0"), ("Transfer-Encoding", "chunked")] {
        let bytes = subject.ask(&Message::post("/http", &wanted(200, &json!({ name: value }), "x")))?;
        if !bytes.starts_with(b"refused") {
            let answer = Answer::of(&bytes, false).map_err(|problem| problem.when(name))?;
            let lengths = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            equal("the number of lengths", lengths.count(), 1)?;
            answer.expect(200, "x")?;
        }
    }
    Ok(())
}

fn bad_status(subject: &Subject) -> Verdict {
    [0, 20, 99, 1000].into_iter().try_for_each(|status| {
        let message = wanted(status, &json!({}), "x");
        subject.refuses(&Message::post("/http", &message)).map_err(|problem| problem.when(status))
    })
}
