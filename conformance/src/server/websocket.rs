//! WebSockets of a handler: the handshake, messages both ways, and the end.

use mongrel2::wire::request::Request;

use super::Row;
use super::subject::Subject;
use crate::check::{Verdict, equal, same};
use crate::client::{Client, Socket};

/// What accepts the key that the client sends (RFC 6455, section 1.3).
pub(super) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(super) const ROWS: &[Row] = &[
    ("handshake", "The handler gets the value that accepts the WebSocket, and answers itself.", handshake),
    ("refused", "It may refuse; the connection goes on with HTTP.", refused),
    ("version", "Another version than 13 gets 426 and the one that is spoken (section 4.4).", version),
    ("bad-key", "A key that isn't 16 bytes in base64 gets 400.", bad_key),
    ("text", "A message has the headers of its handshake, and `FLAGS` of its first byte.", text),
    ("binary", "Bytes come as they are.", binary),
    ("empty", "A message may be empty.", empty),
    ("long", "A message of 20000 bytes comes whole.", long),
    ("tnetstring", "All of that holds for tnetstrings.", tnetstring),
    ("replies", "The client gets the handler's frames as they are.", replies),
    ("many", "One reply reaches several WebSockets.", many),
    ("end", "An empty reply ends the connection, and the handler is told.", end),
    ("leaves", "A client that leaves without a word is told of.", leaves),
];

/// A WebSocket that the handler has accepted.
pub(super) fn open(subject: &Subject, path: &str) -> Verdict<(Socket, Request)> {
    let (client, request) = asked(subject, path)?;
    accept(subject, client, request)
}

fn asked(subject: &Subject, path: &str) -> Verdict<(Client, Request)> {
    let mut client = subject.client()?;
    Socket::ask(&mut client, path)?;
    let without_query = path.split('?').next().unwrap_or(path);
    Ok((client, subject.json.request(without_query)?.request))
}

fn accept(subject: &Subject, client: Client, request: Request) -> Verdict<(Socket, Request)> {
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        String::from_utf8_lossy(&request.body)
    );
    subject.json.reply(&request, &[request.id], answer)?;
    let (socket, _) = Socket::accepted(client)?;
    Ok((socket, request))
}

/// That the handler gets that message next.
pub(super) fn gets(subject: &Subject, id: u64, flags: u8, payload: &[u8]) -> Verdict<Request> {
    let wanted = |request: &Request| request.id == id && request.header("METHOD") == Some("WEBSOCKET");
    let request = subject.json.take("message of the WebSocket", wanted)?.request;
    let found = request.header("FLAGS").map(str::to_ascii_uppercase);
    equal("`FLAGS`", found, Some(format!("0X{flags:02X}")))?;
    same("the body", &request.body, payload)?;
    Ok(request)
}

fn handshake(subject: &Subject) -> Verdict {
    let (client, request) = asked(subject, "/json/ws/handshake")?;
    equal("`METHOD`", request.header("METHOD"), Some("WEBSOCKET_HANDSHAKE"))?;
    equal("`sec-websocket-version`", request.header("sec-websocket-version"), Some("13"))?;
    same("the body", &request.body, ACCEPT)?;
    accept(subject, client, request).map(drop)
}

fn refused(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "/json/ws/refused")?;
    subject.json.reply(&request, &[request.id], "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")?;
    client.answer(false)?.expect(403, "no")?;
    client.get("GET /json/ws/refused/next")?;
    let request = subject.json.request("/json/ws/refused/next")?.request;
    equal("`METHOD`", request.header("METHOD"), Some("GET"))?;
    subject.json.answer(&request, "next")?;
    client.answer(false)?.expect(200, "next")
}

