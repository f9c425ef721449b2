//! What clients show of themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use mongrel2::config::{Handler, Target};
use rustls::ClientConfig;
use sha1::{Digest as _, Sha1};
use testkit::curl;

use super::keys::{Authority, Pair};
use super::{Secure, TLS12, TLS13};
use crate::harness::{Peer, get, handler};
use crate::websocket::{ACCEPTED, frame, handshake};

/// A server that wants certificates, and those whom `signs` has signed if there is such an authority.
fn start(setting: &str, signs: Option<&Authority>) -> (Secure, Peer) {
    let secure = Secure::with(|site| {
        let site = site.route("@chat", Target::Handler(Handler { raw_payload: true, ..handler("one") }));
        match signs {
            None => site.setting(setting, "1"),
            Some(authority) => {
                let site = site.setting(setting, "1").setting("ssl.ca_chain", "certs/clients.pem");
                site.file("certs/clients.pem", authority.pem())
            }
        }
    });
    let peer = Peer::connect(secure.running.site.path(), "one");
    (secure, peer)
}

fn sha1(pair: &Pair) -> String {
    Sha1::digest(pair.der()).iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Answers each request with what is told of its client, until nobody wants it any more.
fn tell(peer: Peer, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            if let Some(request) = peer.request_soon().filter(|request| !request.is_disconnect()) {
                peer.answer(&[request.id], request.header("PEER_CERT_SHA1").unwrap_or("nobody"));
            }
        }
    })
}

/// What a handler is told of a client; `None` if it isn't let in.
fn told(secure: &Secure, config: &Arc<ClientConfig>) -> Option<String> {
    let mut client = secure.connect_with(config);
    client.try_send(get("/handler"));
    Some(client.try_answer(false)?.text())
}

#[test]
fn who_is_let_in() {
    let (known, stranger) = (Authority::new("known"), Authority::new("stranger"));
    let pairs = [None, Some(known.issue("a")), Some(stranger.issue("b")), Some(Pair::self_signed("c"))];
    for (setting, signs, let_in, told_of) in [
        ("no_clobber_xff", None, [true; 4], [false; 4]),
        ("ssl.verify_optional", None, [true; 4], [false, true, true, true]),
        ("ssl.verify_optional", Some(&known), [true, true, false, false], [false, true, false, false]),
        ("ssl.verify_required", Some(&known), [false, true, false, false], [false, true, false, false]),
    ] {
        let (secure, peer) = start(setting, signs);
        let stop = Arc::<AtomicBool>::default();
        let telling = tell(peer, Arc::clone(&stop));
        for versions in [TLS12, TLS13] {
            for (number, pair) in pairs.iter().enumerate() {
                let client = secure.authority.client().version(versions);
                let config = match pair {
                    None => client.config(),
                    Some(pair) => client.pair(pair).config(),
                };
                let of = pair.as_ref().filter(|_| told_of[number]);
                let expected = let_in[number].then(|| of.map_or_else(|| "nobody".to_owned(), sha1));
                // Once more with a session that is resumed, where there is one.
                for round in 0..2 {
                    let case = format!("{setting}, {}, {number}, {round}", signs.is_some());
                    assert_eq!(told(&secure, &config), expected, "{case}");
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        telling.join().unwrap();
    }
}

#[test]
fn every_message_tells_who_it_is_of() {
    let (secure, peer) = start("ssl.verify_optional", None);
    let pair = Pair::self_signed("me");
    let config = secure.authority.client().pair(&pair).config();
    let expected = sha1(&pair);
    let mut client = secure.connect_with(&config);
    client.send(handshake("/handler"));
    let request = peer.request();
    assert_eq!(request.header("PEER_CERT_SHA1"), Some(&*expected));
    peer.reply(&[request.id], ACCEPTED);
    client.take(ACCEPTED.len());
    client.send(frame(0x81, b"hello"));
    assert_eq!(peer.request().header("PEER_CERT_SHA1"), Some(&*expected));
    drop(client);
    assert!(peer.request().is_disconnect());
    let mut client = secure.connect_with(&config);
    client.send("@chat {}\0");
    assert_eq!(peer.request().header("PEER_CERT_SHA1"), Some(&*expected));
    // Nobody can say so of himself.
    let mut stranger = secure.connect();
    stranger.send("GET /handler HTTP/1.1\r\nHost: x\r\nPEER_CERT_SHA1: 00\r\n\r\n");
    assert_eq!(peer.request().header("PEER_CERT_SHA1"), None);
}

#[test]
fn curl_shows_its_certificate() {
    let authority = Authority::new("known");
    let (secure, peer) = start("ssl.verify_required", Some(&authority));
    let pair = authority.issue("curl");
    let folder = secure.running.site.path().join("static");
    pair.write(&folder, "curl");
    let Some(mut curl) = curl() else { return };
    let [certificate, key] = ["static/curl.crt", "static/curl.key"].map(|name| secure.path(name));
    let url = format!("https://localhost:{}/handler", secure.running.address().port());
    curl.args(["--cacert", &secure.path("authority.pem"), "--cert", &certificate, "--key", &key, &url]);
    let asking = std::thread::spawn(move || curl.output().unwrap());
    let request = peer.request();
    assert_eq!(request.header("PEER_CERT_SHA1"), Some(&*sha1(&pair)));
    peer.answer(&[request.id], "hello");
    assert_eq!(asking.join().unwrap().stdout, b"hello");
    let mut without = testkit::curl().unwrap();
    let output = without.args(["--cacert", &secure.path("authority.pem"), &url]).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn no_start_without_those_who_sign() {
    for (content, expected) in [
        (None, "clients.pem`: No such file"),
        (Some("nonsense"), "cannot tell clients by their certificates: there is no certificate in `"),
    ] {
        let mut site = super::site().setting("ssl.verify_optional", "1").setting("ssl.ca_chain", "/certs/clients.pem");
        Authority::new("x").issue("localhost").write(&super::certs(&site), crate::harness::UUID);
        if let Some(content) = content {
            site = site.file("certs/clients.pem", content);
        }
        site.save();
        let output = site.command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(expected), "{said}");
    }
}
