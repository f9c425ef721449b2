//! Clients with an upstream's connection of their own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use mongrel2::config::{Proxy, Target};
use mongrel2::wire::control::{Command, Status};
use mongrel2::wire::tnetstring::Value;

use super::{OK, Upstream, site, start};
use crate::harness::{Client, Operator, Running, get};

pub(super) fn pinned(upstream: &Upstream) -> Proxy {
    Proxy { session_cookie: "sid".into(), ..upstream.proxy() }
}

pub(super) fn with_cookie(path: &str, cookie: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n")
}

/// Makes a request without a cookie; gives the cookie that comes back, as a browser sends it, and the connection.
pub(super) fn open(running: &Running, upstream: &Upstream) -> (String, Client) {
    let mut client = running.connect();
    client.send(get("/"));
    let mut link = upstream.accept();
    link.head();
    link.send(OK);
    let answer = client.answer();
    let set = answer.header("set-cookie").unwrap();
    (set.split(';').next().unwrap().to_owned(), link)
}

/// Asks over a connection of its own; the answer comes over `link`.
fn ask(running: &Running, cookie: &str, link: &mut Client) {
    let mut client = running.connect();
    client.send(with_cookie("/again", cookie));
    assert!(link.head().starts_with("GET /again "));
    link.send(OK);
    let answer = client.answer();
    assert_eq!((answer.text().as_str(), answer.header("set-cookie")), ("ok", None));
}

#[test]
fn each_client_has_a_connection_of_its_own() {
    let upstream = Upstream::start();
    let running = start(pinned(&upstream));
    let (one, mut first) = open(&running, &upstream);
    let (two, mut second) = open(&running, &upstream);
    assert_ne!(one, two);
    for _ in 0..3 {
        ask(&running, &one, &mut first);
        ask(&running, &two, &mut second);
    }
    assert!(upstream.is_idle());
}

