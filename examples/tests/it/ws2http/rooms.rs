//! The chat rooms in PHP and as a shell script: two pages in a browser, and clients that mean no good.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use testkit::http::{Answer, Client, status_soon};
use testkit::{Deployment, Process, wait};

use super::{TOKEN, bridge};
use crate::browser::Browser;
use crate::example;
use crate::socket::Socket;

/// A kind of room: where its page is, the path of its backend, and how that is run.
#[derive(Clone, Copy)]
struct Kind {
    page: &'static str,
    path: &'static str,
    command: fn(&Path, SocketAddr) -> Option<Command>,
}

const PHP: Kind = Kind { page: "/php/", path: "/event.php", command: |_, address| php(&["-q"], address) };

/// Without a php.ini, which would say what becomes of errors.
const BARE_PHP: Kind = Kind { command: |_, address| php(&["-q", "-n"], address), ..PHP };

fn php(options: &[&str], address: SocketAddr) -> Option<Command> {
    let mut php = testkit::installed("php")?;
    php.args(options).args(["-S", &address.to_string()]).arg(example("ws2http/php/event.php"));
    Some(php)
}

const CGI: Kind = Kind {
    page: "/cgi/",
    path: "/cgi-bin/room",
    command: |folder, address| {
        let (mut httpd, _, _) = (testkit::httpd()?, testkit::curl()?, testkit::installed("flock")?);
        // Without a file of its own it would take the system's.
        let file = folder.join("httpd.conf");
        fs::write(&file, "").expect("the folder is ours");
        httpd.args(["-f", "-p", &address.to_string(), "-c"]).arg(file).arg("-h").arg(example("ws2http/cgi"));
        Some(httpd)
    },
};

/// A room with its page.
struct Room {
    kind: Kind,
    deployment: Deployment,
    address: SocketAddr,
    orders: SocketAddr,
    bridge: Option<Process>,
    _backend: Process,
    _server: Process,
}

impl Room {
    /// `None` where what it needs is missing.
    fn start(kind: Kind) -> Option<Self> {
        let deployment = Deployment::of(example("ws2http/config.rhai"), &["6767", "9967", "9966"]);
        let (address, orders) = (testkit::free_address(), testkit::free_address());
        let mut backend = (kind.command)(deployment.path(), address)?;
        let pages = deployment.path().join("static");
        fs::create_dir(&pages).unwrap();
        for file in ["index.html", "room.js", "room.css"] {
            fs::copy(example("ws2http/static").join(file), pages.join(file)).unwrap();
        }
        let _server = deployment.start();
        backend.env("ROOM_FOLDER", deployment.path()).env("WS2HTTP_URL", format!("http://{orders}/"));
        let _backend = Process::start(backend.env("WS2HTTP_TOKEN", TOKEN));
        wait::port(address);
        let bridge = Some(Self::bridge(&deployment, kind, address, orders));
        Some(Self { kind, deployment, address, orders, bridge, _backend, _server })
    }

    fn bridge(deployment: &Deployment, kind: Kind, address: SocketAddr, orders: SocketAddr) -> Process {
        let url = format!("http://{address}{}", kind.path);
        bridge(deployment, orders, &[("/", &url)], &[])
    }

    /// Kills the bridge and starts another one.
    fn restart(&mut self) {
        self.bridge = None;
        self.bridge = Some(Self::bridge(&self.deployment, self.kind, self.address, self.orders));
        // The server may still give a request to the one that was killed.
        let line = format!("GET {}socket", self.kind.page);
        wait::until("the new bridge", || status_soon(self.deployment.address(0), &line));
    }

    fn guest(&self) -> Guest {
        let (socket, head) = Socket::ask(self.deployment.address(0), &format!("{}socket", self.kind.page), "");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        Guest(socket)
    }

    /// Tells the backend something that the bridge has not.
    fn forge(&self, headers: &str, form: &str) -> Answer {
        let mut client = Client::connect(self.address);
        client.send(format!(
            "POST {} HTTP/1.0\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n{headers}\r\n{form}",
            self.kind.path,
            form.len()
        ));
        client.answer()
    }
}

/// Somebody in a room.
struct Guest(Socket);

impl Guest {
    fn say(&mut self, text: &str) {
        self.0.send(0x81, text.as_bytes());
    }

