//! Long bodies that the server writes to files (`upload.temp_store`).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use mongrel2::wire::request::Request;

use super::Row;
use super::subject::Subject;
use crate::check::{Problem, Verdict, equal, same};
use crate::client::Client;

pub(super) const ROWS: &[Row] = &[
    ("start", "A handler is told of the file as soon as the head is there; the message has no body.", start),
    ("done", "And again when the file is whole, with the same headers.", done),
    ("mode", "The file has the rights that `upload.temp_store_mode` says.", mode),
    ("next", "What comes behind the body is the next request.", next),
    ("chunked", "A chunked body is written decoded.", chunked),
    ("short", "A short body comes in the message, as ever.", short),
    ("continue", "`Expect: 100-continue` is answered before the body comes.", proceed),
    ("answered", "A handler may answer at the start; the upload goes on.", answered),
    ("leaves", "If the client leaves, the file is removed, and the handler is told.", leaves),
    ("cancel", "If the handler cancels, the file is removed.", cancel),
    ("names", "A client can't send the headers that tell of files.", names),
];

const START: &str = "x-mongrel2-upload-start";
const DONE: &str = "x-mongrel2-upload-done";

const SIZE: usize = 50_000;

/// Sends a head for a body of [`SIZE`], and gives the first message.
fn begin(subject: &Subject, name: &str, headers: &str) -> Verdict<(Client, Request)> {
    let headers = format!("Content-Length: {SIZE}\r\n{headers}");
    let (client, message) = subject.ask(&subject.json, &format!("POST /json/uploads/{name}"), &headers)?;
    Ok((client, message.request))
}

/// The file that a message tells of.
fn file(subject: &Subject, request: &Request, header: &str) -> Verdict<PathBuf> {
    let path = request.header(header).ok_or_else(|| Problem::wrong(format!("there is no `{header}`")))?;
    Ok(subject.site.folder.join(path.trim_start_matches('/')))
}

fn body() -> Vec<u8> {
    (0..SIZE).map(|number| (number % 251) as u8).collect()
}

/// The message that the file is whole.
fn finished(subject: &Subject, id: u64) -> Verdict<Request> {
    let is_done = |request: &Request| request.id == id && request.header(DONE).is_some();
    Ok(subject.json.take("message that the upload is done", is_done)?.request)
}

