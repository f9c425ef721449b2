//! Who is too slow, too many or too silent.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use testkit::wait;

use crate::harness::{Client, Running, Site, get};

/// One second is the shortest tick.
fn start(settings: &[(&str, &str)]) -> Running {
    let site = Site::new().files("/").file("static/index.html", "index").file("static/large", vec![b'x'; 50_000_000]);
    let site = site.setting("limits.tick_timer", "1").setting("server.workers", "1");
    settings.iter().fold(site, |site, (name, value)| site.setting(name, value)).start()
}

/// Sends a byte again and again until the server closes.
fn drip(client: &TcpStream) {
    let mut client = client;
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    wait::until("the server to close", || {
        let sent = client.write_all(b"x");
        match client.read(&mut [0; 100]) {
            Ok(0) => Some(()),
            Ok(_) => None,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => sent.is_err().then_some(()),
            Err(_) => Some(()),
        }
    });
}

#[test]
fn slow_heads_end() {
    let running = start(&[]);
    let mut client = TcpStream::connect(running.address()).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX: ").unwrap();
    drip(&client);
    running.process.wait_for_stderr("too slow while Reading");
}

#[test]
fn slow_bodies_end() {
    let running = start(&[]);
    let mut client = TcpStream::connect(running.address()).unwrap();
    client.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n").unwrap();
    drip(&client);
    running.process.wait_for_stderr("too slow while Reading");
}

#[test]
fn slow_readers_end() {
    let running = start(&[]);
    let mut client = running.connect();
    client.send(get("/large"));
    running.process.wait_for_stderr("too slow while Writing");
    assert!(client.rest().len() < 50_000_000);
}

#[test]
fn the_silent_end_after_min_ping_and_others_do_not() {
    let running = start(&[("limits.min_ping", "10")]);
    let mut silent = running.connect();
    silent.send(get("/"));
    silent.answer();
    let mut busy = running.connect();
    wait::until("the silent one to be closed", || {
        busy.send(get("/"));
        assert_eq!(busy.answer().text(), "index");
        silent.is_closed_now().then_some(())
    });
}

#[test]
fn with_limits_off_the_slow_may_stay() {
    let off = [("limits.min_ping", "0"), ("limits.min_read_rate", "0"), ("limits.min_write_rate", "0")];
    let running = start(&off);
    let mut slow = running.connect();
    slow.send("GET / HTTP/1.1\r\n");
    // Two ticks: another server's slow client has long been dropped by then.
    let other = start(&[]);
    let mut client = TcpStream::connect(other.address()).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    drip(&client);
    slow.send("Host: x\r\n\r\n");
    assert_eq!(slow.answer().text(), "index");
}

#[test]
fn connections_beyond_the_limit_wait_for_room() {
    let running = start(&[("limits.connections", "3")]);
    let mut clients: Vec<Client> = (0..3).map(|_| running.connect()).collect();
    for client in &mut clients {
        client.send(get("/"));
        assert_eq!(client.answer().status, 200);
    }
    let mut fourth = running.connect();
    fourth.send(get("/"));
    clients[0].send(get("/"));
    assert_eq!(clients[0].answer().status, 200, "those that are in are served");
    assert!(!fourth.has_bytes_now());
    clients.pop();
    assert_eq!(fourth.answer().status, 200);
}

#[test]
fn one_address_gets_no_more_than_its_share() {
    let running = start(&[("limits.connections_per_address", "2")]);
    let mut clients: Vec<Client> = (0..2).map(|_| running.connect()).collect();
    for client in &mut clients {
        client.send(get("/"));
        assert_eq!(client.answer().status, 200);
    }
    assert!(running.connect().is_closed());
    let mut other = Client::connect_from([127, 0, 0, 2], running.address());
    other.send(get("/"));
    assert_eq!(other.answer().status, 200);
    drop(clients);
    wait::until("room", || {
        let mut client = running.connect();
        client.try_send(get("/")).then(|| client.try_answer(false)).flatten()
    });
}

#[test]
fn out_of_descriptors_is_a_pause_and_no_end() {
    // 160 files leave 32 for connections; the kernel's backlog holds the others.
    let site = Site::new().files("/").file("static/index.html", "index").setting("server.workers", "1");
    site.save();
    let mut command = std::process::Command::new("sh");
    let server = site.command();
    command.args(["-c", "ulimit -n 160 && exec \"$0\" \"$@\""]).arg(server.get_program()).args(server.get_args());
    let process = testkit::Process::start(command.stdout(std::process::Stdio::null()));
    process.wait_for_stderr("listens on");
    let running = Running::of(site, process);
    let mut clients: Vec<Client> = (0..100).map(|_| running.connect()).collect();
    clients.iter_mut().for_each(|client| client.send(get("/")));
    // Each that has been answered makes room for one that waits.
    for client in clients {
        let mut client = client;
        assert_eq!(client.answer().text(), "index");
    }
}

#[test]
fn two_thousand_clients_at_once_are_all_answered() {
    let running = Site::new().files("/").file("static/index.html", "index").start();
    let mut clients: Vec<Client> = (0..2000).map(|_| running.connect()).collect();
    clients.iter_mut().for_each(|client| client.send(get("/")));
    assert!(clients.iter_mut().all(|client| client.answer().text() == "index"));
}
