//! Downloads whose handlers are told what has been written (`download.flow_control`).

use mongrel2::wire::request::Request;

use super::Row;
use super::subject::Subject;
use crate::check::{Problem, Verdict, equal, holds, same};

pub(super) const ROWS: &[Row] = &[
    ("first", "The first request of a connection tells how much may wait for its client.", first),
    ("written", "Notices tell how many bytes have been written to the client, all of them.", written),
    ("bytes", "A notice is JSON with `METHOD` and `DOWNLOAD_CREDITS`, and its body has a type.", bytes),
];

fn is_credit(request: &Request, id: u64) -> bool {
    request.id == id && request.is_notice() && request.header("DOWNLOAD_CREDITS").is_some()
}

/// What a message credits.
fn credits(request: &Request) -> Verdict<u64> {
    let text = request.header("DOWNLOAD_CREDITS").ok_or_else(|| Problem::wrong("there are no DOWNLOAD_CREDITS"))?;
    text.parse().map_err(|_| Problem::wrong(format!("`{text}` is no number of bytes")))
}

fn first(subject: &Subject) -> Verdict {
    let (_client, message) = subject.ask(&subject.json, "GET /json/flow/first", "")?;
    let credits = credits(&message.request)?;
    holds(credits > 0, || "nothing may wait".to_owned())
}

fn written(subject: &Subject) -> Verdict {
    let (mut client, message) = subject.ask(&subject.json, "GET /json/flow/written", "")?;
    let request = message.request;
    let pieces = ["HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n".to_owned(), "x".repeat(100_000)];
    let mut sent = 0;
    for index in [0, 1, 1, 1] {
        subject.json.reply(&request, &[request.id], &pieces[index])?;
        sent += pieces[index].len() as u64;
    }
    client.answer(false)?.expect(200, "x".repeat(300_000))?;
    let mut told = 0;
    while told < sent {
        told += credits(&subject.json.take("credits", |notice| is_credit(notice, request.id))?.request)?;
    }
    equal("the number of bytes that were written", told, sent)
}

fn bytes(subject: &Subject) -> Verdict {
    let (mut client, message) = subject.ask(&subject.json, "GET /json/flow/bytes", "")?;
    let request = message.request;
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    subject.json.reply(&request, &[request.id], answer)?;
    client.answer(false)?.expect(200, "hello")?;
    let notice = subject.json.take("credits", |notice| is_credit(notice, request.id))?;
    let headers = format!(r#"{{"METHOD":"JSON","DOWNLOAD_CREDITS":"{}"}}"#, answer.len());
    let rest = format!("{}:{headers},18:{{\"type\":\"credits\"}},", headers.len());
    same("the notice", &notice.raw, format!("json {} @* {rest}", request.id))
}
