//! Connections and their ids, and what a client may expect of one while it asks.

use super::Row;
use super::subject::Subject;
use crate::check::{Verdict, equal, holds, same};
use crate::client::Client;

pub(super) const ROWS: &[Row] = &[
    ("id", "A connection keeps its id for all its requests.", id),
    ("ids", "No two connections have the same id.", ids),
    (
        "pipelined",
        "A request that comes before its predecessor is answered waits for that, and is not lost.",
        pipelined,
    ),
    ("http10", "A connection of HTTP/1.0 ends with its answer.", http10),
    ("close", "A client that says `Connection: close` gets its answer, and then the end.", close),
    ("continue", "`Expect: 100-continue` is answered with 100.", proceed),
    ("expectation", "Another expectation gets 417.", expectation),
    ("empty-lines", "Empty lines before a request mean nothing (RFC 9112, section 2.2).", empty_lines),
    ("too-long", "A body of more than `limits.content_length` gets 413 where nobody takes uploads.", too_long),
    ("too-long-chunked", "So does a chunked one.", too_long_chunked),
    ("nobody", "A request that no handler takes gets 503.", nobody),
    ("others", "A handler that doesn't answer delays nobody who asks another one.", others),
];

/// Sends a request, and gives the id of its connection; it is answered.
fn exchange(subject: &Subject, client: &mut Client, path: &str) -> Verdict<u64> {
    client.get(&format!("GET {path}"))?;
    let request = subject.json.request(path)?.request;
    subject.json.answer(&request, path)?;
    client.answer(false)?.expect(200, path)?;
    Ok(request.id)
}

fn id(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    let first = exchange(subject, &mut client, "/json/id/1")?;
    for path in ["/json/id/2", "/json/id/3"] {
        equal(format!("the id at `{path}`"), exchange(subject, &mut client, path)?, first)?;
    }
    Ok(())
}

fn ids(subject: &Subject) -> Verdict {
    let mut clients = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    for number in 0..50 {
        let (client, message) = subject.ask(&subject.json, &format!("GET /json/ids/{number}"), "")?;
        holds(ids.insert(message.request.id), || format!("{} comes twice", message.request.id))?;
        clients.push(client);
    }
    Ok(())
}

fn pipelined(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    client.send(
        ["first", "second", "third"]
            .map(|name| format!("GET /json/pipelined/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            .concat(),
    )?;
    let first = subject.json.request("/json/pipelined/first")?.request;
    // Whoever gets this one has all that was sent before.
    exchange(subject, &mut subject.client()?, "/json/pipelined/meanwhile")?;
    subject.json.has_none("about the second request", |request| request.path.ends_with("second"))?;
    subject.json.answer(&first, "1")?;
    client.answer(false)?.expect(200, "1")?;
    for (name, body) in [("second", "2"), ("third", "3")] {
        let request = subject.json.request(&format!("/json/pipelined/{name}"))?.request;
        subject.json.answer(&request, body)?;
        client.answer(false)?.expect(200, body)?;
    }
    Ok(())
}

fn http10(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    client.send("GET /json/http10 HTTP/1.0\r\n\r\n")?;
    let request = subject.json.request("/json/http10")?.request;
    subject.json.answer(&request, "old")?;
    client.answer(false)?.expect(200, "old")?;
    client.is_closed()
}

fn close(subject: &Subject) -> Verdict {
    let (mut client, message) = subject.ask(&subject.json, "GET /json/close", "Connection: close\r\n")?;
    subject.json.answer(&message.request, "last")?;
    client.answer(false)?.expect(200, "last")?;
    client.is_closed()
}

fn proceed(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    let head = "POST /json/continue HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    client.send(head)?;
    equal("the first status", client.answer(false)?.status, 100)?;
    client.send("hello")?;
    let request = subject.json.request("/json/continue")?.request;
    same("the body", &request.body, "hello")?;
    subject.json.answer(&request, "thanks")?;
    client.answer(false)?.expect(200, "thanks")
}

fn expectation(subject: &Subject) -> Verdict {
    let answer = subject.answer("POST /json/expectation HTTP/1.1", "Expect: 200-ok\r\n", "")?;
    equal("the status", answer.status, 417)
}

fn empty_lines(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    client.send("\r\n\r\n")?;
    exchange(subject, &mut client, "/json/empty-lines").map(drop)
}

fn too_long(subject: &Subject) -> Verdict {
    let body = "x".repeat(20_481);
    equal("the status", subject.answer("POST /json/too-long HTTP/1.1", "", &body)?.status, 413)
}

fn too_long_chunked(subject: &Subject) -> Verdict {
    let mut client = subject.client()?;
    client.send("POST /json/too-long HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    // The answer may come before all is sent.
    let _ = client.send(format!("5001\r\n{}\r\n0\r\n\r\n", "x".repeat(0x5001)));
    equal("the status", client.answer(false)?.status, 413)
}

fn nobody(subject: &Subject) -> Verdict {
    let answer = subject.answer("GET /nobody HTTP/1.1", "", "")?;
    equal("the status", answer.status, 503)
}

fn others(subject: &Subject) -> Verdict {
    let waiting = subject.ask(&subject.json, "GET /json/others/waits", "")?;
    for number in 0..20 {
        exchange(subject, &mut subject.client()?, &format!("/json/others/{number}"))?;
    }
    let (mut client, message) = waiting;
    subject.json.answer(&message.request, "at last")?;
    client.answer(false)?.expect(200, "at last")
}
