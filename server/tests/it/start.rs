//! What can go wrong at the start, and what the server says about it.

use std::fs;
use std::net::TcpListener;
use std::process::Output;

use mongrel2::config::{Handler, Target};

use crate::harness::{Client, Site, UUID, get, handler};

fn output(site: &Site) -> Output {
    site.command().output().unwrap()
}

fn check(site: &Site, message: &str, hint: &str) {
    let output = output(site);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("mongrel2: cannot start: {message}")), "{stderr}");
    let last = stderr.lines().last().unwrap();
    assert!(last.starts_with("hint: ") && last.contains(hint), "{stderr}");
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut site = Site::new();
    site.server().port = taken.local_addr().unwrap().port().into();
    site.save();
    check(&site, "cannot listen on 127.0.0.1:", "ss -ltnp");
}

#[test]
fn an_address_for_metrics_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::new().setting("metrics.listen", &taken.local_addr().unwrap().to_string());
    site.save();
    check(&site, "cannot show metrics at 127.0.0.1:", "ss -ltnp");
}

#[test]
fn a_second_start() {
    let running = Site::new().start();
    check(&running.site, &format!("the server is already running as process {}", running.process.id()), "m2sh reload");
    assert_eq!(running.get("/").status, 404, "the first one goes on");
}

#[test]
fn a_stale_pid_file_does_not_matter() {
    let site = Site::new().file("run/mongrel2.pid", "1\n");
    assert_eq!(site.start().get("/").status, 404);
}

#[test]
fn missing_folders() {
    for folder in ["logs", "run"] {
        let site = Site::new();
        site.save();
        fs::remove_dir(site.path().join(folder)).unwrap();
        check(&site, "cannot ", &format!("mkdir -p {folder}"));
    }
    let mut site = Site::new();
    site.server().chroot = "/nowhere/at/all".into();
    site.save();
    check(&site, "cannot enter the chroot `/nowhere/at/all`", "mkdir -p /nowhere/at/all");
}

#[test]
fn an_address_in_use_by_another_handler() {
    let context = zmq::Context::new();
    let other = context.socket(zmq::PUSH).unwrap();
    other.bind("tcp://127.0.0.1:*").unwrap();
    let mut handler = handler("x");
    handler.send_spec = other.get_last_endpoint().unwrap().unwrap();
    let site = Site::new().route("/x", Target::Handler(handler));
    site.save();
    check(&site, "cannot bind the handler address `tcp://127.0.0.1:", "another program has this address");
}

#[test]
fn databases_that_are_none() {
    let site = Site::new();
    check(&site, "cannot read", "m2sh load");
    let site = Site::new().file("config.sqlite", "not a database, but long enough to be one");
    let stderr = String::from_utf8(output(&site).stderr).unwrap();
    assert!(stderr.contains("is not a SQLite database"), "{stderr}");
}

#[test]
fn a_configuration_that_is_not_sound() {
    let mut site = Site::new();
    site.server().port = 0;
    site.server().default_host = "nobody".into();
    site.save();
    let stderr = String::from_utf8(output(&site).stderr).unwrap();
    for message in ["server `test`: 0 is not a TCP port", "no host has the name `nobody`"] {
        assert!(stderr.contains(message), "{stderr}");
    }
    let mut site = Site::new();
    site.server().uuid = "other".into();
    site.save();
    check(
        &site,
        &format!("`{}/config.sqlite` has no server with the uuid `{UUID}`", site.path().display()),
        "m2sh servers",
    );
}

#[test]
fn a_database_that_handlers_could_have_sent() {
    let handler = Handler {
        send_spec: "ipc://run/requests".into(),
        send_ident: "x".into(),
        recv_spec: "ipc://run/replies".into(),
        sendfile_root: "/static".into(),
        ..Handler::default()
    };
    let site = Site::new().route("/", Target::Handler(handler)).file("static/x", "");
    site.save();
    let moved = site.path().join("static/config.sqlite");
    fs::rename(site.path().join("config.sqlite"), &moved).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mongrel2")).arg(&moved).arg(UUID).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("a sendfile_root of server"), "{stderr}");
}

#[test]
fn a_database_below_a_dir_is_not_served() {
    let site = Site::new().files("/").file("static/page.html", "page");
    site.save();
    fs::hard_link(site.path().join("config.sqlite"), site.path().join("static/config.sqlite")).unwrap();
    fs::hard_link(site.path().join("config.sqlite"), site.path().join("static/link")).unwrap();
    let running = site.start();
    for path in ["/config.sqlite", "/config.sqlite-journal", "/link"] {
        assert_eq!(running.get(path).status, 404, "{path}");
    }
    assert_eq!(running.get("/page.html").status, 200);
}

#[test]
fn wrong_arguments() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mongrel2")).arg("x").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("hint: mongrel2 config.sqlite UUID"));
}

#[test]
fn addresses_of_ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: addresses_of_ipv6 needs IPv6");
        return;
    }
    let started = |address: &str| {
        let mut site = Site::new();
        site.server().bind_addr = address.into();
        site.start()
    };
    let request = "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n";
    assert_eq!(started("::1").ask(request).status, 404);
    let every = started("::");
    for address in ["::1", "127.0.0.1"] {
        let mut client = Client::connect((address.parse::<std::net::IpAddr>().unwrap(), every.address().port()).into());
        client.send(request);
        assert_eq!(client.answer().status, 404);
        testkit::wait::until("the access line", || {
            every.log("access.log").contains(&format!("{}:{address},", address.len())).then_some(())
        });
    }
}

#[test]
fn drain_timeout_is_all_that_a_client_gets() {
    let mut running = Site::new().setting("server.drain_timeout", "1").start();
    let mut client = running.connect();
    // The answer to the first request shows that the server has read what it has of the second.
    client.send([&get("/"), "GET / HTTP/1.1\r\nHost: never fin"].concat());
    assert_eq!(client.answer().status, 404);
    let began = std::time::Instant::now();
    running.signal("-TERM");
    assert!(running.process.wait().success());
    assert!(began.elapsed() >= std::time::Duration::from_secs(1));
    assert!(client.is_closed());
    assert!(running.process.stderr().contains("1 connections were closed in the middle of a request"));
}
