//! The handler library against a played server.

use std::collections::HashMap;
use std::time::Duration;

use mongrel2::config::Protocol;
use mongrel2::handler::{Connection, Frame, FrameError, HandlerError, Request, ResponseError};
use mongrel2::wire::reply;
use mongrel2::wire::request::{self, Envelope, Headers};
use testkit::FakeServer;

pub(crate) const UUID: &str = "54c6755b-9628-40a4-9a2d-cc82a816345e";

fn connect(server: &FakeServer) -> Connection {
    Connection::connect("handler-id", server.requests_from(), server.replies_to()).expect("the addresses are valid")
}

pub(crate) fn message(id: u64, method: &str, body: &[u8]) -> Vec<u8> {
    let envelope = Envelope { sender: UUID, id, path: b"/hello" };
    let headers = Headers { client: &[(b"Host", b"localhost")], server: &[("METHOD", method.as_bytes())] };
    request::render(Protocol::Json, &envelope, headers, body)
}

pub(crate) fn sample(id: u64) -> Request {
    request::parse(&message(id, "GET", b"")).expect("it was rendered here")
}

/// What the server gets, with the UUID left out.
pub(crate) fn received(server: &FakeServer) -> String {
    let message = server.recv();
    let rest = message.strip_prefix(format!("{UUID} ").as_bytes()).expect("it starts with the UUID");
    String::from_utf8(rest.to_vec()).expect("these tests send text")
}