#[test]
fn the_cookie_is_what_browsers_keep_and_upstreams_do_not_see() {
    let upstream = Upstream::start();
    let running = start(pinned(&upstream));
    let mut client = running.connect();
    client.send(get("/"));
    let mut link = upstream.accept();
    link.head();
    link.send("HTTP/1.1 200 OK\r\nSet-Cookie: sid=theirs\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n");
    let answer = client.answer();
    let set: Vec<_> = answer.headers.iter().filter(|header| header.0 == "Set-Cookie").map(|header| &header.1).collect();
    let [theirs, ours] = set[..] else { panic!("{set:?}") };
    assert_eq!(theirs, "a=b");
    let (cookie, rest) = ours.split_once(';').unwrap();
    assert_eq!(rest, " Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(cookie.len(), "sid=".len() + 32, "128 bits: {cookie}");
    client.send(with_cookie("/", &format!("a=b; {cookie}; c=d")));
    let head = link.head();
    assert!(head.contains("\r\nCookie: a=b; c=d\r\n"), "{head}");
    link.send(OK);
    assert_eq!(client.answer().header("set-cookie"), None);
}

#[test]
fn an_upstream_may_ask_to_see_it() {
    let upstream = Upstream::start();
    let running = start(Proxy { session_forward: true, ..pinned(&upstream) });
    let mut client = running.connect();
    client.send(with_cookie("/", "sid=forged; a=b"));
    let mut link = upstream.accept();
    let head = link.head();
    link.send(OK);
    let cookie = client.answer().header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(head.contains(&format!("\r\nCookie: a=b; {cookie}\r\n")), "{head}");
}

#[test]
fn what_was_not_given_out_opens_nothing() {
    let upstream = Upstream::start();
    let running = start(pinned(&upstream));
    let (cookie, link) = open(&running, &upstream);
    let longer = format!("{cookie}0");
    for forged in ["sid=", "sid=00000000000000000000000000000000", "sid=x", &longer, "SID=x"] {
        let mut client = running.connect();
        client.send(with_cookie("/", forged));
        let mut other = upstream.accept();
        other.head();
        other.send(OK);
        assert!(client.answer().header("set-cookie").is_some(), "{forged}");
    }
    assert!(!link.has_bytes_now());
}

#[test]
fn requests_of_a_session_wait_for_each_other() {
    let upstream = Upstream::start();
    let running = start(pinned(&upstream));
    let (cookie, mut link) = open(&running, &upstream);
    let mut clients: Vec<Client> = (0..3).map(|_| running.connect()).collect();
    clients[0].send(with_cookie("/0", &cookie));
    assert!(link.head().starts_with("GET /0 "));
    for (index, client) in clients.iter_mut().enumerate().skip(1) {
        client.send(with_cookie(&format!("/{index}"), &cookie));
        // It has asked when the server counts it.
        testkit::wait::until("the request to be counted", || {
            (sessions(&running)[0]["requests"] == Value::Integer(index as i64 + 2)).then_some(())
        });
    }
    assert!(!link.has_bytes_now(), "one at a time");
    for (index, client) in clients.iter_mut().enumerate() {
        if index > 0 {
            assert!(link.head().starts_with(&format!("GET /{index} ")));
        }
        link.send(OK);
        assert_eq!(client.answer().text(), "ok");
    }
    assert!(upstream.is_idle());
}

#[test]
fn who_leaves_while_waiting_takes_nobodys_turn() {
    let upstream = Upstream::start();
    let running = start(pinned(&upstream));
    let (cookie, mut link) = open(&running, &upstream);
    let asks = |index: i64| {
        let mut client = running.connect();
        client.send(with_cookie(&format!("/{index}"), &cookie));
        testkit::wait::until("the request to be counted", || {
            (sessions(&running)[0]["requests"] == Value::Integer(index + 1)).then_some(())
        });
        client
    };
    let [mut first, second, third, mut fourth] = [1, 2, 3, 4].map(asks);
    assert!(link.head().starts_with("GET /1 "));
    second.reset();
    third.close();
    testkit::wait::until("both to be gone", || {
        let operator = Operator::connect(running.site.path());
        (operator.status(Status::Net).len() == 2).then_some(())
    });
    link.send(OK);
    assert_eq!(first.answer().text(), "ok");
    assert!(link.head().starts_with("GET /4 "));
    link.send(OK);
    assert_eq!(fourth.answer().text(), "ok");
}

#[test]
fn when_the_server_stops_who_has_asked_is_answered() {
    let upstream = Upstream::start();
    let plain = Target::Proxy(upstream.proxy());
    let mut running = site(pinned(&upstream)).route("/plain/", plain).start();
    let (cookie, mut link) = open(&running, &upstream);
    let mut clients = [1, 2].map(|index| {
        let mut client = running.connect();
        client.send(with_cookie("/", &cookie));
        testkit::wait::until("the request to be counted", || {
            (sessions(&running)[0]["requests"] == Value::Integer(index + 1)).then_some(())
        });
        client
    });
    let [(mut client, mut plain), (mut talker, mut tunnel)] =
        ["", "Connection: Upgrade\r\nUpgrade: x\r\n"].map(|lines| {
            let mut client = running.connect();
            client.send(format!("GET /plain/ HTTP/1.1\r\nHost: x\r\n{lines}\r\n"));
            let mut link = upstream.accept();
            link.head();
            (client, link)
        });
    tunnel.send("HTTP/1.1 101 Now\r\nUpgrade: x\r\n\r\n");
    talker.head();
    running.signal("-TERM");
    running.process.wait_for_stderr("stopping");
    assert!(talker.is_closed() && tunnel.is_closed());
    plain.send(OK);
    assert_eq!(client.answer().text(), "ok");
    for client in &mut clients {
        link.head();
        link.send(OK);
        assert_eq!(client.answer().text(), "ok");
    }
    assert!(link.is_closed());
    assert!(running.process.wait().success());
}

#[test]
fn a_connection_that_the_upstream_drops_is_one_502() {
    let upstream = Upstream::start();
    let running = start(pinned(&upstream));
    for while_it_rests in [true, false] {
        let (cookie, mut link) = open(&running, &upstream);
        let mut client = running.connect();
        if while_it_rests {
            drop(link);
            client.send(with_cookie("/", &cookie));
        } else {
            client.send(with_cookie("/", &cookie));
            link.head();
            drop(link);
        }
        assert_eq!(client.answer().status, 502);
        client.send(with_cookie("/again", &cookie));
        let mut fresh = upstream.accept();
        assert!(fresh.head().starts_with("GET /again "));
        fresh.send(OK);
        let answer = client.answer();
        assert_eq!((answer.text().as_str(), answer.header("set-cookie")), ("ok", None), "the session goes on");
    }
}

#[test]
fn a_client_that_does_not_wait_for_its_answer_keeps_its_connection() {
    let upstream = Upstream::start();
    let running = start(pinned(&upstream));
    let (cookie, mut link) = open(&running, &upstream);
    let mut client = running.connect();
    client.send(with_cookie("/slow", &cookie));
    link.head();
    client.reset();
    link.send(OK);
    ask(&running, &cookie, &mut link);
    assert!(upstream.is_idle());
}

#[test]
fn sessions_survive_a_reload_that_keeps_the_proxy_and_no_other() {
    let upstream = Upstream::start();
    let mut running = start(pinned(&upstream));
    let (cookie, mut link) = open(&running, &upstream);
    running.reload();
    ask(&running, &cookie, &mut link);
    running.change(|config| config.servers[0].hosts[0].routes.clear());
    assert!(link.is_closed());
}

#[test]
fn a_reload_without_the_proxy_lets_a_request_have_its_answer() {
    let upstream = Upstream::start();
    let mut running = start(pinned(&upstream));
    let (cookie, mut link) = open(&running, &upstream);
    let mut clients = [1, 2].map(|index| {
        let mut client = running.connect();
        client.send(with_cookie("/", &cookie));
        testkit::wait::until("the request to be counted", || {
            (sessions(&running)[0]["requests"] == Value::Integer(index + 1)).then_some(())
        });
        client
    });
    link.head();
    running.change(|config| config.servers[0].hosts[0].routes.clear());
    link.send(OK);
    assert_eq!(clients[0].answer().text(), "ok");
    assert!(link.is_closed());
    assert_eq!(clients[1].answer().status, 503, "there is no session any more");
    clients[1].send(get("/"));
    assert_eq!(clients[1].answer().status, 404);
}

#[test]
fn there_are_no_more_sessions_than_allowed() {
    let upstream = Upstream::start();
    let running = site(pinned(&upstream)).setting("limits.sessions", "1").start();
    let (cookie, mut link) = open(&running, &upstream);
    assert_eq!(running.get("/").status, 503);
    running.process.wait_for_stderr("clients without the cookie `sid` are refused: limits.sessions is 1");
    ask(&running, &cookie, &mut link);
}

#[test]
fn sessions_end_when_nobody_uses_them() {
    let upstream = Upstream::start();
    let running = start(Proxy { session_idle: 1, ..pinned(&upstream) });
    let (cookie, mut link) = open(&running, &upstream);
    assert!(link.is_closed());
    let mut client = running.connect();
    client.send(with_cookie("/", &cookie));
    let mut link = upstream.accept();
    link.head();
    link.send(OK);
    assert!(client.answer().header("set-cookie").is_some());
}

#[test]
fn an_upstream_that_is_not_there_leaves_no_sessions() {
    let proxy = Proxy { addr: "127.0.0.1".into(), port: testkit::free_address().port().into(), ..Proxy::default() };
    let running = start(Proxy { session_cookie: "sid".into(), ..proxy });
    let answer = running.get("/");
    assert_eq!((answer.status, answer.header("set-cookie")), (502, None));
    assert_eq!(sessions(&running).len(), 0);
}

#[test]
fn clients_that_never_hear_of_their_sessions_leave_none() {
    let upstream = Upstream::start();
    let running = start(pinned(&upstream));
    for (request, interim) in [
        (get("/"), ""),
        (get("/"), "HTTP/1.1 103 Early Hints\r\n\r\n"),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel".into(), ""),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n".into(), ""),
    ] {
        let mut client = running.connect();
        client.send(&request);
        let mut link = upstream.accept();
        link.head();
        link.send(interim);
        client.reset();
        link.rest();
        testkit::wait::until("no session to be left", || sessions(&running).is_empty().then_some(()));
    }
}

