//! Redirects, aliases, error pages and maintenance.

use std::fs;

use mongrel2::config::{Host, Redirect, Route, Target};

use crate::harness::{Answer, Running, Site, get, handler};

fn redirect(to: &str, status: i64) -> Target {
    Target::Redirect(Redirect { to: to.into(), status })
}

fn ask(running: &Running, host: &str, path: &str) -> Answer {
    running.ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
}

#[test]
fn words_become_parts_of_the_request() {
    let running = Site::new()
        .route("/", redirect("https://$host$path$query", 308))
        .route("/old/", redirect("/new", 301))
        .route("/form", redirect("/thanks$query", 303))
        .route("/cost", redirect("https://example.com/$$", 302))
        .route("/now", redirect("http://m.$host$path", 307))
        .start();
    for (path, status, location) in [
        ("/a%20b?c=d&e", 308, "https://example.com/a%20b?c=d&e"),
        ("/", 308, "https://example.com/"),
        ("/?", 308, "https://example.com/?"),
        ("/old/x?y", 301, "/new"),
        ("/form?a=b", 303, "/thanks?a=b"),
        ("/cost", 302, "https://example.com/$"),
        ("/now?x", 307, "http://m.example.com/now"),
    ] {
        let answer = ask(&running, "example.com:6767", path);
        assert_eq!((answer.status, answer.header("location")), (status, Some(location)), "{path}");
        assert_eq!((answer.header("content-length"), answer.header("date").is_some()), (Some("0"), true), "{path}");
    }
    let answer = running.ask("GET /x HTTP/1.0\r\n\r\n");
    assert_eq!(answer.header("location"), Some("https://localhost/x"));
}

#[test]
fn no_client_chooses_another_host() {
    let running = Site::new().route("/", redirect("$path$query", 301)).route("/x/", redirect("/$path", 301)).start();
    for (path, location) in
        [("//evil.com", "/evil.com"), ("///evil.com/?a=//b", "/evil.com/?a=//b"), ("/%0d%0aX:y", "/%0d%0aX:y")]
    {
        assert_eq!(running.get(path).header("location"), Some(location), "{path}");
    }
    for path in ["http://evil.com/", "@evil.com", "/\u{1}", "/\\evil.com", "/x/\\evil.com"] {
        let answer = running.get(path);
        assert!(!answer.header("location").is_some_and(|location| location.contains("evil")), "{path}: {answer:?}");
    }
}

#[test]
fn every_method_is_redirected_and_the_connection_goes_on() {
    let running = Site::new().route("/", redirect("https://example.com$path", 308)).start();
    let mut client = running.connect();
    client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.answer_to_head().header("location"), Some("https://example.com/a"));
    client.send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\nGET /c HTTP/1.1\r\n\r\n\r\n");
    assert_eq!(client.answer().header("location"), Some("https://example.com/b"));
    client.send("DELETE /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(client.answer().header("location"), Some("https://example.com/d"));
    client.send(get("/e"));
    assert_eq!(client.answer().status, 308);
}

#[test]
fn a_reload_changes_redirects() {
    let mut running = Site::new().route("/", redirect("/a", 301)).start();
    assert_eq!(running.get("/").header("location"), Some("/a"));
    running.change(|config| config.servers[0].hosts[0].routes[0].target = redirect("/b", 302));
    assert_eq!((running.get("/").status, running.get("/").header("location")), (302, Some("/b")));
}

#[test]
fn aliases_lead_to_their_host() {
    let mut site = Site::new().files("/").file("static/index.html", "default");
    let route = Route { target: redirect("/other", 301), ..site.server().hosts[0].routes[0].clone() };
    let other = Host {
        name: "other".into(),
        matching: "example.com".into(),
        aliases: vec!["example.org".into(), "(.+).example.net".into(), "www.localhost".into()],
        routes: vec![route],
        ..Host::default()
    };
    site.server().hosts.push(other);
    let running = site.start();
    for (host, status) in [
        ("example.com", 301),
        ("www.example.com", 301),
        ("example.org", 301),
        ("WWW.Example.ORG:80", 301),
        ("a.example.net", 301),
        ("example.net", 200),
        ("localhost", 200),
        ("www.localhost", 301),
    ] {
        assert_eq!(ask(&running, host, "/").status, status, "{host}");
    }
}

