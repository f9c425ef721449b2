//! A Flask application behind a server, as curl and a client that takes its time see it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use testkit::{Deployment, Process, wait};

use super::{curl, example, random};

/// A server with the application.
struct Running {
    deployment: Deployment,
    _server: Process,
    gateway: Process,
}

impl Running {
    /// `None` without a Python or curl.
    fn start() -> Option<Self> {
        let (python, _) = (testkit::python()?, testkit::curl()?);
        let deployment = Deployment::of(example("wsgi/config.rhai"), &["6767", "9975", "9974"]);
        let _server = deployment.start();
        let mut command = std::process::Command::new(python);
        let path = [example("python"), example("wsgi")].map(|folder| folder.display().to_string()).join(":");
        command.env("PYTHONPATH", path).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(deployment.path());
        command.args(["-m", "mongrel2.wsgi", "guestbook:app"]).args([deployment.endpoint(1), deployment.endpoint(2)]);
        let gateway = Process::start(&mut command);
        Some(Self { deployment, _server, gateway })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.deployment.address(0))
    }
}

#[test]
fn guests_sign_a_book_at_two_places() {
    let Some(running) = Running::start() else { return };
    for place in ["/", "/book/"] {
        sign(running.deployment.address(0), place, running.deployment.path());
    }
    let (status, head) = curl(&["-I"], &running.url("/"));
    assert!(status == 200 && head.contains("\r\nContent-Length: "), "{head}");
    assert_eq!(curl(&[], &running.url("/nothing")).0, 404);
    assert_eq!(curl(&["-d", "name=x"], &running.url("/")).0, 400);
    let (status, text) = curl(&["-0"], &running.url("/lines/3"));
    assert_eq!((status, text.lines().count()), (200, 3));
}

/// A guest signs the book that is at this place; cookies are kept in the folder.
pub(crate) fn sign(address: SocketAddr, place: &str, folder: &Path) {
    let jar = folder.join("cookies").display().to_string();
    let words = ["-L", "-b", &jar, "-c", &jar, "-d", "name=Zoë&text=<b>hi</b>"];
    let (status, page) = curl(&words, &format!("http://{address}{place}"));
    assert_eq!(status, 200);
    assert!(page.contains("<p><b>Zoë</b> &lt;b&gt;hi&lt;/b&gt;</p>"), "{page}");
    assert!(page.contains(&format!("action=\"{place}\"")), "{page}");
    assert!(page.contains("value=\"Zoë\""), "the session's cookie came back: {page}");
}

#[test]
fn bodies_of_any_length_come_in_and_go_out() {
    let Some(running) = Running::start() else { return };
    let file = running.deployment.path().join("big");
    fs::write(&file, random(20 * 1024 * 1024, 8)).unwrap();
    let digest = "4db9d376307d2c03f6bd5f9246fbcf628d6228b1d7563aa33e856d94fb74c237\n";
    assert_eq!(curl(&["-T", file.to_str().unwrap()], &running.url("/digest")), (200, digest.to_owned()));
    let uploads = fs::read_dir(running.deployment.path().join("tmp")).unwrap();
    assert_eq!(uploads.count(), 0, "each is removed");

    // Much more than a server keeps for a client: this one reads nothing until another has had its answer.
    let count = 200_000;
    let mut client = TcpStream::connect(running.deployment.address(0)).unwrap();
    client.set_read_timeout(Some(wait::DEADLINE)).unwrap();
    write!(client, "GET /lines/{count} HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(curl(&[], &running.url("/lines/10000")).0, 200);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8(answer).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.lines().count(), count);
    assert!(body.ends_with(&format!("{:099}\n", count - 1)));
}

#[test]
fn a_client_that_leaves_takes_no_thread_with_it() {
    let Some(running) = Running::start() else { return };
    for _ in 0..20 {
        let mut client = TcpStream::connect(running.deployment.address(0)).unwrap();
        write!(client, "GET /lines/100000000 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        client.read_exact(&mut [0; 15]).unwrap();
    }
    assert_eq!(curl(&[], &running.url("/lines/1")).0, 200, "eight threads have had twenty such clients");
    assert!(!running.gateway.stderr().contains("Traceback"), "{}", running.gateway.stderr());
}
