//! Whatever an upstream says, in whatever pieces: its client gets one answer or the beginning of one.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::closing::{Got, ask};
use super::{Upstream, start};

/// What answers are made of, and what they are not made of.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let known = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 304 Not Modified\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 0\r\n",
        "Content_Length: 7\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close, content-length, transfer-encoding\r\n",
        "Connection: keep-alive\r\n",
        "\r\n",
        "\n",
        "\r",
        "hello",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        "0\r\nA: b\r\n\r\n",
        ": ",
    ])
    .prop_map(|text| text.as_bytes().to_vec());
    let piece = prop_oneof![
        6 => known,
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    // Mostly something that may become an answer.
    let first = prop_oneof![Just(b"HTTP/1.1 200 OK\r\n".to_vec()), Just(Vec::new())];
    (first, prop::collection::vec(piece, 0..10)).prop_map(|(first, rest)| [vec![first], rest].concat())
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
