//! The protocol's messages are messages, and its SQL does what it says.

use mongrel2::wire::{control, extended, reply, request, tnetstring};

use super::{blocks, document, m2sh};

#[test]
fn requests_parse() {
    let protocol = document("docs/protocol.md");
    let requests: Vec<_> =
        blocks(&protocol, "request").iter().map(|block| request::parse(block.as_bytes()).expect(block)).collect();
    let (notices, requests): (Vec<_>, Vec<_>) = requests.into_iter().partition(request::Request::is_notice);
    assert_eq!((notices.len(), requests.len()), (4, 7));
    for pair in [&requests[..], &notices[..2], &notices[2..]] {
        assert_eq!(pair[0], pair[1], "the same in both protocols");
    }
    assert!(notices[0].is_disconnect() && notices[2].credits() == Some(43));
}

#[test]
fn replies_parse() {
    let protocol = document("docs/protocol.md");
    let replies = blocks(&protocol, "reply");
    let replies = replies.iter().map(|block| reply::parse(block.as_bytes(), 128).expect(block));
    let (extended, plain): (Vec<_>, Vec<_>) = replies.partition(|reply| reply.extended);
    let counts: Vec<_> = plain.iter().map(|reply| (reply.ids.len(), reply.body.is_empty())).collect();
    assert_eq!(counts, [(1, false), (3, false), (1, true)]);
    assert_eq!(extended.len(), 4);
    for reply in extended {
        extended::parse(reply.body).unwrap();
    }
}

#[test]
fn access_lines_and_tnetstrings_parse() {
    let protocol = document("docs/protocol.md");
    for block in blocks(&protocol, "access") {
        let (value, rest) = tnetstring::parse(block.as_bytes()).expect(block);
        assert!(matches!(value, tnetstring::Value::List(elements) if elements.len() == 9) && rest.is_empty());
    }
    let table = protocol.split("### Tnetstrings").nth(1).and_then(|rest| rest.split("They nest").next()).unwrap();
    let examples: Vec<_> = table.lines().filter_map(|line| line.strip_suffix("` |")?.rsplit('`').next()).collect();
    assert_eq!(examples.len(), 7);
    for example in examples {
        let (_, rest) = tnetstring::parse(example.as_bytes()).expect(example);
        assert!(rest.is_empty(), "{example}");
    }
}

#[test]
fn the_control_ports_messages_parse() {
    let protocol = document("docs/protocol.md");
    let requests = blocks(&protocol, "control-request");
    let commands: Vec<_> = requests.iter().map(|block| control::parse_request(block.as_bytes()).unwrap()).collect();
    let kill = control::Command::Kill(control::Selector::Id(19));
    assert_eq!(commands, [control::Command::Status(control::Status::Net), kill]);
    let answers = blocks(&protocol, "control-answer");
    let answers: Vec<_> = answers.iter().map(|block| control::parse_answer(block.as_bytes()).unwrap()).collect();
    let ok = control::Table::row([("status", "OK".into())]);
    assert_eq!(answers, [Ok(ok), Err(control::Failure::CALLBACK_NOT_FOUND)]);
}

#[test]
fn every_code_and_command_of_the_control_port_is_there() {
    let (protocol, manual) = (document("docs/protocol.md"), document("docs/manual.md"));
    for (name, _) in control::COMMANDS {
        assert!(protocol.contains(&format!("`{name}`")), "{name}");
        assert!(manual.contains(&format!("| `{}", name.replace('_', " "))), "{name}");
    }
}

#[test]
fn sql_adds_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let script = std::fs::canonicalize("../examples/hello/config.rhai").unwrap();
    m2sh(folder.path(), &["load", "-config", script.to_str().unwrap()]);
    let database = rusqlite::Connection::open(folder.path().join("config.sqlite")).unwrap();
    let protocol = document("docs/protocol.md");
    blocks(&protocol, "sql").iter().for_each(|block| database.execute_batch(block).unwrap());
    drop(database);
    let answer = m2sh(folder.path(), &["route", "http://www.example.com:6767/x"]);
    assert!(answer.contains("target  dir example/ index index.html"), "{answer}");
    assert!(m2sh(folder.path(), &["log"]).contains(", deploy@box, example.com] new customer"));
}