fn upgrade(subject: &Subject, version: &str, key: &str) -> Verdict<crate::client::Answer> {
    let mut client = subject.client()?;
    client.send(format!(
        "GET /json/ws/bad HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ))?;
    client.answer(false)
}

fn version(subject: &Subject) -> Verdict {
    let answer = upgrade(subject, "12", "dGhlIHNhbXBsZSBub25jZQ==")?;
    equal("the status", answer.status, 426)?;
    equal("Sec-WebSocket-Version", answer.header("sec-websocket-version"), Some("13"))
}

fn bad_key(subject: &Subject) -> Verdict {
    for key in ["dGhlIHNhbXBsZSBub25jZQ", "c2hvcnQ=", "not base64 at all!!!!!!!"] {
        equal(format!("the status for `{key}`"), upgrade(subject, "13", key)?.status, 400)?;
    }
    Ok(())
}

fn text(subject: &Subject) -> Verdict {
    let (mut socket, handshake) = open(subject, "/json/ws/text?q")?;
    socket.send(0x81, "grün")?;
    let request = gets(subject, handshake.id, 0x81, "grün".as_bytes())?;
    equal("the path", request.path.as_str(), "/json/ws/text")?;
    for name in ["PATH", "URI", "QUERY", "PATTERN", "host", "sec-websocket-version", "REMOTE_ADDR"] {
        equal(format!("`{name}`"), request.header(name), handshake.header(name))?;
    }
    Ok(())
}

fn binary(subject: &Subject) -> Verdict {
    let (mut socket, handshake) = open(subject, "/json/ws/binary")?;
    let bytes: Vec<u8> = (0..=255).collect();
    socket.send(0x82, &bytes)?;
    gets(subject, handshake.id, 0x82, &bytes).map(drop)
}

fn empty(subject: &Subject) -> Verdict {
    let (mut socket, handshake) = open(subject, "/json/ws/empty")?;
    socket.send(0x81, "")?;
    gets(subject, handshake.id, 0x81, b"").map(drop)
}

fn long(subject: &Subject) -> Verdict {
    let (mut socket, handshake) = open(subject, "/json/ws/long")?;
    let bytes = vec![b'x'; 20_000];
    socket.send(0x81, &bytes)?;
    gets(subject, handshake.id, 0x81, &bytes).map(drop)
}

fn tnetstring(subject: &Subject) -> Verdict {
    let path = "/tnet/ws";
    let mut client = subject.client()?;
    Socket::ask(&mut client, path)?;
    let request = subject.tnet.request(path)?.request;
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    subject.tnet.reply(&request, &[request.id], answer)?;
    let (mut socket, _) = Socket::accepted(client)?;
    socket.send(0x82, b"\0\xff")?;
    let message = subject.tnet.take("message", |message| message.header("METHOD") == Some("WEBSOCKET"))?.request;
    equal("`FLAGS`", message.header("FLAGS").map(str::to_ascii_uppercase).as_deref(), Some("0X82"))?;
    same("the body", &message.body, b"\0\xff")
}

fn replies(subject: &Subject) -> Verdict {
    let (mut socket, handshake) = open(subject, "/json/ws/replies")?;
    let frames = [&b"\x81\x02hi"[..], b"\x01\x01a", b"\x80\x01b", b"\x82\x7e\x00\x03\0\x01\x02", b"\x89\x00"];
    frames.iter().try_for_each(|frame| subject.json.reply(&handshake, &[handshake.id], frame))?;
    socket.client().expect(frames.concat())
}

fn many(subject: &Subject) -> Verdict {
    let sockets = (0..5).map(|number| open(subject, &format!("/json/ws/many/{number}")));
    let mut sockets = sockets.collect::<Verdict<Vec<_>>>()?;
    let ids: Vec<u64> = sockets.iter().map(|(_, request)| request.id).collect();
    let first = sockets[0].1.clone();
    subject.json.reply(&first, &ids, b"\x81\x03all")?;
    sockets.iter_mut().try_for_each(|(socket, _)| socket.client().expect(b"\x81\x03all"))
}

fn end(subject: &Subject) -> Verdict {
    let (mut socket, handshake) = open(subject, "/json/ws/end")?;
    subject.json.reply(&handshake, &[handshake.id], b"\x88\x02\x03\xe8")?;
    subject.json.reply(&handshake, &[handshake.id], "")?;
    socket.client().expect(b"\x88\x02\x03\xe8")?;
    let (rest, _) = socket.client().rest()?;
    same("what comes behind the close", rest, "")?;
    subject.json.disconnect(handshake.id).map(drop)
}

fn leaves(subject: &Subject) -> Verdict {
    let (socket, handshake) = open(subject, "/json/ws/leaves")?;
    drop(socket);
    subject.json.disconnect(handshake.id).map(drop)
}
