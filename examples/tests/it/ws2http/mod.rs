//! ws2http as it is used: a real server, the real bridge, and backends that a test has its way with.

mod backend;
mod bad;
mod events;
mod idle;
mod line;
mod orders;
mod rooms;
mod stop;

pub(crate) use rooms::meet;

use std::net::SocketAddr;
use std::process::Command;

use testkit::http::{Answer, Client};
use testkit::{Deployment, Process, program};

use super::example;
use super::socket::Socket;
use backend::Backend;

/// What bridge and backends show each other.
const TOKEN: &str = "a-token-that-nobody-guesses";

/// A server and a bridge.
struct Running {
    deployment: Deployment,
    bridge: SocketAddr,
    process: Process,
    server: Option<Process>,
}

impl Running {
    /// Sockets at `/php/socket` belong to the one backend, those at `/cgi/socket` to the other.
    fn start(php: &Backend, cgi: &Backend, options: &[&str]) -> Self {
        Self::with(&[("/php/socket", &php.url()), ("/cgi/socket", &cgi.url())], options)
    }

    /// All sockets belong to one backend.
    fn of(backend: &Backend, options: &[&str]) -> Self {
        Self::start(backend, backend, options)
    }

    fn with(routes: &[(&str, &str)], options: &[&str]) -> Self {
        let deployment = Deployment::of(example("ws2http/config.rhai"), &["6767", "9967", "9966"]);
        let server = Some(deployment.start());
        let address = testkit::free_address();
        let process = bridge(&deployment, address, routes, options);
        Self { deployment, bridge: address, process, server }
    }

    fn address(&self) -> SocketAddr {
        self.deployment.address(0)
    }

    /// Kills the server and starts another one.
    fn restart_server(&mut self) {
        // The other one needs its ports.
        self.server = None;
        self.server = Some(self.deployment.start());
    }

    /// A socket that the backend has agreed to.
    fn open(&self, target: &str) -> Socket {
        let (socket, head) = Socket::ask(self.address(), target, "");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        socket
    }

    /// The status with which a socket is refused.
    fn refused(&self, target: &str, headers: &str) -> u16 {
        status(&Socket::ask(self.address(), target, headers).1)
    }

    /// What the bridge answers to a form.
    fn post(&self, form: &str) -> (u16, String) {
        let answer = self.post_with(&format!("Authorization: Bearer {TOKEN}\r\n"), form);
        (answer.status, answer.text().trim_end().to_owned())
    }

    /// What the bridge answers to a question.
    fn list(&self, query: &str) -> String {
        let mut client = Client::connect(self.bridge);
        client.send(format!("GET /?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"));
        let answer = client.answer();
        assert_eq!(answer.status, 200, "{query}");
        answer.text()
    }

    fn post_with(&self, headers: &str, form: &str) -> Answer {
        let mut client = Client::connect(self.bridge);
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let length = form.len();
        client.send(format!("POST / HTTP/1.1\r\nHost: x\r\n{kind}\r\nContent-Length: {length}\r\n{headers}\r\n{form}"));
        client.answer()
    }
}

/// A bridge for a server, that takes orders at an address.
fn bridge(deployment: &Deployment, address: SocketAddr, routes: &[(&str, &str)], options: &[&str]) -> Process {
    let mut command = Command::new(program("ws2http"));
    command.args([deployment.endpoint(1), deployment.endpoint(2), "--listen".into(), address.to_string()]);
    for (pattern, url) in routes {
        command.args(["--route", pattern, url]);
    }
    if !options.contains(&"--timeout") {
        // A backend may get no CPU for some time, and is then asked twice.
        command.args(["--timeout", "60"]);
    }
    let process = Process::start(command.args(options).env("WS2HTTP_TOKEN", TOKEN));
    process.wait_for_stderr("orders at");
    process
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("it has a status")
}
