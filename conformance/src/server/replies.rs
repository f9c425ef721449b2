//! What handlers send, and what clients get of it.

use mongrel2::wire::request::Request;

use super::Row;
use super::subject::Subject;
use crate::check::{Verdict, equal, same};
use crate::client::Client;

pub(super) const ROWS: &[Row] = &[
    ("bytes", "The client gets the handler's bytes as they are.", bytes),
    ("pieces", "An answer may come in any number of replies, and the connection goes on behind it.", pieces),
    ("order", "Replies of a handler arrive in their order.", order),
    ("large", "A reply of 16 MiB arrives whole.", large),
    ("chunked", "A chunked answer ends with its last chunk.", chunked),
    ("head", "An answer to HEAD ends with its head.", head),
    ("no-body", "So do answers with 204 and 304.", no_body),
    ("interim", "An interim answer is passed on, and the real one follows.", interim),
    ("close-header", "Behind an answer that says `Connection: close` the connection ends.", close_header),
    ("many", "One reply reaches several connections.", many),
    ("most", "One reply reaches 128 connections.", most),
    ("close", "An empty reply closes the connection, once everything before it is written.", close),
    ("close-bare", "The blank before an empty body may be missing.", close_bare),
    ("excess", "Bytes behind the end of an answer never become part of the next one.", excess),
    ("strangers", "A handler can't reach a connection that no handler at its address has heard of.", strangers),
    ("subscription", "The server subscribes to `recv_ident`.", subscription),
    ("garbage", "What is no reply is skipped, and the next one is taken.", garbage),
];

fn asked(subject: &Subject, name: &str) -> Verdict<(Client, Request)> {
    let (client, message) = subject.ask(&subject.json, &format!("GET /json/{name}"), "")?;
    Ok((client, message.request))
}

/// That the connection is as good as before.
fn goes_on(subject: &Subject, client: &mut Client, name: &str) -> Verdict {
    let path = format!("/json/{name}/next");
    client.get(&format!("GET {path}"))?;
    let request = subject.json.request(&path)?.request;
    subject.json.answer(&request, "next")?;
    client.answer(false)?.expect(200, "next")
}

fn bytes(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "bytes")?;
    let body: Vec<u8> = (0..=255).collect();
    let answer = [&b"HTTP/1.1 299 As It Is\r\ncOnTeNt-LeNgTh:   256\r\nx-a:b\r\n\r\n"[..], &body].concat();
    subject.json.reply(&request, &[request.id], &answer)?;
    client.expect(&answer)
}

fn pieces(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "pieces")?;
    for piece in ["HTTP/1.1 200", " OK\r\nContent-Le", "ngth: 10\r\n\r\n", "hello", "", "world"] {
        // An empty reply would close.
        if !piece.is_empty() {
            subject.json.reply(&request, &[request.id], piece)?;
        }
    }
    client.answer(false)?.expect(200, "helloworld")?;
    goes_on(subject, &mut client, "pieces")
}

fn order(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "order")?;
    let lines: Vec<String> = (0..1000).map(|number| format!("{number:08}\n")).collect();
    subject.json.reply(&request, &[request.id], "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")?;
    lines.iter().try_for_each(|line| subject.json.reply(&request, &[request.id], line))?;
    client.answer(false)?.expect(200, lines.concat())
}

fn large(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "large")?;
    let body: Vec<u8> = (0..16 * 1024 * 1024_u32).map(|number| (number % 251) as u8).collect();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    subject.json.reply(&request, &[request.id], [head.as_bytes(), &body].concat())?;
    client.answer(false)?.expect(200, body)
}

fn chunked(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "chunked")?;
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    for piece in answer.as_bytes().chunks(7) {
        subject.json.reply(&request, &[request.id], piece)?;
    }
    client.answer(false)?.expect(200, "hello world")?;
    goes_on(subject, &mut client, "chunked")
}

fn head(subject: &Subject) -> Verdict {
    let (mut client, message) = subject.ask(&subject.json, "HEAD /json/head", "")?;
    let request = message.request;
    subject.json.reply(&request, &[request.id], "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
    let answer = client.answer(true)?;
    equal("Content-Length", answer.header("content-length"), Some("1000"))?;
    goes_on(subject, &mut client, "head")
}

fn no_body(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "no-body")?;
    subject.json.reply(&request, &[request.id], "HTTP/1.1 204 No Content\r\n\r\n")?;
    client.answer(false)?.expect(204, "")?;
    client.get("GET /json/no-body/304")?;
    let request = subject.json.request("/json/no-body/304")?.request;
    subject.json.reply(&request, &[request.id], "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n")?;
    client.answer(false)?.expect(304, "")?;
    goes_on(subject, &mut client, "no-body")
}

