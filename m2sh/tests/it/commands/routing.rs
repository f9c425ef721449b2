//! `m2sh route`: who answers a URL, and why.

use mongrel2::config::Server;
use serde_json::json;

use super::bench::{Bench, server};

fn check(words: &str, expected: &str) {
    let bench = Bench::with(vec![server("test", "f400", 6767)]);
    assert_eq!(bench.m2sh(&format!("route {words}")).prints(), format!("server  test f400 on port 6767\n{expected}"));
}

const NO_HOST: &str = "host    localhost (no host was given, so the default host)\n";

#[test]
fn the_longest_prefix() {
    check(
        "/static/x.css?y",
        &format!(
            "{NO_HOST}tried   /static/: its prefix matches\nroute   /static/\ntarget  dir static/ index index.html\n"
        ),
    );
}

#[test]
fn patterns_are_tried_in_turn() {
    let expected = concat!(
        "tried   /users/(\\d+)$: its prefix matches, its pattern does not\n",
        "tried   /users/(\\l+)$: its prefix and its pattern match\n",
        "route   /users/(\\l+)$\n",
        "target  handler tcp://127.0.0.1:9997 tcp://127.0.0.1:9996 ident 54c6\n",
    );
    check("/users/zed", &format!("{NO_HOST}{expected}"));
}

#[test]
fn a_route_alone() {
    let bench = Bench::empty();
    let told = |words: &str| bench.m2sh(&format!("route {words}")).prints();
    let usage = |words: &str, text: &str| bench.m2sh(words).exits(2).complains(&[text]);
    assert_eq!(
        told("-pattern /a/(\\d+)$ -match /a/7"),
        "`/a/7` matches `/a/(\\d+)$`: its prefix and its pattern match\n"
    );
    assert_eq!(told("-pattern /a/ -match /b"), "`/b` does not match `/a/`: it does not begin with its prefix\n");
    let json = bench.m2sh("route --pattern @chat --match @chat").json();
    assert_eq!(json, json!({"route": "@chat", "path": "@chat", "matches": true, "verdict": "its prefix matches"}));
    usage("route -pattern /( -match /a", "cannot use the route `/(`: its `(` has no `)`");
    usage("route -pattern /a", "--match");
    usage("route -pattern /a -match /a /b", "[URL]");
    usage("route", "URL");
}

#[test]
fn nothing_matches() {
    let expected = concat!(
        "tried   /users/(\\d+)$: its prefix matches, its pattern does not\n",
        "tried   /users/(\\l+)$: its prefix matches, its pattern does not\n",
        "answer  404, no route matches\n",
        "close   /users/(\\d+)$\nclose   /users/(\\l+)$\nclose   /\n",
    );
    check("/users/Z", &format!("{NO_HOST}{expected}"));
}

#[test]
fn a_slash_is_missing() {
    let answer = "tried   /: its prefix matches\nanswer  redirect to /static/, a route that needs its last slash\n";
    check("/static", &format!("{NO_HOST}{answer}"));
}

#[test]
fn hosts_match_from_their_end() {
    check(
        "http://www.example.com:6767/",
        "host    other (`www.example.com` matches `example.com`)\nanswer  404, no route matches\nclose   /old\n",
    );
    check(
        "http://example.net/old/x?y",
        "host    other (`example.net` matches `example.net`)\ntried   /old: its prefix matches\n\
         route   /old\ntarget  redirect 308 https://example.com$path\n",
    );
    check(
        "http://nowhere.org/",
        "host    localhost (no host matches `nowhere.org`, so the default host)\n\
         tried   /: its prefix matches\nroute   /\ntarget  proxy 127.0.0.1:8080\n",
    );
}

#[test]
fn socket_routes() {
    check(
        "@chat",
        "host    localhost (socket messages go to the default host)\ntried   @chat: its prefix matches\n\
         route   @chat\ntarget  handler tcp://127.0.0.1:9997 tcp://127.0.0.1:9996 ident 54c6\n",
    );
}

#[test]
fn a_host_in_maintenance() {
    let mut server: Server = server("test", "f400", 6767);
    server.hosts[0].maintenance = true;
    let answer = Bench::with(vec![server]).m2sh("route /").prints();
    assert!(answer.ends_with("answer  503, the host is in maintenance\n"), "{answer}");
}

#[test]
fn the_port_of_the_url_chooses_the_server() {
    let bench = Bench::with(vec![server("a", "1", 6767), server("b", "2", 6768)]);
    assert!(bench.m2sh("route http://localhost:6768/").prints().starts_with("server  b 2 "));
    bench.m2sh("route http://localhost:1/").exits(1).complains(&["Not sure which server to ask"]);
    assert!(bench.m2sh("route -name a http://localhost:6768/").prints().starts_with("server  a 1 "));
    assert_eq!(bench.m2sh("route -every /").json().as_array().map(Vec::len), Some(2));
}

#[test]
fn as_json() {
    let bench = Bench::with(vec![server("test", "f400", 6767)]);
    let answer = bench.m2sh("route http://localhost:6767/static").json();
    assert_eq!(answer["outcome"], "redirect");
    assert_eq!(answer["location"], "/static/");
    assert_eq!(answer["tried"][0]["path"], "/");
    let answer = bench.m2sh("route /static/").json();
    assert_eq!(answer["route"]["target_type"], "dir");
    assert_eq!(answer["server"], json!({"name": "test", "uuid": "f400", "port": 6767}));
    assert_eq!(bench.m2sh("route /users/1x").json()["closest"][0], "/users/(\\d+)$");
}

#[test]
fn what_is_no_url() {
    let bench = Bench::with(vec![server("test", "f400", 6767)]);
    bench.m2sh("route example.com").exits(2).complains(&["hint: did you mean `http://example.com` or `/example.com`?"]);
}