#[test]
fn request_and_replies() {
    let server = FakeServer::start();
    let mut connection = connect(&server);
    let body: Vec<u8> = (0..=255).collect();
    server.send(message(7, "POST", &body));
    let request = connection.recv().unwrap();
    assert_eq!((request.sender.as_str(), request.id, request.path.as_str()), (UUID, 7, "/hello"));
    assert_eq!((request.header("host"), request.header("METHOD")), (Some("localhost"), Some("POST")));
    assert_eq!(request.body, body);

    connection.reply(&request, &body).unwrap();
    assert_eq!(server.recv(), [format!("{UUID} 1:7, ").as_bytes(), &body].concat());
    connection.reply_http(&request, 200, &[("X-A", "b")], b"hello").unwrap();
    assert_eq!(received(&server), "1:7, HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello");
    connection.close(&request).unwrap();
    assert_eq!(received(&server), "1:7, ");
    connection.deliver(UUID, &[7, 10], b"all").unwrap();
    assert_eq!(received(&server), "4:7 10, all");
    connection.deliver_http(UUID, &[1, 2], 404, &[], b"no").unwrap();
    assert_eq!(received(&server), "3:1 2, HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
}

#[test]
fn what_the_server_is_told() {
    let server = FakeServer::start();
    let mut connection = connect(&server);
    let request = sample(7);
    connection.keep_alive(&request).unwrap();
    assert_eq!(received(&server), "3:X 7, 31:3:ctl,21:10:keep-alive,4:true!}]");
    connection.credits(&request, 4096).unwrap();
    assert_eq!(received(&server), "3:X 7, 27:3:ctl,17:7:credits,4:4096#}]");
    connection.cancel(&request).unwrap();
    assert_eq!(received(&server), "3:X 7, 26:3:ctl,16:6:cancel,4:true!}]");
    connection.send_file(&request, "film.mp4").unwrap();
    assert_eq!(received(&server), "3:X 7, 22:8:sendfile,8:film.mp4,]");
}

#[test]
fn json_and_websockets() {
    let server = FakeServer::start();
    let mut connection = connect(&server);
    let request = sample(7);
    let value = HashMap::from([("a", 1)]);
    connection.reply_json(&request, &value).unwrap();
    assert_eq!(received(&server), "1:7, {\"a\":1}");
    connection.deliver_json(UUID, &[7, 8], &value).unwrap();
    assert_eq!(received(&server), "3:7 8, {\"a\":1}");
    connection.reply_http_json(&request, 201, &[("X-A", "b")], &value).unwrap();
    let head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-A: b\r\nContent-Length: 7\r\n\r\n";
    assert_eq!(received(&server), format!("1:7, {head}{{\"a\":1}}"));
    connection.deliver_http_json(UUID, &[7, 8], 200, &[("content-type", "application/ld+json")], &value).unwrap();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/ld+json\r\nContent-Length: 7\r\n\r\n";
    assert_eq!(received(&server), format!("3:7 8, {head}{{\"a\":1}}"));

    connection.reply_websocket(&request, &Frame::Text("hi")).unwrap();
    assert_eq!(server.recv(), [format!("{UUID} 1:7, ").as_bytes(), b"\x81\x02hi"].concat());
    connection.deliver_websocket(UUID, &[7, 8], &Frame::Ping(b"")).unwrap();
    assert_eq!(server.recv(), [format!("{UUID} 3:7 8, ").as_bytes(), b"\x89\0"].concat());
    connection.deliver_close(UUID, &[7, 8]).unwrap();
    assert_eq!(received(&server), "3:7 8, ");
}

#[test]
fn only_a_handshake_is_accepted() {
    let server = FakeServer::start();
    let mut connection = connect(&server);
    server.send(message(7, "WEBSOCKET_HANDSHAKE", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    let handshake = connection.recv().unwrap();
    connection.accept_websocket(&handshake, &[("Sec-WebSocket-Protocol", "chat")]).unwrap();
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    assert_eq!(received(&server), format!("1:7, {head}"));

    let other = connection.accept_websocket(&sample(7), &[]);
    assert!(matches!(other, Err(HandlerError::NoHandshake)), "{other:?}");
    let forged = Request { body: b"x\r\nSet-Cookie: a=b".to_vec(), ..handshake.clone() };
    assert!(matches!(connection.accept_websocket(&forged, &[]), Err(HandlerError::Response(_))));
    let long = connection.reply_websocket(&handshake, &Frame::Ping(&[0; 126]));
    assert!(matches!(long, Err(HandlerError::Frame(FrameError::LongControl(126)))), "{long:?}");
    let keys = HashMap::from([(vec![1], 1)]);
    assert!(matches!(connection.reply_json(&handshake, &keys), Err(HandlerError::Json(_))));
    connection.reply(&sample(8), b"nothing of that was sent").unwrap();
    assert_eq!(received(&server), "1:8, nothing of that was sent");
}

#[test]
fn head_gets_no_body() {
    let server = FakeServer::start();
    let mut connection = connect(&server);
    server.send(message(7, "HEAD", b""));
    let request = connection.recv().unwrap();
    connection.reply_http(&request, 200, &[], b"hello").unwrap();
    assert_eq!(received(&server), "1:7, HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
}

#[test]
fn first_reply_is_never_lost() {
    let server = FakeServer::start();
    for id in 1..=50 {
        connect(&server).reply(&sample(id), b"first").unwrap();
        assert_eq!(received(&server), format!("{}:{id}, first", id.to_string().len()));
    }
}

#[test]
fn only_a_matching_subscription_counts() {
    let server = FakeServer::subscribed_to(UUID.as_bytes());
    let mut connection = connect(&server);
    let stranger = Request { sender: "another".into(), ..sample(1) };
    assert!(matches!(connection.reply(&stranger, b"x"), Err(HandlerError::NoServer(uuid)) if uuid == "another"));
    connection.reply(&sample(2), b"y").unwrap();
    assert_eq!(received(&server), "1:2, y");
}

#[test]
fn a_reply_waits_for_a_server_that_starts_later() {
    let mut server = FakeServer::start();
    server.stop();
    let mut connection = connect(&server);
    let replying = std::thread::spawn(move || connection.reply(&sample(3), b"late"));
    server.restart();
    replying.join().unwrap().unwrap();
    assert_eq!(received(&server), "1:3, late");
}

#[test]
fn server_restarts() {
    let mut server = FakeServer::start();
    let mut connection = connect(&server);
    for id in 1..=3 {
        server.send(message(id, "GET", b""));
        let request = connection.recv().unwrap();
        connection.reply(&request, b"here").unwrap();
        assert_eq!(received(&server), format!("1:{id}, here"));
        server.restart();
    }
}

#[test]
fn garbage_is_skipped() {
    let server = FakeServer::start();
    let mut connection = connect(&server);
    for garbage in [&b""[..], b"\0\xff", b"uuid 7 /x 5:{}", b"uuid x /x 2:{},0:,"] {
        server.send(garbage);
        match connection.recv() {
            Err(HandlerError::Message { message, .. }) => assert_eq!(message, garbage),
            other => panic!("{other:?}"),
        }
    }
    server.send(request::render_disconnect(Protocol::Tnetstring, UUID, 8));
    assert!(connection.recv().unwrap().is_disconnect());
}

#[test]
fn timeout() {
    let server = FakeServer::start();
    let mut connection = connect(&server);
    assert_eq!(connection.recv_timeout(Duration::from_millis(1)).unwrap(), None);
    server.send(message(7, "GET", b""));
    assert_eq!(connection.recv_timeout(testkit::wait::DEADLINE).unwrap().unwrap().id, 7);
}

#[test]
fn many_ids_become_several_messages() {
    let server = FakeServer::start();
    let ids: Vec<u64> = (1..=300).collect();
    connect(&server).deliver(UUID, &ids, b"news").unwrap();
    let mut delivered = Vec::new();
    for size in [128, 128, 44] {
        let message = server.recv();
        let part = reply::parse(&message, 128).unwrap();
        assert_eq!((part.ids.len(), part.body), (size, &b"news"[..]));
        delivered.extend(part.ids);
    }
    assert_eq!(delivered, ids);
}

#[test]
fn nothing_is_sent_of_a_split_response() {
    let server = FakeServer::start();
    let mut connection = connect(&server);
    let split = connection.reply_http(&sample(1), 200, &[("Location", "/\r\n\r\nHTTP/1.1 200 OK")], b"");
    assert!(matches!(split, Err(HandlerError::Response(ResponseError::Value(name))) if name == "Location"));
    connection.reply(&sample(2), b"next").unwrap();
    assert_eq!(received(&server), "1:2, next");
}

#[test]
fn malformed_address() {
    let error = Connection::connect("", "tcp://nowhere", "tcp://127.0.0.1:1").err().expect("it has no port");
    assert_eq!(error.to_string(), "there is no way to connect to `tcp://nowhere`: Invalid argument");
}
