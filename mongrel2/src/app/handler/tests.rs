//! What becomes of messages, and what is sent for them, without a server.

use std::path::Path;

use bytes::Bytes;
use tempfile::TempDir;

use super::outbox::{Queue, outbox};
use super::*;
use crate::app::{BodyError, Message, Request, Response, SocketError, WriteError};
use crate::config::Protocol;
use crate::wire::request::{self, Envelope, Headers, parse};

const UUID: &str = "54c6755b";

/// A host to which messages are handed.
struct Played {
    hub: Arc<Hub>,
    queue: Queue,
    folder: TempDir,
}

impl Played {
    fn new() -> Self {
        Self::pinging_after(Duration::from_secs(3600))
    }

    fn pinging_after(ping: Duration) -> Self {
        let (outbox, queue) = outbox();
        let folder = tempfile::tempdir().unwrap();
        let chroot = folder.path().to_owned();
        let options = Options { chroot, window: 10, limit: 2, patience: Duration::from_secs(1), ping };
        Self { hub: Arc::new(Hub::new(options, outbox)), queue, folder }
    }

    fn message(&self, message: &[u8]) -> Option<(Request, Response)> {
        self.hub.take(parse(message).unwrap())
    }

    /// A request of connection 7.
    fn request(&self, client: &[(&str, &str)], server: &[(&str, &str)], body: &str) -> Option<(Request, Response)> {
        let client: Vec<_> = client.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let server: Vec<_> = server.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let envelope = Envelope { sender: UUID, id: 7, path: b"/a" };
        let headers = Headers { client: &client, server: &server };
        self.message(&request::render(Protocol::Json, &envelope, headers, body.as_bytes()))
    }

    fn get(&self) -> (Request, Response) {
        self.request(&[], &[("METHOD", "GET")], "").unwrap()
    }

    fn piece(&self, offset: &str, body: &str, is_last: bool) {
        let headers: [(&str, &[u8]); 2] = [("UPLOAD_STREAM", offset.as_bytes()), ("UPLOAD_STREAM_DONE", b"1")];
        let envelope = Envelope { sender: UUID, id: 7, path: b"/a" };
        let headers = &headers[..1 + usize::from(is_last)];
        assert!(self.message(&request::render_piece(Protocol::Json, &envelope, headers, body.as_bytes())).is_none());
    }

    fn disconnect(&self) {
        assert!(self.message(&request::render_disconnect(Protocol::Json, UUID, 7)).is_none());
    }

    fn credits(&self, bytes: u64) {
        assert!(self.message(&request::render_credits(Protocol::Json, UUID, 7, bytes)).is_none());
    }