#[test]
fn interim_answers_give_out_no_cookies_in_our_place() {
    let upstream = Upstream::start();
    let running = start(pinned(&upstream));
    let mut client = running.connect();
    client.send(get("/"));
    let mut link = upstream.accept();
    link.head();
    link.send("HTTP/1.1 103 Early Hints\r\nSet-Cookie: sid=theirs\r\nSet-Cookie: a=b\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 103 Early Hints\r\nSet-Cookie: a=b\r\n\r\n");
    link.send(OK);
    assert!(client.answer().header("set-cookie").unwrap().starts_with("sid="));
}

fn sessions(running: &Running) -> Vec<HashMap<String, Value>> {
    let operator = Operator::connect(running.site.path());
    operator.status(Status::Sessions)
}

#[test]
fn operators_list_sessions_and_end_them() {
    let upstream = Upstream::start();
    let running = start(pinned(&upstream));
    let (cookie, mut link) = open(&running, &upstream);
    let rows = sessions(&running);
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((&row["route"], &row["state"]), (&"/".into(), &"idle".into()));
    assert_eq!(row["upstream"], upstream.address().to_string().as_str().into());
    assert!(!format!("{rows:?}").contains(&cookie["sid=".len()..]), "the token is a secret");
    let Value::Integer(number) = row["id"] else { panic!("{row:?}") };
    let operator = Operator::connect(running.site.path());
    operator.ask(&Command::KillSession(number.try_into().unwrap())).unwrap();
    assert!(link.is_closed());
    assert_eq!(sessions(&running).len(), 0);
    assert!(!running.process.stderr().contains(&cookie["sid=".len()..]), "no log has it either");
}

