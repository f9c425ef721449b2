//! Both logs of a running server: their forms, their rotation, and what becomes of them when a disk is full or
//! a pipe isn't read.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, makedev, mknodat};
use testkit::wait;

use crate::harness::{Running, Site, get};

fn site() -> Site {
    Site::new().files("/").file("static/index.html", "index")
}

/// Waits until the log has that many lines, and gives them.
fn lines(running: &Running, name: &str, count: usize) -> Vec<String> {
    wait::until(&format!("{count} lines in {name}"), || {
        let lines: Vec<String> = running.log(name).lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}

fn wait_for_error(running: &Running, text: &str) {
    wait::until(&format!("`{text}` in the error log"), || running.log("error.log").contains(text).then_some(()));
}

#[test]
fn formats() {
    let request = "GET /?a=\"b\" HTTP/1.1\r\nHost: localhost\r\nReferer: http://x/\r\nUser-Agent: test\\1\r\n\r\n";
    let mut running = site().start();
    for (count, format) in ["tnetstring", "common", "combined", "json"].into_iter().enumerate() {
        running.change(|config| drop(config.settings.insert("access_log.format".into(), format.into())));
        running.ask(request);
        lines(&running, "access.log", count + 1);
    }
    let lines = lines(&running, "access.log", 4);
    assert!(lines[0].contains(":localhost,9:127.0.0.1,") && lines[0].ends_with(",3:200#1:5#]"), "{}", lines[0]);
    assert!(lines[1].starts_with("127.0.0.1 - - ["), "{}", lines[1]);
    assert!(lines[1].ends_with("+0000] \"GET /?a=\\x22b\\x22 HTTP/1.1\" 200 5"), "{}", lines[1]);
    assert!(lines[2].ends_with(" HTTP/1.1\" 200 5 \"http://x/\" \"test\\x5C1\""), "{}", lines[2]);
    let end = r#""uri":"/?a=\"b\"","version":"HTTP/1.1","status":200,"bytes":5,"referer":"http://x/","user_agent":"test\\1"}"#;
    assert!(lines[3].starts_with("{\"time\":") && lines[3].ends_with(end), "{}", lines[3]);
}

#[test]
fn each_line_of_the_error_log_has_a_level() {
    let running = site().setting("superpoll.max_fd", "1").start();
    running.ask("nonsense\r\n\r\n");
    wait_for_error(&running, "refused a request");
    for line in running.log("error.log").lines() {
        assert!([" [ERROR] ", " [WARN] ", " [INFO] ", " [DEBUG] "].iter().any(|level| line.contains(level)), "{line}");
    }
    assert!(running.log("error.log").contains(" [WARN] "));
}

#[test]
fn error_log_level_leaves_out_what_is_below() {
    let mut site = site().setting("superpoll.max_fd", "1");
    site.server().error_log_level = 1;
    site.save();
    let process = testkit::Process::start(&mut site.command());
    process.wait_for_stderr("[WARN] ");
    let address = site.server().port.to_string();
    wait::port(format!("127.0.0.1:{address}").parse().unwrap());
    assert!(!process.stderr().contains("[INFO]"), "{}", process.stderr());
}

#[test]
fn logrotate_that_moves() {
    for signal in ["-HUP", "-USR1"] {
        let running = site().start();
        running.get("/");
        lines(&running, "access.log", 1);
        let logs = running.site.path().join("logs");
        for name in ["access.log", "error.log"] {
            fs::rename(logs.join(name), logs.join(format!("{name}.1"))).unwrap();
        }
        running.signal(signal);
        wait::until("the new log", || logs.join("access.log").exists().then_some(()));
        wait::until("a line in the new log", || {
            running.get("/");
            (!running.log("access.log").is_empty()).then_some(())
        });
        // One may have come between the new file and its use.
        assert!(!lines(&running, "access.log.1", 1).is_empty(), "{signal}");
    }
}

#[test]
fn logrotate_that_copies_and_truncates() {
    let running = site().start();
    running.get("/");
    lines(&running, "access.log", 1);
    File::options().write(true).open(running.site.path().join("logs/access.log")).unwrap().set_len(0).unwrap();
    running.get("/");
    let lines = lines(&running, "access.log", 1);
    assert!(lines[0].ends_with(']') && !lines[0].starts_with('\0'), "{lines:?}");
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_nothing() {
    let site = site().setting("limits.url_path", "8192");
    let pipe = site.path().join("logs/access.log");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut running = site.start();
    let long = format!("/{}", "x".repeat(8000));
    wait::until("the pipe to be full", || {
        assert_eq!(running.get(&long).status, 404);
        running.process.stderr().contains("cannot write the access log: ").then_some(())
    });
    let reader = rustix::fs::open(&pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
    let mut reader = File::from(reader);
    wait::until("the pipe to take lines again", || {
        let _ = reader.read_to_end(&mut Vec::new());
        running.get("/");
        running.process.stderr().contains("the access log can be written again; ").then_some(())
    });
    let said = running.process.stderr();
    assert_eq!(said.matches("cannot write the access log").count(), 1, "{said}");
    drop(reader);
    running.signal("-TERM");
    assert!(running.process.wait().success());
}

/// A file on which there is never room.  In its chroot root's server finds no symbolic link to outside.
fn full(path: &Path) -> bool {
    if rustix::process::geteuid().is_root() {
        return mknodat(CWD, path, FileType::CharacterDevice, Mode::RUSR | Mode::WUSR, makedev(1, 7)).is_ok()
            && File::options().append(true).open(path).is_ok();
    }
    symlink("/dev/full", path).is_ok()
}

#[test]
fn a_full_disk_is_said_once_and_left_behind() {
    let site = site();
    let logs = site.path().join("logs");
    if !["access.log", "error.log"].iter().all(|name| full(&logs.join(name))) {
        eprintln!("skipped: a_full_disk_is_said_once_and_left_behind needs a file system with devices");
        return;
    }
    let running = site.start();
    for _ in 0..3 {
        assert_eq!(running.get("/").text(), "index");
        running.process.wait_for_stderr("cannot write the access log: No space left on device");
    }
    let said = running.process.stderr();
    for log in ["access log", "error log"] {
        assert_eq!(said.matches(&format!("cannot write the {log}")).count(), 1, "{said}");
    }
    ["access.log", "error.log"].iter().for_each(|name| fs::remove_file(logs.join(name)).unwrap());
    running.signal("-USR1");
    wait::until("the new logs", || logs.join("error.log").exists().then_some(()));
    running.get("/");
    lines(&running, "access.log", 1);
    wait_for_error(&running, "the access log can be written again; ");
    wait_for_error(&running, "the error log can be written again; ");
}

#[test]
fn a_terminal_that_takes_nothing_holds_up_nothing() {
    let mut site = site().setting("limits.url_path", "8192");
    site.save();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut process = testkit::Process::start(site.command().stdout(writer));
    process.wait_for_stderr("listens on");
    let address = format!("127.0.0.1:{}", site.server().port).parse().unwrap();
    let long = get(&format!("/{}", "x".repeat(8000)));
    for _ in 0..20 {
        let mut client = crate::harness::Client::connect(address);
        client.send(&long);
        assert_eq!(client.answer().status, 404);
    }
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(process.id().cast_signed()).unwrap(),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert!(process.wait().success());
    drop(reader);
}
