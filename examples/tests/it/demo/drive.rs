//! Each demo, by the steps of its own test, all of them behind one server; and the page that leads to them.

use std::path::PathBuf;

use rustix::process::{Signal, kill_process};
use testkit::http::status_soon;
use testkit::{Process, wait};

use super::super::browser::Browser;
use super::super::{bbs, chat, handlertest, mp3stream, pinned, poll, scatter, upload, web, websocket, ws2http, wsgi};
use super::{Demo, Place};

/// All of them, with what each can't do without.
#[test]
fn every_demo_does_what_it_shows() {
    let (Some(_), Some(_), Some(_)) = (testkit::python(), testkit::curl(), testkit::ffmpeg()) else { return };
    let place = Place::new();
    let demo = place.start();
    let (address, folder) = (place.address, place.folder.path());
    let url = |path: &str| format!("http://{address}{path}");

    assert!(demo.ask("GET /hello?to=you").text().contains("\nquery: to=you\n"));
    handlertest::tells_what_it_was_asked(address);
    let (answer, digest) = upload::upload_a_film(folder, &url("/upload"));
    assert_eq!(answer, (200, format!("{digest}\n")));
    hears_the_radio(&url("/mp3stream"));
    bbs::post_and_read(address, folder);
    web::answers_through_the_proxy(address, "/web");
    if testkit::node().is_some() {
        poll::counts_and_tells(address, "/javascript/poll");
    }
    if testkit::php().is_some() {
        poll::counts_and_tells(address, "/php/poll");
    }
    websocket::python_client(&format!("ws://{address}/ws"));
    wsgi::sign(address, "/book/", folder);
    scatter::store_and_get_back(&url("/files/a%20name"), &place.path(""), 3 * 1024 * 1024);
    too_long_for_a_message(&demo);
    pinned::two_are_not_each_other(address, "/pinned");
    if let Some(browser) = Browser::start() {
        chat::meet(address, &browser, &place.path("examples/chat/client.py"));
        for name in ["ws2http", "ws2http-cgi"] {
            if demo.told_of(name)["lack"].is_null() {
                ws2http::meet(&browser, &url(&format!("/{name}/")));
            }
        }
        the_page_leads_to_each_demo(&demo, &browser);
        if demo.told_of("ws2http")["lack"].is_null() {
            the_room_comes_back(&demo, &browser);
        }
    }
    the_tokens_are_seen_by_nobody(&place);
    who_is_killed_comes_back(&demo);
    assert!(!demo.process.stderr().contains("install"), "{}", demo.process.stderr());
    demo.end(Signal::INT);
}

/// What was made for it: a tone that starts anew twice a second, and its title.
fn hears_the_radio(url: &str) {
    let sound = mp3stream::listen(url, "1");
    let loudest = sound.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs()).max();
    assert!(loudest > Some(5000), "{loudest:?}");
    let tags = mp3stream::tags(url);
    assert!(
        tags.contains("TAG:StreamTitle=m2sh - Rising\n") || tags.contains("TAG:StreamTitle=m2sh - Falling\n"),
        "{tags}"
    );
}

/// The server writes it to a file, which those who scatter don't take, and don't leave lying about.
fn too_long_for_a_message(demo: &Demo<'_>) {
    let place = demo.place;
    let film = place.folder.path().join("film.mp4").display().to_string();
    let (status, _) = super::super::curl(&["-T", &film], &format!("http://{}/files/film", place.address));
    assert_eq!(status, 413);
    wait::until("tmp to be empty", || place.path("tmp").read_dir().unwrap().next().is_none().then_some(()));
}

fn the_page_leads_to_each_demo(demo: &Demo<'_>, browser: &Browser) {
    let file = demo.place.path("config.rhai");
    let url = format!("http://{}/", demo.place.address);
    let mut driver = Process::start(browser.driver("tests/it/demo/page.py").arg(url).arg(file));
    for told in demo.told().iter().filter(|told| told["lack"].is_null()) {
        let name = told["name"].as_str().unwrap();
        wait::until(name, || {
            (!driver.is_running() || driver.stderr().contains(&format!("{name} is seen"))).then_some(())
        });
    }
    assert!(driver.wait().success());
}

/// A handler, a program behind a proxy, and the server itself, whose handlers outlive it.
fn who_is_killed_comes_back(demo: &Demo<'_>) {
    let place = demo.place;
    for (name, path) in [("hello", "/hello"), ("web", "/web/"), ("mongrel2", "/hello")] {
        let killed = place.process(name).unwrap();
        kill_process(killed, Signal::KILL).unwrap();
        wait::until("another process", || place.process(name).filter(|pid| *pid != killed));
        wait::until("an answer", || (status_soon(place.address, &format!("GET {path}")) == Some(200)).then_some(()));
        if name != "mongrel2" {
            assert_eq!(demo.told_of(name)["services"][0]["restarts"], 1);
        }
    }
}

