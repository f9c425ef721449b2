//! What a handler gets of a request, in both protocols.

use mongrel2::wire::request::Request;

use super::case;
use super::handler::{Handler, Message};
use super::subject::Subject;
use crate::case::Case;
use crate::check::{Problem, Verdict, equal, escaped, holds, same};

/// One of the two protocols.
#[derive(Debug, Clone, Copy)]
struct Side {
    group: &'static str,
    /// The path of its route.
    route: &'static str,
    handler: fn(&Subject) -> &Handler,
}

const JSON: Side = Side { group: "json", route: "/json", handler: |subject| &subject.json };
const TNETSTRING: Side = Side { group: "tnetstring", route: "/tnet", handler: |subject| &subject.tnet };

/// How a promise is tried.
type Trial = fn(&Subject, Side) -> Verdict;

/// A case's name, the promise, and how it is tried.
type Row = (&'static str, &'static str, Trial);

/// What holds for both.
const ROWS: &[Row] = &[
    ("get", "The server tells what it knows of a request, under names in upper case.", get),
    ("path", "`PATH` and the path of the message are as the client has sent them.", path),
    ("methods", "Each method reaches the handler by its name.", methods),
    ("version", "`VERSION` is that of the client.", version),
    ("origin", "`REMOTE_ADDR` and `URL_SCHEME` tell how the client has come.", origin),
    ("forwarded", "`x-forwarded-for` is the client's address, whatever it says itself.", forwarded),
    ("repeated", "A header that came several times is a list, in its order.", repeated),
    ("empty", "A header may have no value.", empty),
    ("names", "The client's names come in lower case: none of them can be taken for the server's.", names),
    ("order", "`PATH` comes first, the server's other names behind those of the client.", order),
    ("body", "A body of any bytes comes as it is.", body),
    ("pieces", "A request that comes byte by byte is the same request.", pieces),
    ("chunked", "A chunked body comes decoded.", chunked),
    ("longest", "A body of `limits.content_length` (20480) bytes comes whole.", longest),
];

/// What differs.
const JSON_ROWS: &[Row] = &[("escapes", "The JSON is valid, whatever bytes came.", json_escapes)];
const TNETSTRING_ROWS: &[Row] = &[("bytes", "Values are the bytes that came.", tnetstring_bytes)];

pub(super) fn cases() -> Vec<Case<Subject>> {
    let of = |side: Side, rows: &[Row]| {
        let case = |(name, promise, trial): &Row| {
            let trial = *trial;
            case((side.group, name), *promise, "protocol.md, 3", move |subject| trial(subject, side))
        };
        rows.iter().map(case).collect::<Vec<_>>()
    };
    [(JSON, ROWS), (JSON, JSON_ROWS), (TNETSTRING, ROWS), (TNETSTRING, TNETSTRING_ROWS)]
        .into_iter()
        .flat_map(|(side, rows)| of(side, rows))
        .collect()
}

impl Side {
    fn handler(self, subject: &Subject) -> &Handler {
        (self.handler)(subject)
    }

    fn path(self, name: &str) -> String {
        format!("{}/{name}", self.route)
    }

    /// What the handler gets of a request; it is answered.
    fn told(self, subject: &Subject, line: &str, headers: &str) -> Verdict<Request> {
        let (mut client, message) = subject.ask(self.handler(subject), line, headers)?;
        self.handler(subject).answer(&message.request, "thanks")?;
        client.answer(false)?.expect(200, "thanks")?;
        Ok(message.request)
    }

    /// The same of one that is sent as it is.
    fn told_of(self, subject: &Subject, path: &str, pieces: &[&[u8]]) -> Verdict<Request> {
        let mut client = subject.client()?;
        pieces.iter().try_for_each(|piece| client.send(piece))?;
        let request = self.handler(subject).request(path)?.request;
        self.handler(subject).answer(&request, "thanks")?;
        client.answer(false)?.expect(200, "thanks")?;
        Ok(request)
    }
}

fn has(request: &Request, wanted: &[(&str, Option<&str>)]) -> Verdict {
    wanted.iter().try_for_each(|(name, value)| equal(format!("`{name}`"), request.header(name), *value))
}

/// All values of a header.
fn all<'a>(request: &'a Request, name: &str) -> Vec<&'a str> {
    request.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
}

