//! Reloads: nobody is dropped, and what is wrong changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use mongrel2::config::{Route, Target};

use crate::harness::{Client, Peer, Running, Site, files, free_address, get, handler};
use crate::websocket;

fn start() -> Running {
    Site::new().files("/").file("static/index.html", "index").route("/one", Target::Handler(handler("one"))).start()
}

fn route(path: &str, target: Target) -> Route {
    Route { path: path.into(), reversed: false, target }
}

#[test]
fn a_hundred_reloads_under_fifty_connections_fail_no_request() {
    let mut running = start();
    let peer = Peer::connect(running.site.path(), "one");
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..50)
        .map(|number| {
            let mut client = running.connect();
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let (path, expected) = if number % 5 == 0 { ("/one", "hello") } else { ("/", "index") };
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    client.send(get(path));
                    let answer = client.answer();
                    assert_eq!((answer.status, answer.text().as_str()), (200, expected));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let handler_stop = Arc::clone(&stop);
    let handling = thread::spawn(move || {
        while !handler_stop.load(Ordering::Relaxed) {
            let request = peer.request();
            if !request.is_disconnect() {
                peer.answer(&[request.id], "hello");
            }
        }
        // So that the clients that still wait see the end, too.
        peer
    });
    for round in 0..100 {
        let before = answered.load(Ordering::Relaxed);
        running.change(|config| {
            let routes = &mut config.servers[0].hosts[0].routes;
            routes.truncate(2);
            if round % 2 == 0 {
                routes.push(route("/two", Target::Handler(handler("two"))));
                routes.push(route("/more", files()));
            }
        });
        testkit::wait::until("traffic", || (answered.load(Ordering::Relaxed) > before).then_some(()));
    }
    stop.store(true, Ordering::Relaxed);
    let peer = handling.join().unwrap();
    // Whoever sent a request just before gets an answer, too.
    let finishing = thread::spawn(move || clients.into_iter().for_each(|client| client.join().unwrap()));
    while !finishing.is_finished() {
        if let Some(request) = peer.request_now()
            && !request.is_disconnect()
        {
            peer.answer(&[request.id], "hello");
        }
    }
    finishing.join().unwrap();
    assert!(!running.process.stderr().contains("cannot reload"));
}

#[test]
fn new_routes_serve_and_old_ones_are_gone() {
    let mut running = start();
    let mut client = running.connect();
    client.send(get("/new/"));
    assert_eq!(client.answer().status, 404);
    running.change(|config| config.servers[0].hosts[0].routes[0].path = "/new/".into());
    client.send(get("/new/"));
    assert_eq!(client.answer().text(), "index", "on the same connection");
    assert_eq!(running.get("/").status, 404);
}

#[test]
fn a_long_poll_survives() {
    let mut running = start();
    let peer = Peer::connect(running.site.path(), "one");
    let mut client = running.connect();
    client.send(get("/one"));
    let id = peer.request().id;
    running.change(|config| {
        let routes = &mut config.servers[0].hosts[0].routes;
        routes.insert(0, route("/two", Target::Handler(handler("two"))));
    });
    peer.answer(&[id], "patience");
    assert_eq!(client.answer().text(), "patience");
    let other = Peer::connect(running.site.path(), "two");
    client.send(get("/two"));
    other.answer(&[other.request().id], "new");
    assert_eq!(client.answer().text(), "new");
}

#[test]
fn a_handler_that_went_and_comes_back_works() {
    let mut running = start();
    for round in 0..5 {
        running.change(|config| {
            let routes = &mut config.servers[0].hosts[0].routes;
            routes.retain(|route| route.path != "/one");
            if round % 2 == 1 {
                routes.push(route("/one", Target::Handler(handler("one"))));
            }
        });
    }
    running.change(|config| config.servers[0].hosts[0].routes.push(route("/one", Target::Handler(handler("one")))));
    let peer = Peer::connect(running.site.path(), "one");
    let mut client = running.connect();
    client.send(get("/one"));
    peer.answer(&[peer.request().id], "back");
    assert_eq!(client.answer().text(), "back");
}

#[test]
fn another_port_is_another_listener_and_old_connections_stay() {
    let mut running = start();
    let mut client = running.connect();
    client.send(get("/"));
    client.answer();
    let old = running.address();
    let new = free_address();
    running.change(|config| config.servers[0].port = new.port().into());
    assert_eq!(running.get("/").text(), "index");
    client.send(get("/"));
    assert_eq!(client.answer().text(), "index");
    testkit::wait::until("the old port to close", || std::net::TcpStream::connect(old).is_err().then_some(()));
}

#[test]
fn what_is_wrong_changes_nothing_and_is_told() {
    let mut running = start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = running.site.server().port;
    let taken_port = taken.local_addr().unwrap().port().into();
    let check = |running: &mut Running, change: &dyn Fn(&mut mongrel2::config::Config), message: &str| {
        running.change(change);
        let log = running.process.stderr();
        let last = log.lines().rfind(|line| line.contains("cannot reload")).expect("the reload is refused").to_owned();
        assert!(last.contains(message), "{last}");
        // The configuration in the test has moved on, the server hasn't.
        let mut client = Client::connect(std::net::SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap())));
        client.send(get("/"));
        assert_eq!(client.answer().text(), "index");
    };
    check(&mut running, &|config| config.servers[0].port = taken_port, "Address already in use");
    check(&mut running, &|config| config.servers[0].port = 0, "0 is not a TCP port");
    check(
        &mut running,
        &|config| {
            config.servers[0].port = port;
            config.servers[0].uuid = "another".into();
        },
        "no server with the uuid",
    );
    std::fs::write(running.site.path().join("config.sqlite"), "nonsense").unwrap();
    running.reload();
    assert!(running.process.stderr().contains("is not a SQLite database"));
    running.site.server().uuid = crate::harness::UUID.into();
    std::fs::remove_file(running.site.path().join("config.sqlite")).unwrap();
    running.change(|_| {});
    assert_eq!(running.get("/").text(), "index");
}