    /// A WebSocket, accepted.
    async fn socket(&mut self) -> WebSocketAndRequest {
        let (request, mut response) = self.request(&[], &[("METHOD", "WEBSOCKET_HANDSHAKE")], "key").unwrap();
        assert!(request.is_websocket());
        let socket = response.accept([("sec-websocket-protocol", "chat")]).await.unwrap();
        let head = self.sent().concat();
        assert!(head.starts_with("1:7, HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        assert!(head.contains("sec-websocket-accept: key\r\n") && head.contains("sec-websocket-protocol: chat\r\n"));
        WebSocketAndRequest { socket, _request: request }
    }

    fn frame(&self, flags: &str, body: &str) {
        assert!(self.request(&[], &[("METHOD", "WEBSOCKET"), ("FLAGS", flags)], body).is_none());
    }

    /// What was sent to the server, without its name and without dates.
    fn sent(&mut self) -> Vec<String> {
        let messages = self.queue.take_all();
        messages.iter().map(|message| undated(message.strip_prefix(format!("{UUID} ").as_bytes()).unwrap())).collect()
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, "the body").unwrap();
        path
    }
}

struct WebSocketAndRequest {
    socket: crate::app::WebSocket,
    _request: Request,
}

/// Bytes as text, each a character, without the line of the date.
fn undated(bytes: &[u8]) -> String {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    match text.find("date: ") {
        Some(start) => {
            format!("{}{}", &text[..start], &text[start + "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n".len()..])
        }
        None => text,
    }
}

fn gone(path: &Path) {
    testkit::wait::until("the file to go", || (!path.exists()).then_some(()));
}

const ERROR: &str = "1:7, HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain\r\ncontent-length: 22\r\n\r\n\
                     Internal Server Error\n";
const CANCEL: &str = "3:X 7, 26:3:ctl,16:6:cancel,4:true!}]";

#[tokio::test]
async fn answers() {
    let mut host = Played::new();
    let (request, mut response) = host.request(&[("host", "x")], &[("METHOD", "POST")], "body").unwrap();
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/a"));
    response.write_head(200, [("a", "b")]).await.unwrap();
    response.write("one").await.unwrap();
    response.finish().await.unwrap();
    drop((request, response));
    let head = "1:7, HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(host.sent(), [head, "1:7, 3\r\none\r\n", "1:7, 0\r\n\r\n"]);

    let (mut request, mut response) = host.request(&[], &[("METHOD", "PUT"), ("VERSION", "HTTP/1.0")], "body").unwrap();
    assert_eq!(request.body().collect(4).await.unwrap(), b"body");
    response.write_head(200, ()).await.unwrap();
    response.write("one").await.unwrap();
    response.finish().await.unwrap();
    drop((request, response));
    assert_eq!(host.sent(), ["1:7, HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", "1:7, one", "1:7, "]);

    let (_request, mut response) = host.request(&[], &[("METHOD", "HEAD")], "").unwrap();
    response.send(200, (), "body").await.unwrap();
    assert_eq!(host.sent(), ["1:7, HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"]);
    drop((_request, response));
    assert_eq!((host.sent().len(), host.hub.known()), (0, 0));
}

#[tokio::test]
async fn answers_that_are_not_finished() {
    let mut host = Played::new();
    drop(host.get());
    assert_eq!(host.sent(), [ERROR]);
    drop(host.request(&[], &[("METHOD", "HEAD")], ""));
    assert_eq!(host.sent(), [ERROR.strip_suffix("Internal Server Error\n").unwrap()]);

    for (version, length, expected) in
        [("HTTP/1.1", "", "1:7, "), ("HTTP/1.1", "9", "1:7, "), ("HTTP/1.0", "9", "1:7, "), ("HTTP/1.0", "", CANCEL)]
    {
        let (request, mut response) = host.request(&[], &[("METHOD", "GET"), ("VERSION", version)], "").unwrap();
        let lengths = [("content-length", length)];
        response.write_head(200, if length.is_empty() { &[] } else { &lengths[..] }).await.unwrap();
        response.write("one").await.unwrap();
        drop((request, response));
        assert_eq!(host.sent().last().map(String::as_str), Some(expected), "{version} {length}");
    }
    assert_eq!(host.hub.known(), 0);
}

#[tokio::test]
async fn a_stream_comes_as_it_is_asked_for() {
    let mut host = Played::new();
    let (mut request, mut response) = host.request(&[], &[("METHOD", "PUT"), ("UPLOAD_STREAM", "0")], "first").unwrap();
    assert_eq!(request.body().next().await.unwrap(), Some(Bytes::from("first")));
    assert!(host.sent().is_empty(), "nobody has asked for more");
    // Asking is enough: the waiting may be given up.
    tokio::select! { biased; _ = request.body().next() => panic!("there is no more"), () = async {} => {} }
    assert_eq!(host.sent(), ["3:X 7, 25:3:ctl,15:7:credits,2:10#}]"]);
    host.piece("5", "secon", false);
    host.piece("10", "d", false);
    assert_eq!(request.body().next().await.unwrap(), Some(Bytes::from("secon")));
    assert!(host.sent().is_empty());
    assert_eq!(request.body().next().await.unwrap(), Some(Bytes::from("d")));
    assert_eq!(host.sent(), ["3:X 7, 24:3:ctl,14:7:credits,1:5#}]"]);
    host.piece("11", "", true);
    assert_eq!(request.body().next().await.unwrap(), None);
    assert_eq!(request.body().next().await.unwrap(), None);
    host.sent();
    response.send(204, (), "").await.unwrap();
    drop((request, response));
    assert_eq!(host.sent(), ["1:7, HTTP/1.1 204 No Content\r\n\r\n"]);
    assert_eq!(host.hub.known(), 0);
}

#[tokio::test]
async fn a_stream_that_nobody_wants_ends_the_connection() {
    let mut host = Played::new();
    let (request, mut response) = host.request(&[], &[("METHOD", "PUT"), ("UPLOAD_STREAM", "0")], "").unwrap();
    response.send(204, (), "").await.unwrap();
    drop((request, response));
    assert_eq!(host.sent(), ["1:7, HTTP/1.1 204 No Content\r\n\r\n", "1:7, "]);
    host.piece("0", "late", false);
    assert_eq!(host.sent(), ["1:7, "], "it would wait for credits for ever");
    // All of it in the first message is no stream.
    let server = [("METHOD", "PUT"), ("UPLOAD_STREAM", "0"), ("UPLOAD_STREAM_DONE", "1")];
    let (mut request, _response) = host.request(&[], &server, "all").unwrap();
    assert_eq!(request.body().collect(3).await.unwrap(), b"all");
    drop((request, _response));
    assert_eq!(host.sent(), [ERROR]);
    assert_eq!(host.hub.known(), 0);
}

#[tokio::test]
async fn parts_that_are_missing_are_noticed() {
    let host = Played::new();
    let (mut request, _response) = host.request(&[], &[("METHOD", "PUT"), ("UPLOAD_STREAM", "0")], "first").unwrap();
    host.piece("6", "third", true);
    assert!(matches!(request.body().collect(99).await, Err(BodyError::Lost)));
}

#[tokio::test]
async fn a_client_that_leaves() {
    let mut host = Played::new();
    let (mut request, mut response) = host.request(&[], &[("METHOD", "PUT"), ("UPLOAD_STREAM", "0")], "a").unwrap();
    response.write_head(200, ()).await.unwrap();
    host.disconnect();
    assert_eq!(request.body().next().await.unwrap(), Some(Bytes::from("a")));
    assert!(matches!(request.body().next().await, Err(BodyError::Gone)));
    assert_eq!(response.write("x").await, Err(WriteError::Gone));
    assert_eq!(response.write("x").await, Err(WriteError::Broken));
    host.sent();
    drop((request, response));
    assert_eq!((host.sent().len(), host.hub.known()), (0, 0), "nobody is there to be told");

    let mut socket = host.socket().await.socket;
    host.frame("0x81", "last words");
    host.disconnect();
    assert_eq!(socket.recv().await, Ok(Some(Message::from("last words"))));
    assert_eq!(socket.recv().await, Err(SocketError::Gone));
    assert_eq!(socket.send("x").await, Err(SocketError::Closed));
    drop(socket);
    assert_eq!((host.sent().len(), host.hub.known()), (0, 0));
}

#[tokio::test]
async fn no_more_is_written_than_there_are_credits_for() {
    let mut host = Played::new();
    let (request, mut response) = host.request(&[], &[("METHOD", "GET"), ("DOWNLOAD_CREDITS", "200")], "").unwrap();
    response.write_head(200, [("content-length", "400")]).await.unwrap();
    let head = host.queue.take_all().concat().len() - format!("{UUID} 1:7, ").len();
    let left = 200 - head;
    let writing = tokio::spawn(async move {
        response.write(vec![b'x'; 400]).await.unwrap();
        response.finish().await.unwrap();
        response
    });
    let mut taken = Vec::new();
    while taken.is_empty() {
        tokio::task::yield_now().await;
        taken = host.sent();
    }
    assert_eq!(taken, [format!("1:7, {}", "x".repeat(left))]);
    host.credits(200);
    while host.sent().is_empty() {
        tokio::task::yield_now().await;
    }
    host.credits(1000);
    drop((writing.await.unwrap(), request));
    assert_eq!(host.sent(), [format!("1:7, {}", "x".repeat(200 - left))]);

    // The next request of the connection has what is left: 1400 - head - 400.
    let (_request, mut response) = host.get();
    let writing = tokio::spawn(async move { response.send(200, (), vec![b'y'; 1400]).await });
    let (expected, mut bytes) = (1000 - head, 0);
    while bytes < expected {
        tokio::task::yield_now().await;
        bytes += host.queue.take_all().iter().map(|message| message.len() - UUID.len() - 6).sum::<usize>();
    }
    assert_eq!(bytes, expected);
    host.disconnect();
    assert_eq!(writing.await.unwrap(), Err(WriteError::Gone));
    drop(_request);
    assert_eq!(host.hub.known(), 0);
}

const START: (&str, &str) = ("x-mongrel2-upload-start", "a");
const DONE: (&str, &str) = ("x-mongrel2-upload-done", "a");
const PUT: [(&str, &str); 1] = [("METHOD", "PUT")];

#[tokio::test]
async fn a_file_is_read_once_it_is_whole() {
    let host = Played::new();
    let (mut request, response) = host.request(&[START], &PUT, "").unwrap();
    assert!(request.headers().is_empty(), "it is the host's business");
    tokio::select! { biased; _ = request.body().next() => panic!("it isn't whole"), () = async {} => {} }
    let path = host.file("a");
    assert!(host.request(&[START, DONE], &PUT, "").is_none());
    assert_eq!(request.body().collect(99).await.unwrap(), b"the body");
    gone(&path);
    drop((request, response));
    assert_eq!(host.hub.known(), 0);
}

#[tokio::test]
async fn a_file_that_nobody_reads_is_removed() {
    let mut host = Played::new();
    drop(host.request(&[START], &PUT, ""));
    assert_eq!(host.sent(), [ERROR]);
    assert_eq!(host.hub.known(), 1, "the file is to come");
    let path = host.file("a");
    assert!(host.request(&[START, DONE], &PUT, "").is_none());
    gone(&path);
    // A client that leaves takes its file along, which is the server's to remove.
    let (mut request, _response) = host.request(&[START], &PUT, "").unwrap();
    host.disconnect();
    assert!(matches!(request.body().next().await, Err(BodyError::Gone)));
    drop((request, _response));
    assert_eq!(host.hub.known(), 0);
}

#[tokio::test]
async fn a_file_whose_beginning_was_missed() {
    let host = Played::new();
    let path = host.file("a");
    let (mut request, _response) = host.request(&[START, DONE], &PUT, "").unwrap();
    assert_eq!(request.body().collect(99).await.unwrap(), b"the body");
    gone(&path);
}

#[tokio::test]
async fn no_other_file_is_touched() {
    let mut host = Played::new();
    let outside = tempfile::NamedTempFile::new().unwrap();
    let path = format!("../{}", outside.path().file_name().unwrap().to_str().unwrap());
    for headers in [
        [("x-mongrel2-upload-start", path.as_str()), ("x-mongrel2-upload-done", path.as_str())],
        [START, ("x-mongrel2-upload-done", "b")],
    ] {
        assert!(host.request(&headers, &PUT, "").is_none());
        assert!(host.sent()[0].starts_with("1:7, HTTP/1.1 400 Bad Request\r\n"));
    }
    assert!(outside.path().exists());
    let (mut request, _response) = host.request(&[START, DONE], &PUT, "").unwrap();
    assert!(matches!(request.body().next().await, Err(BodyError::Io(_))), "there is none");
}

#[tokio::test]
async fn websockets() {
    let mut host = Played::new();
    let mut socket = host.socket().await.socket;
    host.frame("0x81", "hi");
    host.frame("0x89", "?");
    host.frame("0x8A", "pong");
    host.frame("0x82", "bytes");
    assert_eq!(socket.recv().await, Ok(Some(Message::from("hi"))));
    socket.send("you").await.unwrap();
    assert_eq!(socket.recv().await, Ok(Some(Message::Binary("bytes".into()))));
    assert_eq!(host.sent(), ["1:7, \u{81}\u{3}you", "1:7, \u{8a}\u{1}?"]);
    host.frame("0x88", "\u{3}\u{0}");
    assert_eq!(socket.recv().await, Err(SocketError::Protocol), "768 is no code");
    assert_eq!(host.sent(), ["1:7, \u{88}\u{2}\u{3}\u{ea}", "1:7, "]);
    assert_eq!(socket.recv().await, Err(SocketError::Closed));
    drop(socket);

    let mut socket = host.socket().await.socket;
    host.frame("0x88", "");
    assert_eq!(socket.recv().await, Ok(None));
    assert_eq!(socket.send("late").await, Err(SocketError::Closed));
    drop(socket);
    assert_eq!(host.sent(), ["1:7, \u{88}\0", "1:7, "]);
    assert_eq!(host.hub.known(), 0);
}

#[tokio::test]
async fn a_websocket_of_a_host_before_this_one_is_closed() {
    let mut played = Played::new();
    played.frame("0x81", "anybody there?");
    assert_eq!(played.sent(), ["1:7, \u{88}\u{2}\u{3}\u{f4}", "1:7, "], "1012");
}

#[tokio::test]
async fn ends_of_websockets() {
    let mut host = Played::new();
    let mut socket = host.socket().await.socket;
    assert_eq!(socket.close(1005, "").await, Err(SocketError::Close));
    assert_eq!(socket.close(1000, &"x".repeat(124)).await, Err(SocketError::Close));
    host.frame("0x81", "not heard any more");
    host.frame("0x88", "");
    socket.close(4000, "bye").await.unwrap();
    assert_eq!(socket.close(4000, "bye").await, Err(SocketError::Closed));
    drop(socket);
    assert_eq!(host.sent(), ["1:7, \u{88}\u{5}\u{f}\u{a0}bye", "1:7, "]);

    drop(host.socket().await.socket);
    assert_eq!(host.sent(), ["1:7, \u{88}\u{2}\u{3}\u{f3}", "1:7, "], "1011");

    let mut socket = host.socket().await.socket;
    (0..2000).for_each(|_| host.frame("0x81", &"x".repeat(1000)));
    assert_eq!(host.sent(), ["1:7, \u{88}\u{2}\u{3}\u{f5}", "1:7, "], "1013");
    let mut heard = 0;
    while let Ok(Some(_)) = socket.recv().await {
        heard += 1;
    }
    assert!((900..1100).contains(&heard), "{heard}");
    drop(socket);
    host.sent();

    let mut socket = host.socket().await.socket;
    host.hub.stop();
    assert_eq!(socket.recv().await, Ok(None));
    assert_eq!(host.sent(), ["1:7, \u{88}\u{2}\u{3}\u{e9}", "1:7, "], "1001");
    // The client answers while the application may still have the socket.
    host.frame("0x88", "\u{3}");
    assert_eq!(host.sent(), [""; 0]);
}

#[tokio::test]
async fn a_websocket_that_a_host_gives_up_as_it_stops_is_closed_as_if_it_had_been_told() {
    let mut host = Played::new();
    let socket = host.socket().await.socket;
    host.hub.stop();
    drop(socket);
    assert_eq!(host.sent(), ["1:7, \u{88}\u{2}\u{3}\u{e9}", "1:7, "], "1001");
}

#[tokio::test]
async fn a_silent_websocket_is_pinged_and_one_that_does_not_answer_has_left() {
    let mut host = Played::pinging_after(Duration::from_millis(1));
    let mut socket = host.socket().await;
    assert_eq!(socket.socket.recv().await, Err(SocketError::Gone));
    assert_eq!(host.sent(), ["1:7, \u{89}\0", CANCEL]);
    assert_eq!(socket.socket.recv().await, Err(SocketError::Closed));
    assert_eq!(socket.socket.send("late").await, Err(SocketError::Closed));
    drop(socket);
    assert_eq!((host.sent().len(), host.hub.known()), (0, 0));
}

#[tokio::test]
async fn whoever_gives_up_receiving_learns_that_a_client_has_left() {
    let mut host = Played::pinging_after(Duration::from_millis(1));
    let mut socket = host.socket().await.socket;
    let end = loop {
        tokio::select! { biased; end = socket.recv() => break end, () = tokio::task::yield_now() => {} }
    };
    assert_eq!((end, host.sent()), (Err(SocketError::Gone), vec!["1:7, \u{89}\0".into(), CANCEL.into()]));
}

#[tokio::test]
async fn what_came_while_nobody_received_was_said_in_time() {
    let mut host = Played::pinging_after(Duration::from_millis(1));
    let mut socket = host.socket().await.socket;
    host.frame("0x81", "hi");
    // The time is what is tried here.
    tokio::time::sleep(Duration::from_millis(3)).await;
    assert_eq!(socket.recv().await, Ok(Some(Message::from("hi"))));
    assert_eq!(host.sent(), [""; 0]);
}

#[tokio::test]
async fn without_a_time_nobody_is_pinged() {
    let mut host = Played::pinging_after(Duration::ZERO);
    let mut socket = host.socket().await.socket;
    for _ in 0..1000 {
        tokio::select! { biased; end = socket.recv() => panic!("{end:?}"), () = tokio::task::yield_now() => {} }
    }
    assert_eq!(host.sent(), [""; 0]);
}

#[tokio::test]
async fn no_websocket_for_who_has_not_asked() {
    let mut host = Played::new();
    let (_request, mut response) = host.get();
    assert_eq!(response.accept(()).await.err(), Some(WriteError::NoWebSocket));
    response.send(426, (), "").await.unwrap();
    assert_eq!(host.sent(), ["1:7, HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n"]);
    // And one who has may be answered otherwise.
    let (_request, mut response) = host.request(&[], &[("METHOD", "WEBSOCKET_HANDSHAKE")], "key").unwrap();
    response.send(403, (), "no").await.unwrap();
    assert_eq!(host.sent().concat(), "1:7, HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n1:7, no");
}

#[tokio::test]
async fn as_many_at_a_time_as_allowed() {
    let mut host = Played::new();
    let (first, _second) = (host.get(), host.get());
    assert!(host.request(&[], &[("METHOD", "GET")], "").is_none());
    assert!(host.sent()[0].starts_with("1:7, HTTP/1.1 503 Service Unavailable\r\n"));
    drop(first);
    drop(host.get());
    host.hub.stop();
    assert!(host.request(&[], &[("METHOD", "GET")], "").is_none());
}

#[tokio::test]
async fn what_is_no_request() {
    let mut host = Played::new();
    for method in ["JSON", "XML"] {
        assert!(host.request(&[], &[("METHOD", method)], "{}").is_none());
    }
    assert!(host.request(&[], &[], "").is_none());
    host.disconnect();
    host.credits(7);
    assert_eq!((host.sent().len(), host.hub.known()), (0, 0));
    assert!(host.request(&[], &[("METHOD", "a b")], "").is_none());
    assert!(host.sent()[0].starts_with("1:7, HTTP/1.1 400 Bad Request\r\n"));
}