/// The bridge, and the room behind it: who comes then finds all as it was.
fn the_room_comes_back(demo: &Demo<'_>, browser: &Browser) {
    let place = demo.place;
    for name in ["ws2http", "ws2http-php"] {
        let killed = place.process(name).unwrap();
        kill_process(killed, Signal::KILL).unwrap();
        wait::until("another process", || place.process(name).filter(|pid| *pid != killed));
    }
    wait::until("the bridge", || status_soon(place.address, "GET /ws2http/socket").filter(|status| *status < 500));
    ws2http::meet(browser, &format!("http://{}/ws2http/", place.address));
    let services = demo.told_of("ws2http")["services"].clone();
    assert!(services.as_array().unwrap().iter().all(|service| service["restarts"] == 1), "{services}");
}

/// What a bridge and its room share is in their file, and neither in a list of processes nor in a log.
fn the_tokens_are_seen_by_nobody(place: &Place) {
    let lines: Vec<_> =
        std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline")).collect();
    let logs = [below(place.path("logs")), below(place.path("profiles"))].concat();
    assert!(logs.iter().any(|path| path.ends_with("profiles/ws2http/log/current")), "{logs:?}");
    for name in ["ws2http", "ws2http-cgi"] {
        let file = std::fs::read_to_string(place.path("run").join(name).with_extension("env")).unwrap();
        let token = file.split("WS2HTTP_TOKEN=").nth(1).unwrap().trim();
        assert_eq!(token.len(), 64);
        for path in lines.iter().chain(&logs) {
            // Some processes have ended by now.
            let text = std::fs::read(path).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&text).contains(token), "{}", path.display());
        }
    }
}

#[test]
fn two_folders_do_not_get_in_each_others_way() {
    if testkit::python().is_none() || testkit::curl().is_none() {
        return;
    }
    let places = [Place::new(), Place::new()];
    let demos = places.each_ref().map(Place::start);
    let [one, other] = &demos;
    for demo in &demos {
        assert_eq!(demo.ask("GET /web/who").text(), "127.0.0.1 asked localhost\n");
    }
    wsgi::sign(one.place.address, "/book/", one.place.folder.path());
    let entries = |demo: &Demo<'_>| demo.ask("GET /book/").text().matches("<b>Zo").count();
    assert_eq!((entries(one), entries(other)), (1, 0));
    for demo in demos {
        demo.end(Signal::TERM);
    }
}

/// What m2sh prints is what is there, and can be typed.
#[test]
fn the_commands_that_are_printed_work() {
    if testkit::python().is_none() {
        return;
    }
    let place = Place::new();
    let demo = place.start();
    let printed = demo.printed();
    let lines =
        printed.lines().filter(|line| line.contains(" procs ") || line.contains(" procer ") || line.contains(" -db "));
    let commands: Vec<&str> = lines.map(|line| line.trim().split("  ").next().unwrap()).collect();
    assert_eq!(commands.len(), 6, "{printed}");
    for command in commands {
        // One of them goes on for ever.
        let command = command.replace(" logs -f ", " logs ");
        let output = place.shell(&command);
        assert!(output.status.success(), "{command}: {output:?}");
    }
    let log = place.told(&["log", "-db", "demo-all/config.sqlite"]).stdout;
    let log = String::from_utf8(log).unwrap();
    let what: Vec<&str> = log.lines().filter_map(|line| line.split(", ").nth(2)?.split(']').next()).collect();
    assert_eq!(what, ["load", "start", "load", "reload"], "{log}");
    demo.end(Signal::INT);
}

impl Place {
    fn shell(&self, command: &str) -> std::process::Output {
        let path = format!("{}:{}", self.path, "/usr/bin:/bin");
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", command]).env("PATH", path).current_dir(self.folder.path()).output().unwrap()
    }
}

/// The folder is as it was made, for whoever wants to read it.
#[test]
fn the_programs_are_those_of_the_examples() {
    let place = Place::bare();
    place.start().end(Signal::INT);
    let paths = below(place.path("examples"));
    for path in &paths {
        let name = path.strip_prefix(place.path("examples")).unwrap();
        let original = super::super::example(name.to_str().unwrap());
        assert!(std::fs::read(path).unwrap() == std::fs::read(&original).unwrap(), "{}", name.display());
    }
    assert!(paths.len() > 40, "{paths:?}");
    assert!(place.path("examples/python/mongrel2/wsgi.py").exists());
}

/// All files in a folder and those below it; what isn't one, as a FIFO of procer's, left out.
fn below(folder: PathBuf) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let files = |path: PathBuf| match path.is_dir() {
        true => below(path),
        false => Vec::from_iter(path.is_file().then_some(path)),
    };
    entries.flat_map(files).collect()
}
