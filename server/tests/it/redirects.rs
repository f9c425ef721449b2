//! Redirects, and hosts with several names.

use mongrel2::config::{Host, Redirect, Route, Target};

use crate::harness::{Answer, Running, Site, get};

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
    for (path, location) in [
        ("//evil.com", "/evil.com"),
        ("///evil.com/?a=//b", "/evil.com/?a=//b"),
        ("/\\evil.com", "/evil.com"),
        ("/x/\\evil.com", "/x/\\evil.com"),
        ("/%0d%0aX:y", "/%0d%0aX:y"),
    ] {
        assert_eq!(running.get(path).header("location"), Some(location), "{path}");
    }
    for path in ["http://evil.com/", "@evil.com", "/\u{1}"] {
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
