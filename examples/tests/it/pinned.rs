//! Two browsers and a program that knows its users by their connections, with a server between them that pins each
//! browser's session to one of those connections.

use std::net::SocketAddr;
use std::thread;

use testkit::http::{Answer, Client};
use testkit::{Deployment, Process};

use super::python;

/// Where clients connect, and where the program listens.
const PORTS: [&str; 2] = ["6767", "8090"];

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// The server, and the program behind it.
struct Bench {
    deployment: Deployment,
    upstream: Option<Process>,
    _server: Process,
}

impl Bench {
    /// `None` without a Python.
    fn start() -> Option<Self> {
        python("pinned/records.py")?;
        let deployment = Deployment::of(super::example("pinned/config.rhai"), &PORTS);
        let upstream = Some(records(deployment.address(1)));
        let _server = deployment.start();
        Some(Self { deployment, upstream, _server })
    }

    fn browser(&self) -> Browser {
        Browser::new(self.deployment.address(0), "")
    }

    fn restart_upstream(&mut self) {
        self.upstream = None;
        self.upstream = Some(records(self.deployment.address(1)));
    }

    /// The rows of `m2sh control status sessions`.
    fn sessions(&self) -> Vec<Vec<String>> {
        let told = self.deployment.told(&["control", "status", "sessions"]);
        told.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }
}

fn records(address: SocketAddr) -> Process {
    let mut command = python("pinned/records.py").expect("the test has asked for it");
    let process = Process::start(command.args(["--port", &address.port().to_string()]));
    process.wait_for_stderr("listens on");
    process
}

/// A cookie jar, and the connections that share it.
#[derive(Clone)]
struct Browser {
    address: SocketAddr,
    /// What the program's paths begin with.
    prefix: &'static str,
    cookie: Option<String>,
}

impl Browser {
    fn new(address: SocketAddr, prefix: &'static str) -> Self {
        Self { address, prefix, cookie: None }
    }

    fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// A request, with the cookie that was set last.
    fn ask(&mut self, client: &mut Client, line: &str, body: &str) -> Answer {
        let cookie = self.cookie.iter().map(|cookie| format!("Cookie: theme=dark; {cookie}; lang=en\r\n"));
        let cookie: String = cookie.collect();
        let length = body.len();
        client.send(format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\n{cookie}{FORM}Content-Length: {length}\r\n\r\n{body}"
        ));
        let answer = client.answer();
        if let Some(set) = answer.header("Set-Cookie") {
            self.cookie = set.split(';').next().map(str::to_owned);
        }
        answer
    }

    fn login(&mut self, client: &mut Client, role: &str, password: &str) -> u16 {
        self.ask(client, &format!("POST {}/login", self.prefix), &format!("role={role}&password={password}")).status
    }

    /// What the program says of the connection that it is asked by.
    fn who(&mut self, client: &mut Client) -> Who {
        let answer = self.ask(client, &format!("GET {}/who", self.prefix), "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        Who::read(&answer.text())
    }
}

/// Who a connection of the program's is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Who {
    connection: u64,
    requests: u64,
    role: Option<String>,
    text: String,
}

impl Who {
    fn read(text: &str) -> Self {
        let value = |name: &str| {
            let rest = text.split_once(&format!("\"{name}\": ")).unwrap_or_else(|| panic!("no {name} in {text}")).1;
            rest.split([',', '}']).next().unwrap_or_default().trim().to_owned()
        };
        let role = Some(value("role")).filter(|role| role != "null").map(|role| role.trim_matches('"').to_owned());
        let number = |name| value(name).parse().unwrap();
        Self { connection: number("connection"), requests: number("requests"), role, text: text.to_owned() }
    }

    fn is(&self, connection: u64, role: Option<&str>) {
        assert_eq!((self.connection, self.role.as_deref()), (connection, role), "{}", self.text);
    }
}

