//! Names against a name server that is played here.

use std::collections::BTreeMap;
use std::net::UdpSocket;

use hickory_resolver::proto::op::{Message, Query};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use testkit::wait;

use super::*;

/// How a played name server answers a question: datagrams, one after the other.
type Play = fn(&Message, &Query) -> Vec<Vec<u8>>;

/// A played name server.  Its thread is left to the end of the tests.
struct Dns {
    address: SocketAddr,
    /// How often each question was asked.
    asked: Arc<Mutex<BTreeMap<(String, RecordType), usize>>>,
}

impl Dns {
    fn start(play: Play) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(BTreeMap::new()));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut buffer) {
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let query = question.queries[0].clone();
                let key = (query.name().to_string(), query.query_type());
                *count.lock().unwrap().entry(key).or_default() += 1;
                for datagram in play(&question, &query) {
                    socket.send_to(&datagram, client).unwrap();
                }
            }
        });
        Self { address, asked }
    }

    fn names(&self) -> Names {
        self.names_with("search one.example two.example\nnameserver 10.255.255.1\n")
    }

    fn names_with(&self, resolver: &str) -> Names {
        Names::start(&System::parse(resolver.as_bytes(), b"10.0.0.9 known\n"), &[self.address])
    }

    fn asked(&self, name: &str, kind: RecordType) -> usize {
        self.asked.lock().unwrap().get(&(name.to_owned(), kind)).copied().unwrap_or_default()
    }
}

fn reply(question: &Message, query: &Query, code: ResponseCode, records: Vec<(&str, u32, RData)>) -> Message {
    let mut reply = Message::response(question.id, question.op_code);
    reply.metadata.response_code = code;
    reply.metadata.recursion_available = true;
    reply.add_query(query.clone());
    let record = |(name, ttl, data)| Record::from_rdata(Name::from_ascii(name).unwrap(), ttl, data);
    reply.insert_answers(records.into_iter().map(record).collect());
    reply
}

fn ipv4(last: u8) -> RData {
    RData::A(A::new(10, 0, 0, last))
}

fn alias(name: &str) -> RData {
    RData::CNAME(CNAME(Name::from_ascii(name).unwrap()))
}

