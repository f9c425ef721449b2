//! Whatever an upstream says, in whatever pieces: its client gets one answer or the beginning of one.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::closing::{Got, ask};
use super::{Upstream, start};

/// What may be an answer: interim ones, a head, a body; here and there something that belongs nowhere.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let interim = ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n", "\r\n"];
    let lines = [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 204 No\r\n",
        "HTTP/1.1 304 No\r\n",
        "HTTP/1.1 101 Now\r\n",
        "HTTP/1.1 99\r\n",
    ];
    let fields = [
        "Content-Length: 5\r\n",
        "Content-Length: 0\r\n",
        "Content_Length: 7\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close, content-length, transfer-encoding\r\n",
        "Connection: keep-alive\r\n",
        "A: b\r\n",
        "A: b\n",
        " c\r\n",
    ];
    let bodies = [
        "hello",
        "he",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        "0\r\nA: b\r\n\r\n",
        "\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    ];
    let parts = (some(&interim, 0..2), some(&lines, 1..2), some(&fields, 0..3), some(&bodies, 0..4));
    let whole =
        parts.prop_map(|(interim, line, fields, body)| [interim, line, fields, vec![b"\r\n".to_vec()], body].concat());
    let stray = prop::option::weighted(0.2, (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..9)));
    (whole, stray).prop_map(|(mut pieces, stray)| {
        if let Some((place, bytes)) = stray {
            pieces.insert(place.index(pieces.len() + 1), bytes);
        }
        pieces
    })
}

/// So many of these.
fn some(of: &[&str], count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vec<u8>>> + use<> {
    let of: Vec<Vec<u8>> = of.iter().map(|text| text.as_bytes().to_vec()).collect();
    prop::collection::vec(prop::sample::select(of), count)
}

#[test]
fn becomes_one_answer() {
    let upstream = Upstream::start();
    let running = start(upstream.proxy());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(300) });
    let requests = ["GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"];
    let strategy = (prop::sample::select(requests.to_vec()), pieces(), any::<bool>());
    let result = runner.run(&strategy, |(request, pieces, at_once)| {
        let got = ask(&running, request, || {
            // One that rests may have been closed by the test before.
            let mut link = upstream.accept();
            link.head();
            if at_once {
                link.try_send(pieces.concat());
            } else {
                let _ = pieces.iter().all(|piece| link.try_send(piece));
            }
            link.close();
        });
        let is_sane = !matches!(got, Got::Nonsense(_));
        prop_assert!(is_sane, "{got:?}");
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(!running.process.stderr().contains("panicked"));
}
