//! A Dir, as clients see it.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use mongrel2::config::Target;

use crate::harness::{Running, Site, files, get};

fn start() -> Running {
    Site::new()
        .files("/")
        .files("/static/")
        .files("/some/(.*.txt)$")
        .file("static/index.html", "<p>index</p>")
        .file("static/a b.txt", "blank")
        .file("static/x.unknown", "unknown")
        .file("static/sub/index.html", "sub")
        .file("static/large", vec![b'x'; 3_000_000])
        .file("secret", "secret")
        .start()
}

#[test]
fn what_is_served_and_as_what() {
    let running = start();
    for (path, status, mimetype, body) in [
        ("/", 200, "text/html", "<p>index</p>"),
        ("/static/index.html", 200, "text/html", "<p>index</p>"),
        ("/a%20b.txt", 200, "text/plain", "blank"),
        ("/x.unknown", 200, "text/plain", "unknown"),
        ("/some/a%20b.txt", 200, "text/plain", "blank"),
        ("/index.html?a=b", 200, "text/html", "<p>index</p>"),
        ("/sub/", 200, "text/html", "sub"),
    ] {
        let answer = running.get(path);
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{path}");
        assert_eq!(answer.header("content-type"), Some(mimetype), "{path}");
    }
    for (path, status) in [
        ("/missing", 404),
        ("/some/index.html", 404),
        ("/index.html/", 404),
        ("/../secret", 404),
        ("/%2e%2e/secret", 404),
        ("/static/..%2f..%2fsecret", 404),
        ("//etc/passwd", 404),
        ("/%00", 400),
        ("/%zz", 400),
    ] {
        assert_eq!(running.get(path).status, status, "{path}");
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let running = start();
    let mut client = running.connect();
    client.send("HEAD /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = client.answer_to_head();
    assert_eq!((head.status, head.header("content-length")), (200, Some("3000000")));
    client.send(get("/sub/"));
    assert_eq!(client.answer().text(), "sub", "the connection goes on");
}

#[test]
fn a_large_file_comes_whole() {
    let running = start();
    let mut client = running.connect();
    for _ in 0..2 {
        client.send(get("/large"));
        assert_eq!(client.answer().body, vec![b'x'; 3_000_000]);
    }
}

#[test]
fn missing_slashes_are_redirected_with_their_query() {
    let running = start();
    for (path, location) in [("/sub?a=b", "/sub/?a=b"), ("/static", "/static/"), ("/static?x", "/static/?x")] {
        let answer = running.get(path);
        assert_eq!((answer.status, answer.header("location")), (301, Some(location)), "{path}");
    }
}

#[test]
fn a_reversed_route_is_looked_up_by_the_whole_path() {
    let mut site = Site::new().files("(.*).txt").file("static/sub/a.txt", "text");
    site.server().hosts[0].routes[0].reversed = true;
    assert_eq!(site.start().get("/sub/a.txt").text(), "text");
}

#[test]
fn a_redirect_never_leads_to_another_host() {
    let running = Site::new().files("/").file("static/example.com/index.html", "x").start();
    assert_eq!(running.get("//example.com").header("location"), Some("/example.com/"));
}

#[test]
fn conditions() {
    let running = start();
    let modified = UNIX_EPOCH + Duration::from_secs(784_111_777);
    fs::File::open(running.site.path().join("static/index.html")).unwrap().set_modified(modified).unwrap();
    let answer = running.get("/");
    assert_eq!(answer.header("last-modified"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    let etag = answer.header("etag").unwrap().to_owned();
    for (condition, status) in [
        (format!("If-None-Match: {etag}"), 304),
        (format!("If-None-Match: \"a\", W/{etag}"), 304),
        ("If-None-Match: \"a\"".into(), 200),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT".into(), 304),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT".into(), 200),
        ("If-None-Match: \"a\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT".into(), 200),
    ] {
        let answer = running.ask(format!("GET / HTTP/1.1\r\nHost: x\r\n{condition}\r\n\r\n"));
        assert_eq!(answer.status, status, "{condition}");
        assert_eq!(answer.header("etag"), Some(etag.as_str()));
    }
}

#[test]
fn other_methods_are_not_allowed_and_their_bodies_are_no_requests() {
    let running = start();
    let mut client = running.connect();
    let body = get("/missing");
    client.send(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    client.send(get("/sub/"));
    assert_eq!(client.answer().text(), "sub");
}

#[test]
fn cache_ttl_is_told() {
    let mut site = Site::new().file("static/index.html", "x");
    let Target::Dir(mut dir) = files() else { unreachable!() };
    dir.cache_ttl = 60;
    site = site.route("/", Target::Dir(dir));
    assert_eq!(site.start().get("/").header("cache-control"), Some("max-age=60"));
}

#[test]
fn a_file_that_may_not_be_read_is_forbidden() {
    use std::os::unix::fs::PermissionsExt;
    let running = start();
    let path = running.site.path().join("static/sub/index.html");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Nothing is unreadable for root.
    let expected = if fs::read(&path).is_ok() { 200 } else { 403 };
    assert_eq!(running.get("/sub/").status, expected);
}

fn ask(running: &Running, headers: &str) -> crate::harness::Answer {
    running.ask(format!("GET /digits HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n"))
}

#[test]
fn parts_of_files_small_and_large() {
    let large: String = (0..50_000).map(|number| format!("{number:010}")).collect();
    for content in ["0123456789", large.as_str()] {
        let running = Site::new().files("/").file("static/digits", content).start();
        let size = content.len();
        let etag = running.get("/digits").header("etag").unwrap().to_owned();
        for (headers, range) in [
            ("Range: bytes=2-4".to_owned(), 2..5),
            ("Range: bytes=7-".into(), 7..size),
            ("Range: bytes=-3".into(), size - 3..size),
            (format!("Range: bytes=0-0\r\nIf-Range: {etag}"), 0..1),
        ] {
            let answer = ask(&running, &headers);
            assert_eq!((answer.status, answer.text().as_str()), (206, &content[range.clone()]), "{headers}");
            let told = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            assert_eq!(answer.header("content-range"), Some(told.as_str()));
        }
        for headers in ["Range: bytes=2-4\r\nIf-Range: \"old\"", "Range: lines=2-4", "Range: bytes=4-2"] {
            let answer = ask(&running, headers);
            assert_eq!((answer.status, answer.body.len()), (200, size), "{headers}");
        }
        let answer = ask(&running, "Range: bytes=99999999-");
        assert_eq!((answer.status, answer.header("content-range")), (416, Some(format!("bytes */{size}").as_str())));
    }
}

#[test]
fn several_parts_come_as_multipart() {
    let running = Site::new().files("/").file("static/digits", "0123456789").start();
    let answer = ask(&running, "Range: bytes=0-1, -2");
    let boundary = answer.header("content-type").unwrap().strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |range: &str, data: &str| {
        format!("\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{data}")
    };
    let expected = part("0-1", "01") + &part("8-9", "89") + &format!("\r\n--{boundary}--\r\n");
    assert_eq!((answer.status, answer.text()), (206, expected));
}

#[test]
fn preconditions_that_fail() {
    let running = start();
    for condition in ["If-Match: \"x\"", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"] {
        let answer = running.ask(format!("GET / HTTP/1.1\r\nHost: x\r\n{condition}\r\n\r\n"));
        assert_eq!(answer.status, 412, "{condition}");
    }
}

#[test]
fn compressed_neighbours_go_to_who_accepts_them() {
    let running = Site::new()
        .files("/")
        .file("static/style.css", "plain")
        .file("static/style.css.gz", "gzip")
        .file("static/style.css.br", "brotli")
        .start();
    let mut etags = std::collections::BTreeSet::new();
    for (accepted, encoding, body) in
        [("br, gzip", Some("br"), "brotli"), ("gzip", Some("gzip"), "gzip"), ("identity", None, "plain")]
    {
        let answer = running.ask(format!("GET /style.css HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {accepted}\r\n\r\n"));
        assert_eq!((answer.header("content-encoding"), answer.text().as_str()), (encoding, body));
        assert_eq!(answer.header("content-type"), Some("text/css"));
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        etags.insert(answer.header("etag").unwrap().to_owned());
    }
    assert_eq!(etags.len(), 3, "each has an entity tag of its own");
}

#[test]
fn a_write_is_seen_by_the_next_request() {
    let running = start();
    for round in 0..300 {
        let content = format!("{:03}", round);
        fs::write(running.site.path().join("static/index.html"), &content).unwrap();
        assert_eq!(running.get("/").text(), content);
    }
}

#[test]
fn a_directory_that_goes_away_is_not_found_and_the_server_goes_on() {
    let running = start();
    fs::rename(running.site.path().join("static"), running.site.path().join("elsewhere")).unwrap();
    assert_eq!(running.get("/").status, 404);
    fs::rename(running.site.path().join("elsewhere"), running.site.path().join("static")).unwrap();
    assert_eq!(running.get("/").status, 200);
}

#[test]
fn a_folder_is_listed_only_where_it_may_be() {
    let Target::Dir(mut dir) = files() else { unreachable!() };
    dir.listing = true;
    let site = Site::new().files("/closed/").route("/open/", Target::Dir(dir));
    let running = site.file("static/sub/<a>.txt", "x").file("static/with/index.html", "index").start();
    assert_eq!(running.get("/closed/sub/").status, 404);
    let answer = running.get("/open/sub/");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html")));
    assert!(answer.text().contains("<a href=\"./%3Ca%3E.txt\">&lt;a&gt;.txt</a>"), "{}", answer.text());
    assert_eq!(running.get("/open/with/").text(), "index");
    assert_eq!(running.get("/open/sub").header("location"), Some("/open/sub/"));
    assert_eq!(running.get("/open/missing/").status, 404);
}
