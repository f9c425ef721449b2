//! What an application gets of a request's body.

use super::run::Run;
use super::{MANUAL, case};
use crate::app::host::{Host, Place};
use crate::case::Case;
use crate::check::Verdict;

/// Nothing, little, a byte more than a server holds in memory by default, and much.
const COUNTED: [usize; 4] = [0, 1, 20_481, 3_000_000];

/// Those of which the answer, which goes out meanwhile, finds room.
const ECHOED: [usize; 3] = [0, 1, 20_481];

const CHUNKED: &str = "Host: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";

pub(super) fn cases(place: Place) -> Vec<Case<Host>> {
    let mut cases: Vec<_> = COUNTED.iter().map(|size| counted(*size)).collect();
    cases.extend(ECHOED.iter().map(|size| echoed(*size)));
    cases.extend([
        case(("bodies", "chunked"), "The chunks of a body are put together.", "RFC 9112, 7.1", |run| {
            chunked(run, "/echo", "5\r\nfirst\r\n", "6\r\nsecond\r\n0\r\n\r\n", "firstsecond")
        }),
        case(("bodies", "extensions"), "Extensions of chunks are no part of a body.", "RFC 9112, 7.1.1", |run| {
            chunked(run, "/echo", "5;a=b\r\nfirst\r\n", "0;c\r\n\r\n", "first")
        }),
        case(("bodies", "trailers"), "Trailers are no part of a body, nor of the headers.", "RFC 9110, 6.5.1", |run| {
            let from = std::net::TcpStream::connect(run.host.address)?.local_addr()?.ip();
            let told = format!("POST /about HTTP/1.1 http {from} [\"\", \"\"] first");
            chunked(run, "/about", "5\r\nfirst\r\n", "0\r\nX-A: 1\r\nCookie: a=1\r\n\r\n", &told)
        }),
        case(("bodies", "refused"), "An answer doesn't wait for the body.", MANUAL, refused),
        case(
            ("bodies", "left"),
            "A client that leaves in its body's middle ends it for the application.",
            MANUAL,
            left,
        ),
    ]);
    // Where there are files, a body is there when it is whole.
    if place.streams() {
        let promise = "The application gets a body while it comes, and may answer meanwhile.";
        cases.push(case(("bodies", "as-it-comes"), promise, MANUAL, as_it_comes));
    }
    cases
}

fn counted(size: usize) -> Case<Host> {
    let promise = format!("All of a body reaches the application; its length: {size}.");
    case(("bodies", &format!("counted-{size}")), promise, MANUAL, move |run| {
        run.ask("POST /count HTTP/1.1", "", body(size))?.expect(200, size.to_string())
    })
}

fn echoed(size: usize) -> Case<Host> {
    let promise = format!("A body comes back as it was; its length: {size}.");
    case(("bodies", &format!("echoed-{size}")), promise, MANUAL, move |run| {
        run.ask("POST /echo HTTP/1.1", "", body(size))?.expect(200, body(size))
    })
}

/// Bytes of all values, of which no two parts of 251 are interchanged unnoticed.
fn body(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8 ^ (at / 251 % 256) as u8).collect()
}

fn chunked(run: &Run<'_>, path: &str, first: &str, rest: &str, expected: &str) -> Verdict {
    run.get(path)?;
    let mut client = run.client()?;
    client.send(format!("POST {path} HTTP/1.1\r\n{CHUNKED}{first}"))?;
    client.send(rest)?;
    client.answer(false)?.expect(200, expected)?;
    client.is_closed()
}

/// Whether the client sends the rest or not.
fn refused(run: &Run<'_>) -> Verdict {
    run.get("/refuse")?;
    let mut client = run.client()?;
    client.send("PUT /refuse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\nsome")?;
    client.answer(false)?.expect(403, "no\n")
}

fn left(run: &Run<'_>) -> Verdict {
    run.get("/body")?;
    let mut client = run.client()?;
    let path = run.path("/body");
    client.send(format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\nsome"))?;
    run.hears("reading")?;
    drop(client);
    run.hears("left")
}

fn as_it_comes(run: &Run<'_>) -> Verdict {
    run.get("/echo")?;
    let mut client = run.client()?;
    client.send(format!("POST /echo HTTP/1.1\r\n{CHUNKED}5\r\nfirst\r\n"))?;
    let mut came = Vec::new();
    // Framing may be anything; the bytes of the body come in their order.
    while !came.windows(5).any(|five| five == b"first") {
        came.extend(client.take(1).map_err(|problem| problem.when("waiting for the first part to come back"))?);
    }
    client.send("6\r\nsecond\r\n0\r\n\r\n")?;
    let (rest, _) = client.rest()?;
    let is_there = rest.windows(6).any(|six| six == b"second");
    crate::check::holds(is_there, || format!("the second part doesn't come back: `{}`", crate::check::escaped(&rest)))
}
