//! Our own handler passes, and one with a fault fails exactly where the fault is.

use std::ops::ControlFlow::Continue;
use std::time::Duration;

use mongrel2::handler::{Connection, Frame, HandlerError, Request};
use serde_json::Value;

use super::own::{Own, answer};
use super::*;
use crate::case::{self, Case};
use crate::report::{Outcome, Report};

const PATIENCE: Duration = Duration::from_secs(30);

type Answered = Result<(), HandlerError>;

/// Runs all cases with a handler of our own that does something else where `fault` gives something.
fn report(mut fault: impl FnMut(&mut Connection, &Request) -> Option<Answered> + Send + 'static) -> Report {
    let server = Server::bind(None, None).unwrap();
    let own = Own::with(server.addresses(), move |connection, request| {
        fault(connection, request).unwrap_or_else(|| answer(connection, request))
    });
    let own = own.unwrap();
    let pulse = Box::new(move || own.has_ended().then(|| "its thread is over".to_owned()));
    let subject = Subject::connect(server, pulse, within(PATIENCE), PATIENCE).unwrap();
    run(&cases(), subject)
}

/// Tries cases on one handler, whatever it does.
fn run(cases: &[Case<Subject>], subject: Subject) -> Report {
    let mut first = Some(subject);
    let same = |old: Option<Subject>| old.or_else(|| first.take()).ok_or("there is one");
    case::run("handler", cases, same, &mut |_| Continue(())).unwrap()
}

fn others(report: &Report) -> Vec<(&str, &str)> {
    let rows = report.rows.iter().filter(|row| row.outcome != Outcome::Passed);
    rows.map(|row| (row.name.as_str(), row.outcome.word())).collect()
}

fn check(
    expected: &[&str],
    fault: impl FnMut(&mut Connection, &Request) -> Option<Answered> + Send + 'static,
) -> Report {
    let report = report(fault);
    let expected: Vec<_> = expected.iter().map(|name| (*name, "failed")).collect();
    assert_eq!(others(&report), expected, "{report:#?}");
    report
}