fn interim(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "interim")?;
    subject.json.reply(&request, &[request.id], "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")?;
    equal("the first status", client.answer(false)?.status, 103)?;
    subject.json.answer(&request, "real")?;
    client.answer(false)?.expect(200, "real")?;
    goes_on(subject, &mut client, "interim")
}

fn close_header(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "close-header")?;
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nend";
    subject.json.reply(&request, &[request.id], answer)?;
    client.answer(false)?.expect(200, "end")?;
    client.is_closed()
}

/// One reply to so many connections.
fn to(subject: &Subject, name: &str, count: usize) -> Verdict {
    let waiting = (0..count).map(|number| asked(subject, &format!("{name}/{number}")));
    let mut waiting = waiting.collect::<Verdict<Vec<_>>>()?;
    let ids: Vec<u64> = waiting.iter().map(|(_, request)| request.id).collect();
    let first = waiting[0].1.clone();
    subject.json.reply(&first, &ids, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")?;
    waiting.iter_mut().try_for_each(|(client, _)| client.answer(false)?.expect(200, "hello"))
}

fn many(subject: &Subject) -> Verdict {
    to(subject, "many", 3)
}

fn most(subject: &Subject) -> Verdict {
    to(subject, "most", 128)
}

fn close(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "close")?;
    let body = vec![b'x'; 1024 * 1024];
    subject.json.reply(&request, &[request.id], "HTTP/1.1 200 OK\r\n\r\n")?;
    subject.json.reply(&request, &[request.id], &body)?;
    subject.json.reply(&request, &[request.id], "")?;
    client.answer(false)?.expect(200, body)
}

fn close_bare(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "close-bare")?;
    let id = request.id.to_string();
    subject.json.send(format!("{} {}:{id},", request.sender, id.len()))?;
    client.is_closed()
}

fn excess(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "excess")?;
    client.get("GET /json/excess/next")?;
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    subject.json.reply(&request, &[request.id], answer)?;
    client.answer(false)?.expect(200, "ok")?;
    let (rest, _) = client.rest()?;
    same("what comes behind the answer", rest, "")
}

fn strangers(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "strangers")?;
    let (mut other, own) = subject.ask(&subject.tnet, "GET /tnet/strangers", "")?;
    subject.tnet.answer(&Request { id: request.id, ..own.request.clone() }, "from a stranger")?;
    // Behind it, in the same socket.
    subject.tnet.answer(&own.request, "own")?;
    other.answer(false)?.expect(200, "own")?;
    subject.json.answer(&request, "from the handler")?;
    client.answer(false)?.expect(200, "from the handler")
}

fn subscription(subject: &Subject) -> Verdict {
    same("the subscription for an empty `recv_ident`", &subject.json.subscription, b"\x01")?;
    same("the subscription for `tnet`", &subject.tnet.subscription, b"\x01tnet")
}

fn garbage(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "garbage")?;
    let (sender, id) = (&request.sender, request.id.to_string());
    let size = id.len();
    let bad = [
        String::new(),
        " ".to_owned(),
        "nonsense".to_owned(),
        format!("{sender} "),
        format!("{sender} {id}, x"),
        format!("{sender} {size}:{id} x"),
        format!("{sender} {}:{id}, x", size + 1),
        format!("{sender} 999999999:{id}, x"),
        format!("{sender} 99999999999999999999:{id}, x"),
        format!("{sender} -1:{id}, x"),
        format!("{sender} 0:, x"),
        format!("{sender} 1: , x"),
        format!("{sender} {}:{id} x, evil", size + 2),
        format!("{sender} 20:99999999999999999999, x"),
        format!("{sender} {}:{}, evil", 129 * (size + 1) - 1, vec![id.as_str(); 129].join(" ")),
        format!("{sender} {size}:{id},evil"),
    ];
    bad.iter().try_for_each(|message| subject.json.send(message))?;
    subject.json.send(b"\xff\0\x01".repeat(1000))?;
    subject.json.answer(&request, "fine")?;
    client.answer(false)?.expect(200, "fine")
}