fn is_gone(subject: &Subject, path: &Path) -> Verdict {
    let began = Instant::now();
    while path.exists() {
        if began.elapsed() > subject.patience {
            return Err(Problem::wrong(format!("`{}` is still there", path.display())));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn start(subject: &Subject) -> Verdict {
    let (_client, request) = begin(subject, "start", "X-A: 1\r\n")?;
    same("the body", &request.body, "")?;
    equal(format!("`{DONE}`"), request.header(DONE), None)?;
    equal("`content-length`", request.header("content-length"), Some("50000"))?;
    equal("that the file is there", file(subject, &request, START)?.exists(), true)
}

fn done(subject: &Subject) -> Verdict {
    let (mut client, first) = begin(subject, "done", "X-A: 1\r\n")?;
    client.send(body())?;
    let request = finished(subject, first.id)?;
    equal(format!("`{START}`"), request.header(START), first.header(START))?;
    equal(format!("`{DONE}`"), request.header(DONE), first.header(START))?;
    for name in ["METHOD", "PATH", "x-a", "content-length"] {
        equal(format!("`{name}`"), request.header(name), first.header(name))?;
    }
    same("the body", &request.body, "")?;
    let path = file(subject, &request, DONE)?;
    same("the file", fs::read(&path).map_err(Problem::wrong)?, body())?;
    fs::remove_file(path).map_err(Problem::wrong)?;
    subject.json.answer(&request, "thanks")?;
    client.answer(false)?.expect(200, "thanks")
}

fn mode(subject: &Subject) -> Verdict {
    let (_client, request) = begin(subject, "mode", "")?;
    let metadata = fs::metadata(file(subject, &request, START)?).map_err(Problem::wrong)?;
    equal("the mode", format!("{:o}", metadata.permissions().mode() & 0o777), "640")
}

fn next(subject: &Subject) -> Verdict {
    let (mut client, first) = begin(subject, "next", "")?;
    let next = b"POST /json/uploads/next/2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nnext";
    client.send([&body()[..], next].concat())?;
    let request = finished(subject, first.id)?;
    same("the file", fs::read(file(subject, &request, DONE)?).map_err(Problem::wrong)?, body())?;
    subject.json.answer(&request, "1")?;
    client.answer(false)?.expect(200, "1")?;
    let request = subject.json.request("/json/uploads/next/2")?.request;
    same("the next body", &request.body, "next")?;
    subject.json.answer(&request, "2")?;
    client.answer(false)?.expect(200, "2")
}

fn chunked(subject: &Subject) -> Verdict {
    let headers = "Transfer-Encoding: chunked\r\n";
    let (mut client, message) = subject.ask(&subject.json, "PUT /json/uploads/chunked", headers)?;
    file(subject, &message.request, START)?;
    client.send("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")?;
    let request = finished(subject, message.request.id)?;
    same("the file", fs::read(file(subject, &request, DONE)?).map_err(Problem::wrong)?, "hello world")?;
    subject.json.answer(&request, "thanks")?;
    client.answer(false)?.expect(200, "thanks")
}

fn short(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    client.send("POST /json/uploads/short HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nshort")?;
    let request = subject.json.request("/json/uploads/short")?.request;
    same("the body", &request.body, "short")?;
    equal(format!("`{START}`"), request.header(START), None)
}

fn proceed(subject: &Subject) -> Verdict {
    let (mut client, first) = begin(subject, "continue", "Expect: 100-continue\r\n")?;
    equal("the first status", client.answer(false)?.status, 100)?;
    client.send(body())?;
    let request = finished(subject, first.id)?;
    subject.json.answer(&request, "thanks")?;
    client.answer(false)?.expect(200, "thanks")
}

fn answered(subject: &Subject) -> Verdict {
    let (mut client, first) = begin(subject, "answered", "")?;
    subject.json.answer(&first, "early")?;
    client.answer(false)?.expect(200, "early")?;
    client.send(body())?;
    let request = finished(subject, first.id)?;
    same("the file", fs::read(file(subject, &request, DONE)?).map_err(Problem::wrong)?, body())
}

fn leaves(subject: &Subject) -> Verdict {
    let (mut client, request) = begin(subject, "leaves", "")?;
    client.send("a part")?;
    drop(client);
    subject.json.disconnect(request.id)?;
    is_gone(subject, &file(subject, &request, START)?)
}

fn cancel(subject: &Subject) -> Verdict {
    let (mut client, request) = begin(subject, "cancel", "")?;
    client.send("a part")?;
    subject.json.cancel(&request)?;
    let (rest, _) = client.rest()?;
    same("what comes before the end", rest, "")?;
    is_gone(subject, &file(subject, &request, START)?)
}

fn names(subject: &Subject) -> Verdict {
    let evil = "X-Mongrel2-Upload-Start: /etc/passwd\r\nx-mongrel2-upload-done: /etc/passwd\r\n";
    let (_client, message) = subject.ask(&subject.json, "GET /json/uploads/names", evil)?;
    let told = [START, DONE].map(|name| message.request.header(name));
    equal("what a client sends under these names", told, [None, None])?;
    let (_client, request) = begin(subject, "names/long", evil)?;
    equal(format!("`{DONE}`"), request.header(DONE), None)?;
    let count = request.headers.iter().filter(|(name, _)| name.as_str() == START).count();
    equal(format!("the number of `{START}`"), count, 1)?;
    equal("that the file is the server's", request.header(START) == Some("/etc/passwd"), false)
}