fn get(subject: &Subject, side: Side) -> Verdict {
    let path = side.path("get");
    let request = side.told(subject, &format!("GET {path}?a=b%20c"), "X-A: 1\r\n")?;
    equal("the first word", request.sender.as_str(), side.route.trim_start_matches('/'))?;
    let uri = format!("{path}?a=b%20c");
    let server = [
        ("PATH", Some(path.as_str())),
        ("METHOD", Some("GET")),
        ("VERSION", Some("HTTP/1.1")),
        ("URI", Some(&uri)),
        ("QUERY", Some("a=b%20c")),
        ("PATTERN", Some(side.route)),
        ("FLAGS", None),
        ("UPLOAD_STREAM", None),
        ("PEER_CERT_SHA1", None),
    ];
    has(&request, &server)?;
    has(&request, &[("host", Some("localhost")), ("x-a", Some("1"))])?;
    same("the body", &request.body, "")?;
    let plain = side.path("plain");
    let request = side.told(subject, &format!("GET {plain}"), "")?;
    has(&request, &[("QUERY", None), ("URI", Some(&plain))])
}

fn path(subject: &Subject, side: Side) -> Verdict {
    let path = side.path("a%2Fb;c=d/+e/~f/%C3%A9");
    let request = side.told(subject, &format!("GET {path}?x"), "")?;
    has(&request, &[("PATH", Some(&path)), ("URI", Some(&format!("{path}?x")))])
}

fn methods(subject: &Subject, side: Side) -> Verdict {
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"] {
        let path = side.path(method);
        let body = if method == "OPTIONS" || method == "DELETE" { "" } else { "Content-Length: 0\r\n" };
        let request = side.told(subject, &format!("{method} {path}"), body)?;
        has(&request, &[("METHOD", Some(method))])?;
    }
    Ok(())
}

fn version(subject: &Subject, side: Side) -> Verdict {
    let path = side.path("version");
    let head = format!("GET {path} HTTP/1.0\r\n\r\n");
    let mut client = subject.client()?;
    client.send(head)?;
    let request = side.handler(subject).request(&path)?.request;
    side.handler(subject).answer(&request, "old")?;
    client.answer(false)?.expect(200, "old")?;
    has(&request, &[("VERSION", Some("HTTP/1.0")), ("host", None)])
}

fn origin(subject: &Subject, side: Side) -> Verdict {
    let request = side.told(subject, &format!("GET {}", side.path("origin")), "")?;
    has(&request, &[("REMOTE_ADDR", Some("127.0.0.1")), ("URL_SCHEME", Some("http"))])
}

fn forwarded(subject: &Subject, side: Side) -> Verdict {
    let line = format!("GET {}", side.path("forwarded"));
    let request = side.told(subject, &line, "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 7.7.7.7\r\n")?;
    equal("`x-forwarded-for`", all(&request, "x-forwarded-for"), ["127.0.0.1"])
}

fn repeated(subject: &Subject, side: Side) -> Verdict {
    let line = format!("GET {}", side.path("repeated"));
    let request = side.told(subject, &line, "Cookie: a=1\r\nX-A: x\r\ncookie: b=2\r\nCOOKIE: c=3\r\n")?;
    equal("`cookie`", all(&request, "cookie"), ["a=1", "b=2", "c=3"])?;
    equal("`x-a`", all(&request, "x-a"), ["x"])
}

fn empty(subject: &Subject, side: Side) -> Verdict {
    let request = side.told(subject, &format!("GET {}", side.path("empty")), "X-Empty:\r\nX-Blank:   \r\n")?;
    has(&request, &[("x-empty", Some("")), ("x-blank", Some(""))])
}

fn names(subject: &Subject, side: Side) -> Verdict {
    let path = side.path("names");
    let evil = "METHOD: JSON\r\nPATH: @*\r\nREMOTE_ADDR: 6.6.6.6\r\nFLAGS: 0x81\r\nUPLOAD_STREAM: 7\r\n\
        PATTERN: evil\r\nDOWNLOAD_CREDITS: 1\r\nX-Mixed: 1\r\n";
    let request = side.told(subject, &format!("GET {path}"), evil)?;
    for (name, value) in [("METHOD", "GET"), ("PATH", path.as_str()), ("REMOTE_ADDR", "127.0.0.1")] {
        equal(format!("`{name}`"), all(&request, name), [value])?;
    }
    has(&request, &[("FLAGS", None), ("UPLOAD_STREAM", None), ("DOWNLOAD_CREDITS", None)])?;
    has(&request, &[("PATTERN", Some(side.route)), ("method", Some("JSON")), ("x-mixed", Some("1"))])
}