/// Two browsers are two users, wherever the program is behind a proxy that pins.
pub(crate) fn two_are_not_each_other(address: SocketAddr, prefix: &'static str) {
    let [mut doctor, mut nurse] = [Browser::new(address, prefix), Browser::new(address, prefix)];
    let [mut client, mut other] = [doctor.connect(), nurse.connect()];
    assert_eq!(doctor.login(&mut client, "doctor", "scalpel"), 303);
    assert_eq!(nurse.login(&mut other, "nurse", "lamp"), 303);
    let (one, two) = (doctor.who(&mut client), nurse.who(&mut other));
    assert_eq!((one.role.as_deref(), two.role.as_deref()), (Some("doctor"), Some("nurse")));
    // A connection more is the same session.
    doctor.who(&mut doctor.connect()).is(one.connection, Some("doctor"));
    let page = nurse.ask(&mut other, &format!("GET {prefix}/"), "").text();
    assert!(page.contains("You are <b>nurse</b>") && !page.contains("diagnoses"), "{page}");
}

#[test]
fn the_program_knows_users_by_their_connections() {
    let Some(_) = python("pinned/records.py") else { return };
    let address = testkit::free_address();
    let _upstream = records(address);
    let mut browser = Browser::new(address, "");
    let [mut first, mut second] = [browser.connect(), browser.connect()];
    let one = browser.who(&mut first);
    assert_eq!((one.requests, one.role.as_deref()), (1, None));
    assert_eq!(browser.login(&mut first, "nurse", "scalpel"), 403);
    assert_eq!(browser.login(&mut first, "doctor", "scalpel"), 303);
    let page = browser.ask(&mut first, "GET /", "").text();
    assert!(page.contains("You are <b>doctor</b>") && page.contains("diagnoses"), "{page}");
    let two = browser.who(&mut second);
    assert!(two.connection != one.connection && two.role.is_none(), "{two:?}");
    assert_eq!(browser.login(&mut second, "nurse", "lamp"), 303);
    let again = browser.who(&mut first);
    again.is(one.connection, Some("doctor"));
    assert_eq!(again.requests, 5);
    assert!(!browser.who(&mut second).text.contains("diagnoses"));
    assert_eq!(browser.ask(&mut first, "POST /logout", "").status, 303);
    browser.who(&mut first).is(one.connection, None);
    assert_eq!(browser.ask(&mut first, "GET /else", "").status, 404);
    assert_eq!(browser.ask(&mut first, "POST /login", &"x".repeat(20_000)).status, 413);
    assert!(first.is_closed());
}

#[test]
fn each_session_has_its_connection_and_nobody_elses() {
    let Some(bench) = Bench::start() else { return };
    let users = [("doctor", "scalpel"), ("nurse", "lamp"), ("doctor", "scalpel")];
    let mut browsers = Vec::new();
    for (role, password) in users {
        let mut browser = bench.browser();
        let mut client = browser.connect();
        let who = browser.who(&mut client);
        assert_eq!((who.requests, &who.role), (1, &None), "a connection that somebody has had");
        assert_eq!(browser.login(&mut client, role, password), 303);
        browsers.push((browser, role, who.connection));
    }
    let mut connections: Vec<u64> = browsers.iter().map(|(_, _, connection)| *connection).collect();
    connections.sort_unstable();
    connections.dedup();
    assert_eq!(connections.len(), users.len());

    const ROUNDS: u64 = 30;
    const TABS: u64 = 4;
    thread::scope(|scope| {
        for (browser, role, connection) in &browsers {
            for _ in 0..TABS {
                // Each tab has connections of its own, which come to whichever worker.
                scope.spawn(move || {
                    let mut browser = browser.clone();
                    let mut client = browser.connect();
                    let mut before = 0;
                    for round in 0..ROUNDS {
                        if round % 10 == 9 {
                            client = browser.connect();
                        }
                        let who = browser.who(&mut client);
                        who.is(*connection, Some(role));
                        assert!(who.requests > before, "{who:?}");
                        before = who.requests;
                    }
                });
            }
        }
        // Those who have no session come in between.
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                let mut browser = bench.browser();
                let who = browser.who(&mut browser.connect());
                assert_eq!((who.requests, &who.role), (1, &None), "{who:?}");
                assert!(!connections.contains(&who.connection), "{who:?}");
            }
        });
    });
    for (browser, role, connection) in &mut browsers {
        let mut client = browser.connect();
        let who = browser.who(&mut client);
        who.is(*connection, Some(role));
        // No request of the session went another way: two at first, those of the tabs, and this one.
        assert_eq!(who.requests, 2 + TABS * ROUNDS + 1, "{who:?}");
    }
}