/// An upstream that tells each request who logged in on its connection.
fn stateful() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || {
                let (mut who, mut out) = ("nobody".to_owned(), stream.try_clone().unwrap());
                let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
                while let Some(first) = lines.next() {
                    lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
                    let path = first.split(' ').nth(1).unwrap();
                    if let Some(name) = path.strip_prefix("/login/") {
                        assert_eq!(who, "nobody", "two logins on one connection");
                        who = name.to_owned();
                    }
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{who}", who.len());
                    out.write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    address
}

#[test]
fn many_clients_on_many_connections_and_workers_never_share() {
    let address = stateful();
    let proxy = Proxy { addr: "127.0.0.1".into(), port: address.port().into(), ..Proxy::default() };
    let running = site(Proxy { session_cookie: "sid".into(), ..proxy }).setting("server.workers", "4").start();
    thread::scope(|scope| {
        for person in 0..20 {
            let running = &running;
            scope.spawn(move || {
                let login = running.get(&format!("/login/{person}"));
                let cookie = login.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
                // Each tab has a connection of its own, which may come to any worker.
                let mut tabs: Vec<Client> = (0..4).map(|_| running.connect()).collect();
                for _ in 0..25 {
                    tabs.iter_mut().for_each(|tab| tab.send(with_cookie("/who", &cookie)));
                    for tab in &mut tabs {
                        assert_eq!(tab.answer().text(), person.to_string());
                    }
                }
            });
        }
    });
}