/// A name server with a few names.
fn zone(question: &Message, query: &Query) -> Vec<Vec<u8>> {
    let name = query.name().to_string().to_ascii_lowercase();
    let ipv6 = || RData::AAAA(AAAA::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
    let records = match (name.as_str(), query.query_type()) {
        ("both.example.", RecordType::A) => vec![(".", 60, ipv4(2)), (".", 60, ipv4(1)), (".", 60, ipv4(2))],
        ("both.example." | "six.example.", RecordType::AAAA) => vec![(".", 60, ipv6())],
        ("under_score.example." | "short.two.example.", RecordType::A) => vec![(".", 60, ipv4(3))],
        ("alias.example.", RecordType::A) => vec![
            ("alias.example.", 60, alias("middle.example.")),
            ("middle.example.", 7, alias("both.example.")),
            ("both.example.", 60, ipv4(1)),
        ],
        ("far.example.", RecordType::A) => vec![("far.example.", 60, alias("both.example."))],
        ("circle.example.", RecordType::A) => vec![("circle.example.", 60, alias("circle.example."))],
        ("brief.example.", RecordType::A) => vec![(".", 1, ipv4(4))],
        ("never.example.", RecordType::A) => vec![(".", 0, ipv4(5))],
        ("ages.example.", RecordType::A) => vec![(".", u32::MAX >> 1, ipv4(6))],
        ("failing.example.", _) => {
            return vec![reply(question, query, ResponseCode::ServFail, vec![]).to_vec().unwrap()];
        }
        ("both.example." | "six.example." | "alias.example." | "far.example." | "text.example.", _) => vec![],
        _ => return vec![reply(question, query, ResponseCode::NXDomain, vec![]).to_vec().unwrap()],
    };
    let named = |(owner, ttl, data)| (if owner == "." { name.as_str() } else { owner }, ttl, data);
    let records = records.into_iter().map(named).collect();
    vec![reply(question, query, ResponseCode::NoError, records).to_vec().unwrap()]
}

/// Answers that are none: with a wrong id, to another question, too short.
fn spoofed(question: &Message, query: &Query) -> Vec<Vec<u8>> {
    let mut wrong = reply(question, query, ResponseCode::NoError, vec![("both.example.", 60, ipv4(66))]);
    wrong.metadata.id = question.id.wrapping_add(1);
    let other = Query::query(Name::from_ascii("other.example.").unwrap(), query.query_type());
    let forged = reply(question, &other, ResponseCode::NoError, vec![("both.example.", 60, ipv4(67))]);
    vec![wrong.to_vec().unwrap(), forged.to_vec().unwrap(), vec![7], vec![]]
}

fn resolve(names: &Names, name: &str) -> Result<Resolved, NameError> {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(names.resolve(name))
}

fn addresses(names: &Names, name: &str) -> String {
    match resolve(names, name) {
        Ok(resolved) => resolved.addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn names_lead_to_addresses() {
    let dns = Dns::start(zone);
    let names = dns.names();
    for (name, expected) in [
        ("both.example", "10.0.0.2 10.0.0.1 fd00::1"),
        ("both.example.", "10.0.0.2 10.0.0.1 fd00::1"),
        ("BOTH.Example", "10.0.0.2 10.0.0.1 fd00::1"),
        ("six.example", "fd00::1"),
        ("under_score.example", "10.0.0.3"),
        ("alias.example", "10.0.0.1"),
        ("far.example", "10.0.0.2 10.0.0.1"),
        ("short", "10.0.0.3"),
        ("short.", "there is no such name"),
        ("text.example", "there is no such name"),
        ("nothing.example.", "there is no such name"),
        ("failing.example.", "no name server answers"),
        ("", "there is no such name"),
        (".", "there is no such name"),
        ("a..example", "there is no such name"),
        ("-\nx; rm.example", "there is no such name"),
        (&"long.".repeat(60), "there is no such name"),
    ] {
        assert_eq!(addresses(&names, name), expected, "{name}");
    }
    let circle = resolve(&names, "circle.example.");
    assert!(circle.is_err(), "{circle:?}");
}

#[test]
fn what_is_known_needs_no_thread() {
    let dns = Dns::start(zone);
    let names = dns.names();
    for (name, expected) in [
        ("10.1.2.3", "10.1.2.3"),
        ("::1", "::1"),
        ("localhost", "127.0.0.1 ::1"),
        ("Known.", "10.0.0.9"),
        ("not a name", "there is no such name"),
    ] {
        assert_eq!(addresses(&names, name), expected, "{name}");
    }
    let alone = Names::start(&System::parse(b"", b""), &[]);
    assert_eq!(addresses(&alone, "both.example"), "there is no name server to ask");
    assert!(names.0.thread.lock().unwrap().is_none() && alone.0.thread.lock().unwrap().is_none());
    assert!(dns.asked.lock().unwrap().is_empty());
}

#[test]
fn answers_are_kept_until_they_expire() {
    let dns = Dns::start(zone);
    let names = dns.names();
    for (name, least, most) in
        [("both.example.", 2, 60), ("alias.example.", 1, 7), ("never.example.", 1, 1), ("ages.example.", 3599, 3600)]
    {
        let before = Instant::now();
        let until = resolve(&names, name).unwrap().until;
        assert!(until >= before + Duration::from_secs(least), "{name}");
        assert!(until <= Instant::now() + Duration::from_secs(most), "{name}");
    }
    assert_eq!(resolve(&names, "both.example").unwrap().addresses.len(), 3);
    // A question may be repeated, and come late.
    let is_asked_anew = |name: &str| {
        let before = dns.asked(name, RecordType::A);
        resolve(&names.clone(), name).unwrap();
        dns.asked(name, RecordType::A) > before
    };
    wait::until("an answer that is kept", || (!is_asked_anew("both.example.")).then_some(()));
    wait::until("another question", || is_asked_anew("brief.example.").then_some(()));
}

#[test]
fn nothing_but_an_answer_is_taken_for_one() {
    let dns = Dns::start(|question, query| [spoofed(question, query), zone(question, query)].concat());
    assert_eq!(addresses(&dns.names(), "both.example."), "10.0.0.2 10.0.0.1 fd00::1");
    let dns = Dns::start(spoofed);
    assert_eq!(addresses(&dns.names(), "both.example."), "no name server answers");
}

#[test]
fn garbage_and_silence_are_no_answers() {
    let silent: Play = |_, _| vec![];
    let garbage: Play = |question, _| {
        let mut datagram = question.id.to_be_bytes().to_vec();
        datagram.resize(600, 0xff);
        vec![datagram]
    };
    for play in [silent, garbage] {
        let dns = Dns::start(play);
        assert_eq!(addresses(&dns.names(), "both.example."), "no name server answers");
    }
}

#[test]
fn an_address_is_enough_if_the_other_kind_is_never_told() {
    let dns = Dns::start(|question, query| match query.query_type() {
        RecordType::A => zone(question, query),
        _ => vec![],
    });
    assert_eq!(addresses(&dns.names(), "both.example."), "10.0.0.2 10.0.0.1");
}

#[test]
fn a_second_name_server_answers_for_the_first() {
    let (silent, dns) = (Dns::start(|_, _| vec![]), Dns::start(zone));
    let names = Names::start(&System::parse(b"", b""), &[silent.address, dns.address]);
    assert_eq!(addresses(&names, "both.example."), "10.0.0.2 10.0.0.1 fd00::1");
}

#[test]
fn the_thread_ends_when_nobody_can_ask_it() {
    let dns = Dns::start(zone);
    let names = dns.names();
    let thread = names.thread().unwrap();
    assert!(addresses(&names.clone(), "both.example.").starts_with("10."));
    let ended = thread.downgrade();
    drop((names, thread));
    assert!(ended.upgrade().is_none());
}