#[test]
fn requests_at_once_take_turns_on_the_sessions_connection() {
    let Some(bench) = Bench::start() else { return };
    let mut browser = bench.browser();
    let mut first = browser.connect();
    let connection = browser.who(&mut first).connection;
    let mut clients: Vec<Client> = (0..8).map(|_| browser.connect()).collect();
    let cookie = browser.cookie.clone().unwrap();
    for client in &mut clients {
        client.send(format!("GET /who HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"));
    }
    let mut requests: Vec<u64> = Vec::new();
    for client in &mut clients {
        let who = Who::read(&client.answer().text());
        who.is(connection, None);
        requests.push(who.requests);
    }
    requests.sort_unstable();
    assert_eq!(requests, (2..10).collect::<Vec<u64>>());
}

#[test]
fn the_cookie_is_the_servers_and_the_program_never_sees_it() {
    let Some(bench) = Bench::start() else { return };
    let mut browser = bench.browser();
    let mut client = browser.connect();
    let first = browser.ask(&mut client, "GET /who", "");
    let set = first.header("Set-Cookie").expect("a new session").to_owned();
    let (cookie, attributes) = set.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
    let token = cookie.strip_prefix("records=").unwrap();
    assert!(token.len() >= 22, "{set}");

    let second = browser.ask(&mut client, "GET /who", "");
    assert_eq!(second.header("Set-Cookie"), None);
    let who = Who::read(&second.text());
    assert!(who.text.contains("theme=dark") && who.text.contains("lang=en") && !who.text.contains(token), "{who:?}");

    // One that was never given out is worth nothing, and neither is one of another name.
    for forged in ["records=00000000000000000000000000000000", "records=", "Records=x"] {
        let mut stranger = Browser { cookie: Some(forged.into()), ..bench.browser() };
        let mut client = stranger.connect();
        let answer = stranger.ask(&mut client, "GET /who", "");
        assert!(answer.header("Set-Cookie").is_some_and(|set| set.starts_with("records=") && !set.contains(token)));
        assert_ne!(Who::read(&answer.text()).connection, who.connection, "{forged}");
    }
}

#[test]
fn a_session_that_is_killed_is_nobodys_any_more() {
    let Some(bench) = Bench::start() else { return };
    let [mut doctor, mut nurse] = [bench.browser(), bench.browser()];
    let [mut client, mut other] = [doctor.connect(), nurse.connect()];
    assert_eq!(doctor.login(&mut client, "doctor", "scalpel"), 303);
    assert_eq!(nurse.login(&mut other, "nurse", "lamp"), 303);
    let (before, cookie) = (doctor.who(&mut client), doctor.cookie.clone());
    let kept = nurse.who(&mut other);
    let sessions = bench.sessions();
    let upstream = bench.deployment.address(1).to_string();
    let shown: Vec<_> = sessions.iter().map(|row| [&row[0], &row[1], &row[2], &row[3], &row[4]]).collect();
    assert_eq!(shown, [["1", "/", "127.0.0.1", &upstream, "2"], ["2", "/", "127.0.0.1", &upstream, "2"]]);
    assert_eq!(bench.deployment.told(&["control", "kill", "session", "1"]), "OK\n");

    let after = doctor.who(&mut client);
    assert!(after.role.is_none() && after.connection != before.connection, "{after:?}");
    assert_ne!(doctor.cookie, cookie);
    nurse.who(&mut other).is(kept.connection, Some("nurse"));
}

#[test]
fn sessions_survive_a_reload() {
    let Some(bench) = Bench::start() else { return };
    let mut browser = bench.browser();
    let mut client = browser.connect();
    assert_eq!(browser.login(&mut client, "nurse", "lamp"), 303);
    let before = browser.who(&mut client);
    bench.deployment.told(&["reload"]);
    browser.who(&mut client).is(before.connection, Some("nurse"));
    browser.who(&mut browser.connect()).is(before.connection, Some("nurse"));
}

#[test]
fn a_connection_that_the_program_drops_costs_one_answer_and_the_login() {
    let Some(mut bench) = Bench::start() else { return };
    let mut browser = bench.browser();
    let mut client = browser.connect();
    assert_eq!(browser.login(&mut client, "doctor", "scalpel"), 303);
    bench.restart_upstream();
    assert_eq!(browser.ask(&mut client, "GET /who", "").status, 502);
    let who = browser.who(&mut browser.connect());
    assert_eq!((who.requests, who.role), (1, None));
}
