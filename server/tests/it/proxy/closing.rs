//! Upstreams that close in each state, and what their clients get: 502, or an answer that does not look whole.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use super::{OK, Upstream, start};
use crate::harness::{Client, get};

/// What a client has got when its connection has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// A final answer to its end, and nothing behind it.
    Whole(u16),
    /// The beginning of one.
    Cut,
    /// What no client may ever get.
    Nonsense(String),
}

/// Asks on a connection of its own, and reads until its end.
pub(super) fn ask(running: &crate::harness::Running, request: &str, serve: impl FnOnce()) -> Got {
    let mut stream = TcpStream::connect(running.address()).unwrap();
    stream.set_read_timeout(Some(testkit::wait::DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    serve();
    let mut bytes = Vec::new();
    let is_reset = match stream.read_to_end(&mut bytes) {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
        Err(error) => panic!("{error} behind {:?}", bytes.escape_ascii().to_string()),
    };
    got(&bytes, is_reset).unwrap_or_else(|| Got::Nonsense(bytes.escape_ascii().to_string()))
}

/// Reads interim answers and one final one, to a request that is not HEAD, as strictly as can be.
fn got(mut bytes: &[u8], is_reset: bool) -> Option<Got> {
    loop {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            // A head that has begun has to come whole, unless the connection was cut.
            return is_reset.then_some(Got::Cut);
        };
        let head = std::str::from_utf8(&bytes[..end]).ok()?.to_ascii_lowercase();
        bytes = &bytes[end + 4..];
        let status: u16 = head.strip_prefix("http/1.1 ")?.get(..3)?.parse().ok()?;
        let field =
            |name: &str| head.split("\r\n").skip(1).find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        if status < 200 {
            let is_framed = field("content-length").is_some() || field("transfer-encoding").is_some();
            if is_framed || status == 101 {
                return None;
            }
            continue;
        }
        let whole = Some(Got::Whole(status));
        return match (field("transfer-encoding"), field("content-length")) {
            (None, _) if status == 204 || status == 304 => whole.filter(|_| bytes.is_empty()),
            (None, Some(length)) => match bytes.len().cmp(&length.parse().ok()?) {
                std::cmp::Ordering::Less => Some(Got::Cut),
                std::cmp::Ordering::Equal => whole,
                std::cmp::Ordering::Greater => None,
            },
            (Some("chunked"), None) => match chunks(bytes) {
                Some([]) => whole,
                Some(_) => None,
                None => Some(Got::Cut),
            },
            (None, None) => {
                if is_reset {
                    Some(Got::Cut)
                } else {
                    whole
                }
            }
            _ => None,
        };
    }
}

/// What is behind the last chunk, if it has come.
fn chunks(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        bytes = bytes.get(end + 2 + size..)?.strip_prefix(b"\r\n")?;
        if size == 0 {
            return Some(bytes);
        }
    }
}

/// How far an upstream comes before it closes.
#[derive(Debug, Clone, Copy)]
enum State {
    Accepted,
    /// It has read the head.
    Asked,
    /// It has read everything, and said this.
    Said(&'static str),
}

#[test]
fn in_each_state() {
    use State::{Accepted, Asked, Said};
    let (bad, cut, whole) = (Got::Whole(502), Got::Cut, Got::Whole(200));
    // How the upstream ends: with FIN, and with RST.
    for (state, finished, reset) in [
        (Accepted, &bad, &bad),
        (Asked, &bad, &bad),
        (Said(""), &bad, &bad),
        (Said("HTTP/1.1 2"), &bad, &bad),
        (Said("HTTP/1.1 200 OK\r\nContent-"), &bad, &bad),
        (Said("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"), &bad, &bad),
        (Said("HTTP/1.1 103 Early Hints\r\n\r\n"), &bad, &bad),
        (Said("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n"), &bad, &bad),
        (Said("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), &cut, &cut),
        (Said("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"), &cut, &cut),
        (Said("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), &whole, &whole),
        (Said("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), &whole, &whole),
        (Said("HTTP/1.1 200 OK\r\n\r\n"), &whole, &cut),
        (Said("HTTP/1.1 200 OK\r\n\r\nhell"), &whole, &cut),
        (Said("HTTP/1.0 200 OK\r\n\r\nhell"), &whole, &cut),
        (Said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), &cut, &cut),
        (Said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5"), &cut, &cut),
        (Said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), &cut, &cut),
        (Said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello"), &cut, &cut),
        (Said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), &cut, &cut),
        (Said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"), &cut, &cut),
        (Said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n"), &cut, &cut),
        (Said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), &whole, &whole),
    ] {
        check(state, Client::close, finished);
        check(state, Client::reset, reset);
    }
}

/// Checks what clients of all kinds get, and that the next one has a connection that works.
fn check(state: State, end: impl Fn(Client), expected: &Got) {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        let got = ask(&running, request, || {
            let mut link = upstream.accept();
            if !matches!(state, State::Accepted) {
                link.head();
            }
            if let State::Said(text) = state {
                let (_, body) = request.split_once("\r\n\r\n").unwrap();
                link.take(body.len());
                link.send(text);
            }
            end(link);
        });
        assert_eq!(got, *expected, "{state:?} {request:?}");
    }
    let mut client = running.connect();
    client.send(get("/"));
    let mut link = upstream.accept();
    link.head();
    link.send(OK);
    assert_eq!(client.answer().text(), "ok", "{state:?}");
}
