//! Long bodies: into a file, or in pieces to the handler.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mongrel2::config::Target;
use mongrel2::wire::request::Request;
use testkit::wait;

use crate::harness::{Client, Peer, Running, Site, UUID, get, handler};

fn start(settings: &[(&str, &str)]) -> (Running, Peer) {
    let running = start_alone(settings);
    let peer = Peer::connect(running.site.path(), "up");
    (running, peer)
}

/// Starts the server without a handler.
fn start_alone(settings: &[(&str, &str)]) -> Running {
    let mut site = Site::new().route("/up", Target::Handler(handler("up"))).setting("limits.content_length", "1000");
    for (name, value) in settings {
        site = site.setting(name, value);
    }
    fs::create_dir(site.path().join("tmp")).unwrap();
    site.start()
}

fn store() -> (Running, Peer) {
    start(&[("upload.temp_store", "tmp/upload.XXXXXX")])
}

fn post(length: usize) -> String {
    format!("POST /up HTTP/1.1\r\nHost: x\r\nX-Mongrel2-Upload-Done: /etc/passwd\r\nContent-Length: {length}\r\n\r\n")
}

fn files(running: &Running) -> Vec<PathBuf> {
    let entries = fs::read_dir(running.site.path().join("tmp")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn grows_to(path: &Path, size: u64) {
    wait::until("the file to grow", || (fs::metadata(path).unwrap().len() == size).then_some(()));
}

#[test]
fn a_long_body_becomes_a_file() {
    let (running, peer) = store();
    let mut client = running.connect();
    client.send(post(3000));
    let begun = peer.request();
    let name = begun.header("x-mongrel2-upload-start").expect("it is told").to_owned();
    let path = running.site.path().join(&name);
    assert_eq!((begun.header("x-mongrel2-upload-done"), &begun.body[..]), (None, &b""[..]));
    assert!(name.starts_with("tmp/upload.") && name.len() == "tmp/upload.XXXXXX".len(), "{name}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    client.send("a".repeat(1500));
    grows_to(&path, 1500);
    client.send("b".repeat(1500));
    let done = peer.request();
    assert_eq!(done.header("x-mongrel2-upload-start"), Some(&*name));
    assert_eq!(done.header("x-mongrel2-upload-done"), Some(&*name));
    assert_eq!((done.header("content-length"), done.body.len()), (Some("3000"), 0));
    assert_eq!(fs::read_to_string(&path).unwrap(), "a".repeat(1500) + &"b".repeat(1500));
    peer.answer(&[done.id], "thanks");
    assert_eq!(client.answer().text(), "thanks");
    client.send("POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(peer.request().body, b"hi", "a short one comes in the message");
    assert_eq!(files(&running).len(), 1, "the file is the handler's");
}

#[test]
fn a_chunked_body_becomes_a_file_and_the_next_request_is_kept_apart() {
    let (running, peer) = store();
    let mut client = running.connect();
    let head = "PUT /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    client.send(head);
    assert_eq!(client.answer().status, 100);
    client.send("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nPOST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nnext");
    peer.request();
    let done = peer.request();
    let path = running.site.path().join(done.header("x-mongrel2-upload-done").unwrap());
    assert_eq!(fs::read_to_string(path).unwrap(), "hello world");
    peer.answer(&[done.id], "1");
    assert_eq!(client.answer().text(), "1");
    assert_eq!(peer.request().body, b"next");
}

#[test]
fn the_rights_are_a_setting() {
    let (running, peer) = start(&[("upload.temp_store", "/tmp/x.XXXXXX"), ("upload.temp_store_mode", "0666")]);
    running.connect().send(post(3000));
    let name = peer.request().header("x-mongrel2-upload-start").unwrap().to_owned();
    assert!(name.starts_with("/tmp/x."), "{name}");
    drop(name);
    // The client has left.
    assert!(peer.request().is_disconnect());
    assert!(files(&running).is_empty());
    let mut client = running.connect();
    client.send(post(3000));
    let name = peer.request().header("x-mongrel2-upload-start").unwrap().to_owned();
    let path = running.site.path().join(name.trim_start_matches('/'));
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o666);
}

#[test]
fn a_kill_or_a_client_that_leaves_removes_the_file() {
    let (running, peer) = store();
    let mut client = running.connect();
    client.send(post(3000));
    let id = peer.request().id;
    peer.reply(&[id], "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    assert_eq!(client.answer().status, 403);
    assert_eq!(files(&running).len(), 1, "the upload goes on until it is killed");
    peer.reply(&[id], "");
    assert!(client.is_closed());
    assert!(peer.request().is_disconnect());
    assert!(files(&running).is_empty());

    let mut client = running.connect();
    client.send(post(3000) + "some of it");
    peer.request();
    drop(client);
    assert!(peer.request().is_disconnect());
    assert!(files(&running).is_empty());
}

#[test]
fn bad_chunks_end_an_upload() {
    let (running, peer) = store();
    let mut client = running.connect();
    client.send("PUT /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n");
    peer.request();
    assert_eq!(client.answer().status, 400);
    assert!(client.is_closed());
    assert!(peer.request().is_disconnect());
    assert!(files(&running).is_empty());
}

#[test]
fn without_either_setting_a_long_body_is_refused() {
    let (running, _peer) = start(&[]);
    assert_eq!(running.ask(post(3000)).status, 413);
}

#[test]
fn a_folder_that_is_missing_is_the_servers_fault() {
    let (running, _peer) = start(&[("upload.temp_store", "nowhere/x.XXXXXX")]);
    assert_eq!(running.ask(post(3000)).status, 500);
    wait::until("the reason", || running.log("error.log").contains("upload.temp_store").then_some(()));
}

/// What tells of an upload in a message: offset, whether it is the last, body.
fn piece(request: &Request) -> (Option<&str>, bool, usize) {
    (request.header("UPLOAD_STREAM"), request.header("UPLOAD_STREAM_DONE") == Some("1"), request.body.len())
}

fn credit(peer: &Peer, id: u64, credits: u64) {
    control(peer, id, &format!("7:credits,{}:{credits}#", credits.to_string().len()));
}

/// Sends an extended reply `ctl`.
fn control(peer: &Peer, id: u64, dict: &str) {
    let list = format!("3:ctl,{}:{dict}}}", dict.len());
    let ids = format!("X {id}");
    peer.send(format!("{UUID} {}:{ids}, {}:{list}]", ids.len(), list.len()));
}

#[test]
fn a_stream_comes_as_fast_as_there_are_credits() {
    let (running, peer) = start(&[("upload.stream", "1")]);
    let mut client = running.connect();
    client.send(post(3000));
    let first = peer.request();
    assert_eq!(piece(&first), (Some("0"), false, 0));
    assert_eq!(first.header("content-length"), Some("3000"));
    client.send("x".repeat(3000));
    credit(&peer, first.id, 1000);
    let second = peer.request();
    assert_eq!(piece(&second), (Some("0"), false, 1000));
    assert_eq!((second.path.as_str(), second.headers.len()), ("/up", 1), "it has no other headers");
    credit(&peer, first.id, 500);
    assert_eq!(piece(&peer.request()), (Some("1000"), false, 500));
    credit(&peer, first.id, 5000);
    assert_eq!(piece(&peer.request()), (Some("1500"), true, 1500));
    peer.answer(&[first.id], "all");
    assert_eq!(client.answer().text(), "all");
}

#[test]
fn what_is_there_comes_with_the_first_message() {
    let (running, peer) = start(&[("upload.stream", "1")]);
    let mut client = running.connect();
    client.send(post(3000) + &"x".repeat(3000));
    let first = peer.request();
    // How much has come with the head is the network's business.
    let here = first.body.len();
    if here < 3000 {
        credit(&peer, first.id, 3000);
        let last = peer.request();
        assert_eq!(piece(&last), (Some(&*here.to_string()), true, 3000 - here));
    } else {
        assert_eq!(piece(&first), (Some("0"), true, 3000));
    }
    peer.answer(&[first.id], "all");
    assert_eq!(client.answer().text(), "all");
}

#[test]
fn a_chunked_stream_ends_with_an_empty_piece() {
    let (running, peer) = start(&[("upload.stream", "1")]);
    let mut client = running.connect();
    client
        .send("PUT /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n");
    let first = peer.request();
    assert_eq!(piece(&first), (Some("0"), false, 0));
    credit(&peer, first.id, 10);
    let (second, third, last) = (peer.request(), peer.request(), peer.request());
    assert_eq!((second.body, third.body), (b"hello".to_vec(), b"world".to_vec()));
    assert_eq!(piece(&last), (Some("10"), true, 0));
    peer.answer(&[first.id], "all");
    assert_eq!(client.answer().text(), "all");
}

#[test]
fn a_client_that_leaves_while_it_waits_for_credits_is_noticed() {
    let (running, peer) = start(&[("upload.stream", "1")]);
    let mut client = running.connect();
    client.send(post(3000) + "some");
    peer.request();
    drop(client);
    assert!(peer.request().is_disconnect());
}

#[test]
fn a_handler_may_answer_early_or_cancel() {
    let (running, peer) = start(&[("upload.stream", "1")]);
    let mut client = running.connect();
    client.send(post(3000));
    let id = peer.request().id;
    peer.answer(&[id], "enough");
    assert_eq!(client.answer().text(), "enough");
    peer.reply(&[id], "");
    assert!(client.is_closed());
    assert!(peer.request().is_disconnect());

    let mut client = running.connect();
    client.send(post(3000));
    let id = peer.request().id;
    control(&peer, id, "6:cancel,0:~");
    assert!(client.is_closed());
    // No notice comes of that one, but in answer to a reply.
    let mut other = running.connect();
    other.send(post(2));
    other.send("hi");
    assert_eq!(peer.request().body, b"hi");
    peer.reply(&[id], "too late");
    let notice = peer.request();
    assert!(notice.is_disconnect() && notice.id == id);
}

#[test]
fn a_hundred_megabytes_arrive() {
    let (running, peer) = store();
    let mut client = running.connect();
    let size = 100 * 1024 * 1024;
    client.send(post(size));
    peer.request();
    let piece: Vec<u8> = (0..1024 * 1024).map(|n: u32| (n % 251) as u8).collect();
    for _ in 0..100 {
        client.send(&piece);
    }
    let done = peer.request();
    let content = fs::read(running.site.path().join(done.header("x-mongrel2-upload-done").unwrap())).unwrap();
    assert!(content.chunks(piece.len()).all(|part| part == piece) && content.len() == size);
    answered(&peer, &mut client, done.id);
}

fn answered(peer: &Peer, client: &mut Client, id: u64) {
    peer.answer(&[id], "ok");
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn what_is_left_of_a_body_is_never_taken_for_a_request() {
    for setting in [("upload.temp_store", "tmp/upload.XXXXXX"), ("upload.stream", "1")] {
        let running = start_alone(&[setting, ("handler.wait", "1")]);
        let mut client = running.connect();
        client.send(post(3000) + "some of it");
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("connection")), (503, Some("close")), "{}", setting.0);
        client.try_send(get("/nowhere"));
        assert_eq!(client.rest(), b"", "{}", setting.0);
        assert!(files(&running).is_empty());
    }
}

#[test]
fn a_file_that_no_handler_takes_does_not_stay() {
    let settings = [("upload.temp_store", "tmp/upload.XXXXXX"), ("handler.wait", "1")];
    let (running, peer) = start(&settings);
    let mut client = running.connect();
    client.send(post(3000));
    peer.request();
    drop(peer);
    // A message that ZeroMQ has for a handler that has just gone is lost.
    let mut probes = Vec::new();
    wait::until("the handler to be gone", || {
        let mut probe = running.connect();
        probe.send(get("/up"));
        probes.push(probe);
        probes.iter().any(Client::has_bytes_now).then_some(())
    });
    client.send("x".repeat(3000));
    assert_eq!(client.answer().status, 503);
    assert!(files(&running).is_empty());
}
