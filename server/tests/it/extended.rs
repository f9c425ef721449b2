//! Extended replies, download flow control, and handlers that all get each request.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use mongrel2::config::{Handler, SendType, Target};
use testkit::wait;

use crate::harness::{Client, Peer, Running, Site, UUID, get, handler};

fn start(handler: Handler, settings: &[(&str, &str)]) -> (Running, Peer) {
    let mut site = Site::new().route("/one", Target::Handler(handler)).file("files/inner/a.txt", "the file");
    for (name, value) in settings {
        site = site.setting(name, value);
    }
    let running = site.start();
    let peer = Peer::connect(running.site.path(), "one");
    (running, peer)
}

fn asked(running: &Running, peer: &Peer) -> (Client, u64) {
    let mut client = running.connect();
    client.send(get("/one"));
    (client, peer.request().id)
}

/// Sends an extended reply whose body is a list of these tnetstrings.
fn extended(peer: &Peer, id: u64, list: &str) {
    let ids = format!("X {id}");
    peer.send(format!("{UUID} {}:{ids}, {}:{list}]", ids.len(), list.len()));
}

fn send_file(peer: &Peer, id: u64, path: &str) {
    extended(peer, id, &format!("8:sendfile,{}:{path},", path.len()));
}

fn with_root() -> Handler {
    Handler { sendfile_root: "/files".into(), ..handler("one") }
}

/// Waits until the error log has said something so often.
fn told(running: &Running, what: &str, times: usize) {
    wait::until(what, || (running.log("error.log").matches(what).count() == times).then_some(()));
}

#[test]
fn a_file_is_sent_in_the_middle_of_an_answer() {
    let (running, peer) = start(with_root(), &[]);
    let (mut client, id) = asked(&running, &peer);
    peer.reply(&[id], "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n<");
    send_file(&peer, id, "inner/a.txt");
    peer.reply(&[id], ">");
    assert_eq!(client.answer().text(), "<the file>");
    client.send(get("/one"));
    peer.request();
    // Here the server has to look at what is in the file.
    fs::write(running.site.path().join("files/answer"), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    send_file(&peer, id, "/answer");
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_large_file_is_sent_whole() {
    let (running, peer) = start(with_root(), &[]);
    let content: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 253) as u8).collect();
    fs::write(running.site.path().join("files/large"), &content).unwrap();
    let (mut client, id) = asked(&running, &peer);
    peer.reply(&[id], format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len()));
    send_file(&peer, id, "large");
    assert!(client.answer().body == content);
}

#[test]
fn no_file_outside_of_the_handlers_folder_is_sent() {
    let (running, peer) = start(with_root(), &[]);
    std::os::unix::fs::symlink("/etc/passwd", running.site.path().join("files/link")).unwrap();
    let (mut client, id) = asked(&running, &peer);
    for path in ["../config.sqlite", "link", "inner", "nothing", "inner/../../run", "", "a\0b"] {
        send_file(&peer, id, path);
    }
    peer.answer(&[id], "still here");
    assert_eq!(client.answer().text(), "still here");
    told(&running, "cannot send the file", 7);

    let (running, peer) = start(handler("one"), &[]);
    let (mut client, id) = asked(&running, &peer);
    send_file(&peer, id, "files/inner/a.txt");
    peer.answer(&[id], "still here");
    assert_eq!(client.answer().text(), "still here");
    told(&running, "no sendfile_root", 1);
}

#[test]
fn what_is_no_extended_reply_is_skipped() {
    let (running, peer) = start(handler("one"), &[]);
    let (mut client, id) = asked(&running, &peer);
    for list in
        ["", "3:ctl,", "3:ctl,2:hi,", "4:frob,0:}", "3:ctl,13:7:credits,1:x,}", "3:ctl,0:}0:~", "8:sendfile,1:1#"]
    {
        extended(&peer, id, list);
    }
    peer.send(format!("{UUID} {}:X {id}, junk", id.to_string().len() + 2));
    peer.answer(&[id], "still here");
    assert_eq!(client.answer().text(), "still here");
    told(&running, "cannot use an extended reply", 8);
}