#[test]
fn our_own_passes() {
    let server = Server::bind(None, None).unwrap();
    let own = Own::start(server.addresses()).unwrap();
    let subject = Subject::connect(server, Box::new(|| None), within(PATIENCE), PATIENCE).unwrap();
    let report = run(&cases(), subject);
    assert_eq!(others(&report), [], "{report:#?}");
    assert!(!own.has_ended());
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = cases().into_iter().map(|case| case.name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn a_wrong_length_is_seen() {
    check(&["http/body", "http/empty", "http/large", "http/head"], |connection, request| {
        let head: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
        (request.path == "/http/body").then(|| connection.reply(request, &[head, &request.body].concat()))
    });
}

#[test]
fn what_is_not_checked_is_seen() {
    let expected = ["http/bodiless", "http/values", "http/names", "http/framing", "http/bad-status"];
    check(&expected, |connection, request| {
        let wanted = (request.path == "/http").then(|| serde_json::from_slice::<Value>(&request.body).unwrap())?;
        let body = wanted["body"].as_str().unwrap();
        let mut answer = format!("HTTP/1.1 {} \r\nContent-Length: {}\r\n", wanted["status"], body.len());
        for (name, value) in wanted["headers"].as_object().unwrap() {
            answer += &format!("{name}: {}\r\n", value.as_str().unwrap());
        }
        Some(connection.reply(request, format!("{answer}\r\n{body}").as_bytes()))
    });
}

#[test]
fn the_wrong_kind_of_frame_is_seen() {
    check(&["websocket/text", "websocket/lengths"], |connection, request| {
        (request.path == "/text").then(|| connection.reply_websocket(request, &Frame::Binary(&request.body)))
    });
}

#[test]
fn who_believes_clients_is_seen() {
    check(&["notices/claimed-json", "notices/claimed-tnetstring"], |connection, request| {
        let is_claim = request.path != "@*" && request.body == br#"{"type":"disconnect"}"#;
        is_claim.then(|| connection.deliver(&request.sender, &[request.id + 1], &request.body))
    });
}

#[test]
fn a_lost_first_reply_is_seen() {
    let mut is_first = true;
    check(&["sockets/first"], move |_, _| std::mem::take(&mut is_first).then_some(Ok(())));
}

#[test]
fn a_wrong_order_is_seen() {
    let mut kept = None;
    check(&["sockets/order"], move |connection, request| {
        if request.body == b"number 5" {
            kept = Some(request.clone());
            return Some(Ok(()));
        }
        let before = kept.take()?;
        Some(answer(connection, request).and_then(|()| answer(connection, &before)))
    });
}

#[test]
fn one_reply_too_many_is_seen() {
    check(&["reply/close"], |connection, request| {
        (request.path == "/close").then(|| connection.deliver_close(&request.sender, &[request.id, request.id + 1]))
    });
    check(&["deliver/none"], |connection, request| {
        (request.body == br#"{"ids":[],"body":"x"}"#).then(|| connection.deliver(&request.sender, &[0], b"x"))
    });
}

#[test]
fn whoever_gets_it_twice_and_not_at_all_is_seen() {
    check(&["deliver/many"], |connection, request| {
        let wanted = (request.path == "/deliver").then(|| serde_json::from_slice::<Value>(&request.body).ok())??;
        let ids: Vec<u64> = wanted["ids"].as_array()?.iter().filter_map(Value::as_u64).collect();
        let some = ids.get(..128).filter(|_| ids.len() > 128)?;
        Some(connection.deliver(&request.sender, &[some, some, some].concat(), b"x"))
    });
}

#[test]
fn a_wrong_order_to_the_server_is_seen() {
    check(&["extended/keep-alive"], |connection, request| {
        (request.path == "/keep-alive").then(|| connection.cancel(request))
    });
    check(&["extended/credits"], |connection, request| {
        (request.path == "/credits").then(|| connection.credits(request, request.body.len() as u64))
    });
}

#[test]
fn who_believes_in_any_file_is_seen() {
    check(&["uploads/forged-json", "uploads/forged-tnetstring"], |connection, request| {
        let path = request.header("x-mongrel2-upload-done").filter(|_| request.path == "/upload")?;
        Some(connection.reply(request, path.as_bytes()))
    });
}

#[test]
fn what_a_library_has_not_is_skipped() {
    let report = report(|connection, request| {
        let is_missing = ["/http/json", "/deliver/json", "/cancel", "/close"].contains(&request.path.as_str());
        is_missing.then(|| connection.reply(request, b"unsupported"))
    });
    let names = ["reply/close", "http/json", "deliver/json", "extended/cancel"];
    assert_eq!(others(&report), names.map(|name| (name, "skipped")), "{report:#?}");
}

#[test]
fn a_handler_that_ends_fails_at_once_from_there_on() {
    let report = report(|_, request| {
        // No error that a handler lives with.
        request.header("x-mongrel2-upload-done").map(|_| Err(HandlerError::NoHandshake))
    });
    let place = report.rows.iter().position(|row| row.name == "uploads/file-json").unwrap();
    for (index, row) in report.rows.iter().enumerate() {
        assert_eq!(row.outcome.word(), if index < place { "passed" } else { "failed" }, "{row:?}");
        assert!(index < place || row.outcome.why().contains("its thread is over"), "{row:?}");
    }
}

#[test]
fn a_handler_that_hangs_fails_from_there_on() {
    let server = Server::bind(None, None).unwrap();
    let mut is_stuck = false;
    let own = Own::with(server.addresses(), move |connection, request| {
        is_stuck |= request.path == "@*";
        if is_stuck { Ok(()) } else { answer(connection, request) }
    });
    let _own = own.unwrap();
    let subject = Subject::connect(server, Box::new(|| None), within(PATIENCE), PATIENCE / 3).unwrap();
    let report = run(&notices::cases(), subject);
    assert!(report.rows.iter().all(|row| row.outcome.why().ends_with("no reply comes")), "{report:#?}");
}

#[test]
fn an_address_that_is_taken_is_told() {
    let first = Server::bind(None, None).unwrap();
    let error = Server::bind(Some(&first.addresses().requests), None).unwrap_err();
    assert_eq!(error.to_string(), format!("`{}`: Address already in use", first.addresses().requests));
    assert!(Server::bind(Some("nonsense"), None).is_err());
}