#[test]
fn a_log_that_was_moved_away_is_opened_anew() {
    let mut running = start();
    let logs = running.site.path().join("logs");
    std::fs::rename(logs.join("error.log"), logs.join("error.log.1")).unwrap();
    running.reload();
    testkit::wait::until("the new log", || running.log("error.log").contains("reloaded in").then_some(()));
}

/// Clients that wait at a handler: long polls and WebSockets in turn, with the ids of their connections.
fn crowd(running: &Running, peer: &Peer, name: &str, count: usize) -> Vec<(Client, u64)> {
    (0..count)
        .map(|number| {
            let path = format!("/{name}");
            if number % 2 == 1 {
                return websocket::open(running, peer, &path);
            }
            let mut client = running.connect();
            client.send(get(&path));
            (client, peer.request().id)
        })
        .collect()
}

/// Checks that each client still gets what a handler sends, and answers if it is a WebSocket.
fn all_live(crowd: &mut [(Client, u64)], peer: &Peer) {
    for (number, (client, id)) in crowd.iter_mut().enumerate() {
        if number % 2 == 0 {
            peer.answer(&[*id], "late");
            assert_eq!(client.answer().text(), "late");
        } else {
            peer.reply(&[*id], b"\x81\x02up");
            assert_eq!(client.take(4), b"\x81\x02up");
            client.send(b"\x81\x82\0\0\0\0hi");
            let message = peer.request();
            assert_eq!((message.id, &message.body[..]), (*id, &b"hi"[..]));
        }
    }
}

#[test]
fn only_the_connections_of_a_removed_handler_are_closed() {
    let routed = |name: &str| route(&format!("/{name}"), Target::Handler(handler(name)));
    let mut site = Site::new().setting("upload.temp_store", "run/upload.XXXXXX");
    site.server().hosts[0].routes = ["kept", "moved", "gone"].map(routed).into();
    let mut running = site.start();
    let peers = ["kept", "moved", "gone"].map(|name| Peer::connect(running.site.path(), name));
    let crowd_of = |number: usize, name| crowd(&running, &peers[number], name, 700);
    let [mut kept, mut moved, mut gone] = [crowd_of(0, "kept"), crowd_of(1, "moved"), crowd_of(2, "gone")];
    let mut uploading = running.connect();
    uploading.send("POST /kept HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n");
    peers[0].request();

    running.change(|config| {
        let routes = &mut config.servers[0].hosts[0].routes;
        routes.truncate(1);
        let moved = mongrel2::config::Handler { send_ident: handler("moved").send_ident, ..handler("moved-on") };
        routes.push(route("/moved", Target::Handler(moved)));
        routes.push(route("/added", files()));
    });

    for (number, (client, _)) in gone.iter_mut().enumerate() {
        if number % 2 == 0 {
            assert_eq!(client.answer().status, 503);
        } else {
            assert_eq!(
                client.take(4),
                websocket::close_frame(1001),
                "a WebSocket is told that the server goes away (1001)"
            );
        }
        assert!(client.is_closed());
    }
    let mut told: Vec<u64> =
        gone.iter().map(|_| peers[2].request()).inspect(|n| assert!(n.is_disconnect())).map(|n| n.id).collect();
    let mut ids: Vec<u64> = gone.iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    told.sort_unstable();
    assert!(told == ids, "each of the removed handler's connections is told of once");
    all_live(&mut kept, &peers[0]);
    all_live(&mut moved, &Peer::connect(running.site.path(), "moved-on"));
    uploading.send("x".repeat(30000));
    let done = peers[0].request();
    assert!(done.header("x-mongrel2-upload-done").is_some());
    peers[0].answer(&[done.id], "thanks");
    assert_eq!(uploading.answer().text(), "thanks");
}