#[test]
fn a_long_poll_lives_as_long_as_its_handler_says() {
    let limits = [("limits.min_ping", "10"), ("limits.tick_timer", "1"), ("limits.kill_limit", "1")];
    let (running, peer) = start(handler("one"), &limits);
    let (mut kept, kept_id) = asked(&running, &peer);
    let (mut left, left_id) = asked(&running, &peer);
    // Long enough for the other one to be dropped, which this one would be too.
    let notice = loop {
        extended(&peer, kept_id, "3:ctl,17:10:keep-alive,0:~}");
        if let Some(notice) = peer.request_soon() {
            break notice;
        }
    };
    assert!(notice.is_disconnect() && notice.id == left_id);
    assert!(left.is_closed());
    peer.answer(&[kept_id], "at last");
    assert_eq!(kept.answer().text(), "at last");
}

#[test]
fn a_part_of_a_cancelled_answer_does_not_look_like_the_whole() {
    let (running, peer) = start(handler("one"), &[]);
    let mut stream = TcpStream::connect(running.address()).unwrap();
    stream.write_all(b"GET /one HTTP/1.0\r\n\r\n").unwrap();
    let id = peer.request().id;
    let part = "HTTP/1.1 200 OK\r\n\r\na part";
    peer.reply(&[id], part);
    stream.read_exact(&mut vec![0; part.len()]).unwrap();
    extended(&peer, id, "3:ctl,12:6:cancel,0:~}");
    let end = stream.read(&mut [0]);
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset, "only the end of the connection ends the answer");
}

#[test]
fn a_handler_is_told_how_much_the_client_has_taken() {
    let (running, peer) = start(handler("one"), &[("download.flow_control", "1")]);
    let mut client = running.connect();
    client.send(get("/one"));
    let request = peer.request();
    assert_eq!(request.header("DOWNLOAD_CREDITS"), Some("4194304"));
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    peer.reply(&[request.id], answer);
    assert_eq!(client.answer().text(), "hello");
    let notice = peer.request();
    assert_eq!((notice.path.as_str(), &notice.body[..]), ("@*", &br#"{"type":"credits"}"#[..]));
    assert_eq!(notice.header("DOWNLOAD_CREDITS"), Some(&*answer.len().to_string()));
    client.send(get("/one"));
    assert_eq!(peer.request().header("DOWNLOAD_CREDITS"), None, "only the first request tells");
}

#[test]
fn all_handlers_get_a_request_and_answer_in_parts() {
    let all = Handler { send_type: SendType::Pub, ..handler("all") };
    let running = Site::new().route("/all", Target::Handler(all)).start();
    let mut early = running.connect();
    early.send(get("/all?early"));
    // Nobody is there yet: the request waits for the first one.
    let peers: Vec<Peer> = (0..3).map(|_| Peer::subscribe(running.site.path(), "all")).collect();
    let mut seen = [false; 3];
    wait::until("all handlers to be there", || {
        running.connect().send(get("/all?probe"));
        for (seen, peer) in seen.iter_mut().zip(&peers) {
            *seen |= peer.request_now().is_some();
        }
        seen.iter().all(|seen| *seen).then_some(())
    });
    let mut client = running.connect();
    client.send(get("/all?real"));
    let ids: Vec<u64> = peers.iter().map(|peer| real(peer).id).collect();
    assert_eq!((ids[1], ids[2]), (ids[0], ids[0]));
    peers[0].reply(&ids[..1], "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab");
    assert_eq!(client.take(40).len(), 40);
    peers[1].reply(&ids[..1], "cd");
    peers[2].reply(&ids[..1], "ef");
    let mut rest = client.take(4);
    rest.sort_unstable();
    assert_eq!(rest, b"cdef");
    drop(client);
    for peer in &peers {
        while !(peer.request().is_disconnect()) {}
    }
}

/// The request that isn't a probe.
fn real(peer: &Peer) -> mongrel2::wire::request::Request {
    loop {
        let request = peer.request();
        if request.header("QUERY") == Some("real") {
            return request;
        }
    }
}