fn order(subject: &Subject, side: Side) -> Verdict {
    let request = side.told(subject, &format!("GET {}", side.path("order")), "X-A: 1\r\nX-B: 2\r\n")?;
    let is_server = |name: &str| !name.contains(|c: char| c.is_ascii_lowercase());
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    equal("the first name", names.first(), Some(&"PATH"))?;
    let behind = names.iter().skip(1).skip_while(|name| !is_server(name));
    let client: Vec<_> = behind.filter(|name| !is_server(name)).collect();
    holds(client.is_empty(), || format!("{client:?} come behind a name of the server in {names:?}"))
}

fn body(subject: &Subject, side: Side) -> Verdict {
    let path = side.path("body");
    let bytes: Vec<u8> = (0..=255).collect();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 256\r\n\r\n");
    let request = side.told_of(subject, &path, &[head.as_bytes(), &bytes])?;
    same("the body", &request.body, &bytes)?;
    has(&request, &[("content-length", Some("256"))])
}

fn pieces(subject: &Subject, side: Side) -> Verdict {
    let path = side.path("pieces");
    let text = format!("POST {path}?q HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello");
    let request = side.told_of(subject, &path, &text.as_bytes().chunks(1).collect::<Vec<_>>())?;
    has(&request, &[("QUERY", Some("q")), ("x-a", Some("1"))])?;
    same("the body", &request.body, "hello")
}

fn chunked(subject: &Subject, side: Side) -> Verdict {
    let path = side.path("chunked");
    let text = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0006;ext=\"1\"\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"
    );
    let request = side.told_of(subject, &path, &[text.as_bytes()])?;
    same("the body", &request.body, "hello world")?;
    has(&request, &[("content-length", None)])
}

fn longest(subject: &Subject, side: Side) -> Verdict {
    let path = side.path("longest");
    let body = b"0123456789abcdef".repeat(1280);
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    let request = side.told_of(subject, &path, &[head.as_bytes(), &body])?;
    same("the body", &request.body, &body)
}

/// What header values may be made of that JSON has to escape, or UTF-8 hasn't.
const ODD: &[u8] = b"\"\\/\x09{}[]:,\xc3\xa9";

/// What the handler gets of a request with such a value.
fn odd(subject: &Subject, side: Side, path: &str, value: &[u8]) -> Verdict<Message> {
    let mut client = subject.client()?;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Odd: "))?;
    client.send([value, b"\r\n\r\n"].concat())?;
    let message = side.handler(subject).request(path)?;
    side.handler(subject).answer(&message.request, "")?;
    client.answer(false)?.expect(200, "")?;
    Ok(message)
}

fn json_escapes(subject: &Subject, side: Side) -> Verdict {
    let path = side.path("escapes");
    let message = odd(subject, side, &path, &[ODD, b"\r\nX-Bytes: a\xff\x80z"].concat())?;
    let json = message.raw.splitn(4, |byte| *byte == b' ').nth(3).and_then(|rest| {
        let start = rest.iter().position(|byte| *byte == b':')? + 1;
        let size: usize = std::str::from_utf8(&rest[..start - 1]).ok()?.parse().ok()?;
        rest.get(start..start + size)
    });
    let json = json.ok_or_else(|| Problem::wrong(format!("there are no headers in `{}`", escaped(&message.raw))))?;
    let value: serde_json::Value = serde_json::from_slice(json)
        .map_err(|error| Problem::wrong(format!("the headers `{}` are no JSON: {error}", escaped(json))))?;
    equal("`x-odd`", value["x-odd"].as_str(), std::str::from_utf8(ODD).ok())?;
    equal("`x-bytes`", value["x-bytes"].as_str(), Some("a\u{ff}\u{80}z"))
}

fn tnetstring_bytes(subject: &Subject, side: Side) -> Verdict {
    let path = side.path("bytes");
    let value = [ODD, b"\xff\x80z"].concat();
    let message = odd(subject, side, &path, &value)?;
    let wanted = [format!("5:x-odd,{}:", value.len()).as_bytes(), &value, b","].concat();
    let is_there = message.raw.windows(wanted.len()).any(|part| part == wanted);
    holds(is_there, || format!("`{}` isn't in `{}`", escaped(&wanted), escaped(&message.raw)))
}
