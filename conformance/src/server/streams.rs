//! Long bodies that the server passes on while they come (`upload.stream`).

use mongrel2::wire::request::Request;

use super::Row;
use super::subject::Subject;
use crate::check::{Verdict, equal, holds, same};
use crate::client::Client;

pub(super) const ROWS: &[Row] = &[
    ("first", "The first message has all headers and `UPLOAD_STREAM: 0`, and comes before the body.", first),
    ("credits", "Behind it come no more bytes than there are credits for.", credits),
    ("pieces", "Pieces have only `UPLOAD_STREAM`, the number of bytes before them.", pieces),
    ("done", "The last one has `UPLOAD_STREAM_DONE: 1`; together they are the body.", done),
    ("chunked", "A chunked body comes decoded.", chunked),
    ("short", "A short body comes in the message, as ever.", short),
    ("continue", "`Expect: 100-continue` is answered before the body comes.", proceed),
    ("next", "What comes behind the body is the next request.", next),
    ("early", "A handler may answer before the end.", early),
    ("leaves", "If the client leaves, the handler is told.", leaves),
    ("cancel", "If the handler cancels, the connection ends.", cancel),
];

const SIZE: usize = 50_000;

/// Sends a head for a body of [`SIZE`], and gives the first message.
fn begin(subject: &Subject, name: &str, headers: &str) -> Verdict<(Client, Request)> {
    let headers = format!("Content-Length: {SIZE}\r\n{headers}");
    let (client, message) = subject.ask(&subject.json, &format!("POST /json/streams/{name}"), &headers)?;
    Ok((client, message.request))
}

fn body() -> Vec<u8> {
    (0..SIZE).map(|number| (number % 251) as u8).collect()
}

/// The next piece.
fn piece(subject: &Subject, id: u64) -> Verdict<Request> {
    let is_piece = |request: &Request| request.id == id && request.header("UPLOAD_STREAM").is_some();
    Ok(subject.json.take("piece of the body", is_piece)?.request)
}

fn is_last(piece: &Request) -> bool {
    piece.header("UPLOAD_STREAM_DONE") == Some("1")
}

/// The rest of a body, as it comes; gives the last piece's message too.
fn rest(subject: &Subject, first: &Request) -> Verdict<Vec<u8>> {
    let mut body = first.body.clone();
    let mut last = is_last(first);
    while !last {
        subject.json.credit(first, 7000)?;
        let piece = piece(subject, first.id)?;
        equal("`UPLOAD_STREAM`", piece.header("UPLOAD_STREAM"), Some(body.len().to_string().as_str()))?;
        body.extend(&piece.body);
        last = is_last(&piece);
    }
    Ok(body)
}

fn first(subject: &Subject) -> Verdict {
    let (_client, request) = begin(subject, "first", "X-A: 1\r\n")?;
    same("the body", &request.body, "")?;
    equal("`UPLOAD_STREAM`", request.header("UPLOAD_STREAM"), Some("0"))?;
    equal("`UPLOAD_STREAM_DONE`", request.header("UPLOAD_STREAM_DONE"), None)?;
    equal("`METHOD`", request.header("METHOD"), Some("POST"))?;
    equal("`x-a`", request.header("x-a"), Some("1"))
}

fn credits(subject: &Subject) -> Verdict {
    let (mut client, request) = begin(subject, "credits", "")?;
    client.send(body())?;
    subject.json.credit(&request, 1000)?;
    let mut count = 0;
    while count < 1000 {
        count += piece(subject, request.id)?.body.len();
    }
    equal("the number of bytes for 1000 credits", count, 1000)?;
    // Whoever gets this one has all that was sent before.
    let (mut other, message) = subject.ask(&subject.json, "GET /json/streams/credits/other", "")?;
    subject.json.answer(&message.request, "")?;
    other.answer(false)?.expect(200, "")?;
    subject.json.has_none("more bytes than that", |piece| piece.id == request.id && !piece.body.is_empty())
}

fn pieces(subject: &Subject) -> Verdict {
    let (mut client, request) = begin(subject, "pieces", "X-A: 1\r\n")?;
    client.send(&body()[..2000])?;
    subject.json.credit(&request, 1000)?;
    let first = piece(subject, request.id)?;
    let names: Vec<&str> = first.headers.iter().map(|(name, _)| name.as_str()).collect();
    equal("the names of a piece's headers", names, ["UPLOAD_STREAM"])?;
    equal("the path", first.path.as_str(), "/json/streams/pieces")?;
    equal("`UPLOAD_STREAM`", first.header("UPLOAD_STREAM"), Some("0"))
}

fn done(subject: &Subject) -> Verdict {
    let (mut client, request) = begin(subject, "done", "")?;
    client.send(body())?;
    same("the body", rest(subject, &request)?, body())?;
    subject.json.answer(&request, "thanks")?;
    client.answer(false)?.expect(200, "thanks")
}

fn chunked(subject: &Subject) -> Verdict {
    let headers = "Transfer-Encoding: chunked\r\n";
    let (mut client, message) = subject.ask(&subject.json, "PUT /json/streams/chunked", headers)?;
    client.send("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")?;
    same("the body", rest(subject, &message.request)?, "hello world")?;
    subject.json.answer(&message.request, "thanks")?;
    client.answer(false)?.expect(200, "thanks")
}

fn short(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    client.send("POST /json/streams/short HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nshort")?;
    let request = subject.json.request("/json/streams/short")?.request;
    same("the body", &request.body, "short")?;
    equal("`UPLOAD_STREAM`", request.header("UPLOAD_STREAM"), None)
}

fn proceed(subject: &Subject) -> Verdict {
    let (mut client, request) = begin(subject, "continue", "Expect: 100-continue\r\n")?;
    equal("the first status", client.answer(false)?.status, 100)?;
    client.send(body())?;
    same("the body", rest(subject, &request)?, body())
}

fn next(subject: &Subject) -> Verdict {
    let (mut client, request) = begin(subject, "next", "")?;
    let next = b"POST /json/streams/next/2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nnext";
    client.send([&body()[..], next].concat())?;
    same("the body", rest(subject, &request)?, body())?;
    subject.json.answer(&request, "1")?;
    client.answer(false)?.expect(200, "1")?;
    let request = subject.json.request("/json/streams/next/2")?.request;
    same("the next body", &request.body, "next")
}

fn early(subject: &Subject) -> Verdict {
    let (mut client, request) = begin(subject, "early", "")?;
    subject.json.answer(&request, "enough")?;
    client.answer(false)?.expect(200, "enough")?;
    // The empty reply ends the upload and the connection.
    subject.json.reply(&request, &[request.id], "")?;
    client.is_closed()?;
    subject.json.disconnect(request.id).map(drop)
}

fn leaves(subject: &Subject) -> Verdict {
    let (mut client, request) = begin(subject, "leaves", "")?;
    client.send("a part")?;
    drop(client);
    subject.json.disconnect(request.id).map(drop)
}

fn cancel(subject: &Subject) -> Verdict {
    let (mut client, request) = begin(subject, "cancel", "")?;
    subject.json.cancel(&request)?;
    let (rest, _) = client.rest()?;
    holds(rest.is_empty(), || format!("`{}` comes before the end", rest.escape_ascii()))
}