    fn hears(&mut self, expected: &str) {
        let (kind, text) = self.0.recv().expect("the room speaks");
        assert_eq!((kind, String::from_utf8(text).unwrap().as_str()), (0x81, expected));
    }

    fn joins(&mut self, name: &str) {
        self.say(&format!("join\t{name}"));
        self.hears(&format!("you\t{name}"));
    }
}

#[test]
fn two_pages_are_in_the_room_in_php() {
    two_pages(PHP);
}

#[test]
fn two_pages_are_in_the_room_of_the_shell() {
    two_pages(CGI);
}

fn two_pages(kind: Kind) {
    let Some(room) = Room::start(kind) else { return };
    let Some(browser) = Browser::start() else { return };
    meet(&browser, &format!("http://{}{}", room.deployment.address(0), kind.page));
    let log = room.bridge.as_ref().expect("it runs").stderr();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

/// Two pages of a room.
pub(crate) fn meet(browser: &Browser, url: &str) {
    let mut driver = Process::start(browser.driver("tests/it/ws2http/room.py").arg(url));
    for step in ["both are in", "both have spoken", "both have seen pictures", "nobody was disturbed"] {
        driver.wait_for_stderr(step);
    }
    assert!(driver.wait().success());
}

#[test]
fn the_rules_of_the_room_in_php() {
    the_rules(PHP);
}

#[test]
fn the_rules_of_the_room_of_the_shell() {
    the_rules(CGI);
}

fn the_rules(kind: Kind) {
    let Some(room) = Room::start(kind) else { return };
    let mut ann = room.guest();
    ann.hears("here");
    ann.say("say\tsomething");
    ann.hears("sorry\tsay first who you are");
    ann.0.send(0x82, b"bytes");
    ann.hears("sorry\tsay first who you are");
    for wrong in ["join\t", "join", "join\t \u{1}\t\u{85} ", &format!("join\t{}", "ü".repeat(25))] {
        ann.say(wrong);
        ann.hears("sorry\ta name has 1 to 24 letters");
    }
    ann.say("join\t Ann\t\u{7f} B.\n\u{200b}");
    ann.hears("you\tAnn B.");
    ann.hears("came\tAnn B.\nhere\tAnn B.");
    ann.say("join\tAnna");
    ann.hears("sorry\tyou are here already");
    for odd in ["", "\0", "join\tx\tsay", "leave", "{\"type\": 1}", "here\tEve"] {
        ann.say(odd);
        let expected =
            if odd.starts_with("join") { "you are here already" } else { "the room does not know this word" };
        ann.hears(&format!("sorry\t{expected}"));
    }
    let tab = format!("{}\tx", "x".repeat(60_000));
    for long in [tab.as_str(), &"\0".repeat(60_000), &"%".repeat(60_000)] {
        ann.say(long);
        ann.hears("sorry\tthat is too long");
    }
    for wrong in ["say\t", "say\t\n\n", &format!("say\t{}", "x".repeat(501))] {
        ann.say(wrong);
        ann.hears("sorry\tsay 1 to 500 letters");
    }
    let odd = "'; $(id) `id` \\ \" & %26 <b> * ~ 👩‍🚀";
    ann.say(&format!("say\t{odd}\nsaid\tEve\tno"));
    let said = format!("said\tAnn B.\t{odd}saidEveno");
    ann.hears(&said);
    ann.say(&format!("say\t{}", "ü".repeat(500)));
    ann.hears(&format!("said\tAnn B.\t{}", "ü".repeat(500)));

    let mut bob = room.guest();
    bob.hears("here\tAnn B.");
    bob.say("join\tANN b.");
    bob.hears("sorry\tsomebody else has this name");
    bob.say("join\tBob");
    bob.hears(&format!("you\tBob\n{said}\nsaid\tAnn B.\t{}", "ü".repeat(500)));
    bob.hears("came\tBob\nhere\tAnn B.\tBob");
    ann.hears("came\tBob\nhere\tAnn B.\tBob");
    for bytes in [(0..=255).cycle().take(60_000).collect(), vec![0; 60_000]] {
        bob.0.send(0x82, &bytes);
        for guest in [&mut ann, &mut bob] {
            guest.hears("shows\tBob");
            assert_eq!(guest.0.recv(), Some((0x82, bytes.clone())));
        }
    }
    bob.0.send(0x88, &1000_u16.to_be_bytes());
    ann.hears("left\tBob\nhere\tAnn B.");
}

#[test]
fn who_means_no_good_disturbs_nobody_in_php() {
    who_means_no_good(PHP);
}

#[test]
fn who_means_no_good_disturbs_nobody_in_the_shell() {
    who_means_no_good(CGI);
}

fn who_means_no_good(kind: Kind) {
    let Some(room) = Room::start(kind) else { return };
    let mut ann = room.guest();
    ann.hears("here");
    ann.joins("Ann");
    ann.hears("came\tAnn\nhere\tAnn");

    let form = format!("id={}&uri=%2Fx&verb=open&number=0", "0".repeat(32));
    for headers in ["", "Authorization: Bearer \r\n", "Authorization: Bearer another-token-altogether\r\n"] {
        assert_eq!(room.forge(headers, &form).status, 401, "{headers}");
    }
    let authorized = format!("Authorization: Bearer {TOKEN}\r\n");
    for odd in ["", "id=%27%3B", "id=`id`&uri=$(id)&verb=open&number=x", "id[]=x&uri[]=y&verb[]=z", "&&&"] {
        // Nobody sends this, and what is answered doesn't matter.
        room.forge(&authorized, odd);
    }
    for frame in [&b"\x81\x82\0\0\0\0\xff\xff"[..], b"\x81\x02hi", b"\xf1\x80\0\0\0\0", b"\x81\xff", b""] {
        let mut eve = room.guest();
        eve.hears("here\tAnn");
        eve.0.send_raw(frame);
    }
    let mut eve = room.guest();
    eve.hears("here\tAnn");
    eve.0.send(0x82, b"\0\0\0\0");
    eve.hears("sorry\tsay first who you are");
    drop(eve);
    // Whoever is asked for under another name would be alone there, and all others gone.
    for odd in ["socket?/socket", "socket?", "socket?x/socket", "sock%65t?/socket", "%73ocket"] {
        let (_, head) = Socket::ask(room.deployment.address(0), &format!("{}{odd}", kind.page), "");
        assert!(!head.starts_with("HTTP/1.1 101 "), "{odd}: {head}");
        let uri = format!("{}{odd}", kind.page).replace('%', "%25").replace('/', "%2F").replace('?', "%3F");
        let form = format!("id={}&uri={uri}&verb=open&number=0", "1".repeat(32));
        assert_eq!(room.forge(&authorized, &form).status, 404, "{odd}");
    }

    ann.say("say\tstill here");
    ann.hears("said\tAnn\tstill here");
}

#[test]
fn what_fails_is_not_taken_in_php() {
    what_fails(BARE_PHP);
}

#[test]
fn what_fails_is_not_taken_by_the_shell() {
    what_fails(CGI);
}

fn what_fails(kind: Kind) {
    let Some(mut room) = Room::start(kind) else { return };
    drop(room.guest());
    room.bridge = None;
    let uri = format!("{}socket", kind.page).replace('/', "%2F");
    let form = format!("id={}&uri={uri}&verb=open&number=0", "1".repeat(32));
    let answer = room.forge(&format!("Authorization: Bearer {TOKEN}\r\n"), &form);
    assert_eq!((answer.status, answer.text().as_str()), (500, ""), "nobody can be asked who is there");
}

#[test]
fn who_was_there_when_the_bridge_was_killed_is_gone_in_php() {
    killed(PHP);
}

#[test]
fn who_was_there_when_the_bridge_was_killed_is_gone_in_the_shell() {
    killed(CGI);
}

fn killed(kind: Kind) {
    let Some(mut room) = Room::start(kind) else { return };
    let mut ann = room.guest();
    ann.hears("here");
    ann.joins("Ann");
    ann.hears("came\tAnn\nhere\tAnn");
    room.restart();
    let mut bob = room.guest();
    bob.hears("left\tAnn\nhere");
    bob.hears("here");
    // A number is a name like any other.
    bob.joins("1");
    bob.hears("came\t1\nhere\t1");
    // Who was there is told so when she speaks: the bridge of today doesn't know her.
    ann.say("say\tanybody there?");
    ann.0.is_closed_with(1012);
}