/// A host that has a page for each of these errors, and another one.
fn with_pages() -> Site {
    let mut site = Site::new().files("/").file("errors/404.html", "lost").file("errors/413.json", "{\"large\":1}");
    site.server().hosts[0].error_pages = [
        (404, "/errors/404.html".to_owned()),
        (413, "errors/413.json".to_owned()),
        (405, "/errors/missing.html".to_owned()),
    ]
    .into();
    let other =
        Host { name: "other".into(), error_pages: [(400, "/errors/400.txt".to_owned())].into(), ..Host::default() };
    site.server().hosts.push(other);
    site.file("errors/400.txt", "other's")
}

#[test]
fn error_pages_are_files_of_the_host() {
    let running = with_pages().start();
    let answer = running.get("/missing");
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("text/html")));
    assert_eq!(answer.text(), "lost");
    let mut client = running.connect();
    client.send("HEAD /missing HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.answer_to_head().header("content-length"), Some("4"));
    client.send("GET /missing HTTP/1.1\r\nHost: other\r\n\r\n");
    assert!(client.answer().text().contains("<h1>404 Not Found</h1>"));
    // A new version shows at once.
    fs::write(running.site.path().join("errors/404.html"), "still lost").unwrap();
    assert_eq!(running.get("/missing").text(), "still lost");
}

#[test]
fn what_cannot_become_a_request_gets_a_page_too() {
    let mut site = with_pages();
    site.server().hosts[1].error_pages.insert(413, "/errors/400.txt".into());
    let running = site.start();
    let large = |host: &str| format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9999999\r\n\r\n");
    let answer = running.ask(large("localhost"));
    assert_eq!((answer.status, answer.header("content-type")), (413, Some("application/json")));
    assert_eq!(answer.text(), "{\"large\":1}");
    assert_eq!(running.ask(large("other")).text(), "other's");
    // Nobody knows for which host this is, so that it is the default host's.
    let answer = running.ask("GET / HTTP/1.1\r\nHost: other\r\nHost: other\r\n\r\n");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("<h1>400 Bad Request</h1>"), "{}", answer.text());
}

#[test]
fn a_page_that_cannot_be_read_is_said_once() {
    let mut running = with_pages().start();
    let warnings = |running: &Running| running.log("error.log").matches("cannot read `errors/missing.html`").count();
    for _ in 0..3 {
        let answer = running.ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
        assert!(answer.text().contains("<h1>405 Method Not Allowed</h1>"));
    }
    testkit::wait::until("the warning", || (warnings(&running) == 1).then_some(()));
    running.change(|_| {});
    running.ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    testkit::wait::until("the next warning", || (warnings(&running) == 2).then_some(()));
}

#[test]
fn maintenance_has_a_page_and_says_when_to_come_back() {
    let mut site = Site::new().files("/").file("static/index.html", "index").file("errors/503.html", "back soon");
    let host = &mut site.server().hosts[0];
    host.maintenance = true;
    host.error_pages.insert(503, "/errors/503.html".into());
    let mut running = site.start();
    let answer = running.get("/");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("60")));
    assert_eq!(answer.text(), "back soon");
    running.change(|config| drop(config.settings.insert("maintenance.retry_after".into(), "3600".into())));
    assert_eq!(running.get("/").header("retry-after"), Some("3600"));
    running.change(|config| config.servers[0].hosts[0].maintenance = false);
    assert_eq!(running.get("/").text(), "index");
}

#[test]
fn without_a_handler_clients_may_come_back_when_it_has_been_waited_for() {
    for (wait, expected) in [("0", "1"), ("1", "1")] {
        let target = Target::Handler(handler("nobody"));
        let running = Site::new().route("/", target).setting("handler.wait", wait).start();
        let answer = running.get("/");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some(expected)), "{wait}");
    }
}
