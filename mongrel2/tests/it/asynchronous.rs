//! The handler library under tokio against a played server.

use mongrel2::config::Protocol;
use mongrel2::handler::{AsyncConnection, Frame, HandlerError, Request};
use mongrel2::wire::request;
use testkit::FakeServer;

use crate::handler::{UUID, message, received, sample};

fn connect(server: &FakeServer) -> AsyncConnection {
    AsyncConnection::connect("handler-id", server.requests_from(), server.replies_to())
        .expect("the addresses are valid")
}

/// What a handler is in: a multi-threaded runtime, so that its futures have to be `Send`.
fn run<F: Future<Output: Send> + Send + 'static>(work: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { tokio::spawn(work).await.unwrap() })
}

#[test]
fn request_and_replies() {
    let server = FakeServer::start();
    run(async move {
        let mut connection = connect(&server);
        let body: Vec<u8> = (0..=255).collect();
        server.send(message(7, "POST", &body));
        let request = connection.recv().await.unwrap();
        assert_eq!((request.id, &request.body), (7, &body));
        connection.reply(&request, &body).await.unwrap();
        assert_eq!(server.recv(), [format!("{UUID} 1:7, ").as_bytes(), &body].concat());
        connection.reply_http(&request, 200, &[], b"hello").await.unwrap();
        assert_eq!(received(&server), "1:7, HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        connection.reply_json(&request, "a").await.unwrap();
        assert_eq!(received(&server), "1:7, \"a\"");
        connection.deliver_websocket(UUID, &[7, 10], &Frame::Text("")).await.unwrap();
        assert_eq!(server.recv(), [format!("{UUID} 4:7 10, ").as_bytes(), b"\x81\0"].concat());
        connection.credits(&request, 1).await.unwrap();
        assert_eq!(received(&server), "3:X 7, 24:3:ctl,14:7:credits,1:1#}]");
        connection.send_file(&request, "film.mp4").await.unwrap();
        assert_eq!(received(&server), "3:X 7, 22:8:sendfile,8:film.mp4,]");
    });
}

#[test]
fn garbage_is_skipped() {
    let server = FakeServer::start();
    run(async move {
        let mut connection = connect(&server);
        server.send(b"uuid 7 /x 5:{}");
        assert!(matches!(connection.recv().await, Err(HandlerError::Message { .. })));
        server.send(request::render_disconnect(Protocol::Tnetstring, UUID, 8));
        assert!(connection.recv().await.unwrap().is_disconnect());
    });
}

#[test]
fn waiting_may_be_given_up() {
    let server = FakeServer::start();
    run(async move {
        let mut connection = connect(&server);
        for id in 1..=100 {
            // Polled once and dropped, whether the message is there or not.
            let early =
                tokio::select! { biased; request = connection.recv() => Some(request.unwrap()), () = async {} => None };
            assert_eq!(early, None);
            server.send(message(id, "GET", b""));
            assert_eq!(connection.recv().await.unwrap().id, id);
        }
    });
}

#[test]
fn many_messages_each_way() {
    let server = FakeServer::start();
    run(async move {
        let mut connection = connect(&server);
        (1..=500).for_each(|id| server.send(message(id, "GET", b"")));
        for id in 1..=500 {
            let request = connection.recv().await.unwrap();
            assert_eq!(request.id, id);
            connection.reply(&request, b"here").await.unwrap();
        }
        for id in 1..=500u64 {
            assert_eq!(received(&server), format!("{}:{id}, here", id.to_string().len()));
        }
    });
}

#[test]
fn first_reply_is_never_lost_and_a_stranger_gets_none() {
    let server = FakeServer::subscribed_to(UUID.as_bytes());
    run(async move {
        for id in 1..=9 {
            connect(&server).reply(&sample(id), b"first").await.unwrap();
            assert_eq!(received(&server), format!("1:{id}, first"));
        }
        let stranger = Request { sender: "another".into(), ..sample(1) };
        let lost = connect(&server).reply(&stranger, b"x").await;
        assert!(matches!(lost, Err(HandlerError::NoServer(uuid)) if uuid == "another"));
    });
}

#[test]
fn server_restarts() {
    let mut server = FakeServer::start();
    run(async move {
        let mut connection = connect(&server);
        for id in 1..=3 {
            server.send(message(id, "GET", b""));
            let request = connection.recv().await.unwrap();
            connection.reply(&request, b"here").await.unwrap();
            assert_eq!(received(&server), format!("1:{id}, here"));
            server.restart();
        }
    });
}

#[test]
fn nothing_is_thrown_away_while_the_server_is_slow() {
    // Far more than ZeroMQ's queues on both sides hold: 10,000 here, 1,000 there.
    const COUNT: u64 = 15_000;
    let context = zmq::Context::new();
    let sub = context.socket(zmq::SUB).unwrap();
    sub.set_subscribe(b"").unwrap();
    sub.set_rcvtimeo(i32::try_from(testkit::wait::DEADLINE.as_millis()).unwrap()).unwrap();
    sub.bind("tcp://127.0.0.1:*").unwrap();
    let address = sub.get_last_endpoint().unwrap().unwrap();
    let body = vec![b'x'; 4096];
    let slow = std::thread::spawn(move || {
        (1..=COUNT).for_each(|id| {
            let message = sub.recv_bytes(0).unwrap();
            let expected = format!("{UUID} {}:{id}, ", id.to_string().len());
            assert!(message.starts_with(expected.as_bytes()), "{id}: {}", message[..60].escape_ascii());
        });
    });
    run(async move {
        let mut connection = AsyncConnection::connect("", "tcp://127.0.0.1:1", &address).unwrap();
        for id in 1..=COUNT {
            connection.reply(&Request { id, ..sample(1) }, &body).await.unwrap();
        }
        // What is queued is lost some time after the connection has gone.
        tokio::task::spawn_blocking(move || slow.join().unwrap()).await.unwrap();
        drop(connection);
    });
}

#[test]
fn malformed_address() {
    let error = run(async { AsyncConnection::connect("", "tcp://nowhere", "tcp://127.0.0.1:1").err().unwrap() });
    assert_eq!(error.to_string(), "there is no way to connect to `tcp://nowhere`: Invalid argument");
}
