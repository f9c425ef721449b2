//! Files scattered over three handlers and gathered again; what happens when one of them is missing.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;

use testkit::http::{Answer, Client, ask, status_soon};
use testkit::{Deployment, Process, wait};

use super::{curl, example, python, random};

const COUNT: usize = 3;

/// Where clients connect, where handlers get requests, where they send replies, and where they talk to each other.
const PORTS: [&str; 3 + COUNT] = ["6767", "9985", "9984", "9986", "9987", "9988"];

/// For how many seconds handlers wait for each other: where none is missing, and where one is and may be waited for.
const PATIENT: &str = "30";
const IMPATIENT: &str = "4";

/// A server with three handlers.
struct Cluster {
    deployment: Deployment,
    handlers: Vec<Option<Process>>,
    wait: &'static str,
    _server: Process,
}

impl Cluster {
    /// `None` without a Python.
    fn start(wait: &'static str) -> Option<Self> {
        python("scatter/storage.py")?;
        let deployment = Deployment::of(example("scatter/config.rhai"), &PORTS);
        let _server = deployment.start();
        let mut cluster = Self { deployment, handlers: Vec::new(), wait, _server };
        cluster.handlers = (1..=COUNT).map(|number| Some(cluster.handler(number))).collect();
        cluster.is_ready();
        Some(cluster)
    }

    fn handler(&self, number: usize) -> Process {
        let mut command = python("scatter/storage.py").unwrap();
        let peers = (3..3 + COUNT).map(|index| self.deployment.endpoint(index));
        command.current_dir(self.deployment.path()).args([number.to_string(), COUNT.to_string()]);
        command.args(["--wait", self.wait, "--requests-from", &self.deployment.endpoint(1)]);
        command.args(["--replies-to", &self.deployment.endpoint(2), "--peers"]).args(peers);
        Process::start(&mut command)
    }

    /// Waits until the handlers answer together: their subscriptions take a moment.
    fn is_ready(&self) {
        self.handlers.iter().flatten().for_each(|handler| handler.wait_for_stderr("takes requests"));
        let status = || status_soon(self.deployment.address(0), "GET /files/nothing");
        wait::until("the handlers to know each other", || (status() == Some(404)).then_some(()));
    }

    fn kill(&mut self, number: usize) {
        self.handlers[number - 1] = None;
    }

    fn restart(&mut self, number: usize) {
        self.handlers[number - 1] = Some(self.handler(number));
        self.is_ready();
    }

    fn url(&self, name: &str) -> String {
        format!("http://{}/files/{name}", self.deployment.address(0))
    }

    fn ask(&self, method: &str, name: &str) -> Answer {
        ask(self.deployment.address(0), &format!("{method} /files/{name}"), "")
    }

    fn put(&self, name: &str, body: &[u8]) -> u16 {
        let mut client = Client::connect(self.deployment.address(0));
        client.send(format!("PUT /files/{name} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()));
        client.send(body);
        client.answer().status
    }

    fn get(&self, name: &str) -> Answer {
        self.ask("GET", name)
    }

    /// A connection that has asked for a file, and read the beginning of the answer's head.
    fn begin(&self, name: &str) -> TcpStream {
        wait::until("the file", || {
            let mut stream = TcpStream::connect(self.deployment.address(0)).unwrap();
            stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
            write!(stream, "GET /files/{name} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut line = [0; "HTTP/1.1 200 OK".len()];
            stream.read_exact(&mut line).unwrap();
            (&line == b"HTTP/1.1 200 OK").then_some(stream)
        })
    }

    /// What a handler keeps.
    fn shares(&self, number: usize) -> Vec<PathBuf> {
        shares(self.deployment.path(), number)
    }

    /// Whether a handler has a share open.
    fn has_open(&self, number: usize) -> bool {
        let id = self.handlers[number - 1].as_ref().unwrap().id();
        let folder = self.deployment.path().canonicalize().unwrap();
        let open = fs::read_dir(format!("/proc/{id}/fd")).unwrap();
        let mut files = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        files.any(|file| file.starts_with(&folder) && file.components().any(|part| is_share(part.as_os_str())))
    }
}

/// What a handler keeps, of those whose shares are in the folder.
fn shares(folder: &Path, number: usize) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join(format!("share-{number}"))).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn is_share(folder: &std::ffi::OsStr) -> bool {
    folder.to_string_lossy().starts_with("share-")
}

#[test]
fn curl_stores_a_file_and_gets_it_back() {
    let (Some(_), Some(cluster)) = (testkit::curl(), Cluster::start(PATIENT)) else { return };
    store_and_get_back(&cluster.url("a%20name/of%2Ftwo.bin"), cluster.deployment.path(), 5 * 1024 * 1024);
}

/// A file of that size is stored, comes back and is removed, wherever the handlers are; `folder` is where their shares are.
pub(crate) fn store_and_get_back(url: &str, folder: &Path, size: usize) {
    let [file, got] = ["file", "got"].map(|name| folder.join(name).display().to_string());
    let bytes = random(size, 1);
    fs::write(&file, &bytes).unwrap();
    assert_eq!(curl(&["-T", &file], url), (201, "stored\n".into()));
    for number in 1..=COUNT {
        let shares = shares(folder, number);
        let [share] = &shares[..] else { panic!("{shares:?}") };
        let part = usize::try_from(fs::metadata(share).unwrap().len()).unwrap();
        assert!((size * 3 / 10..size * 36 / 100).contains(&part), "share {number} has {part} bytes");
    }
    assert_eq!(curl(&["-o", &got], url).0, 200);
    assert!(fs::read(got).unwrap() == bytes);
    let (status, head) = curl(&["-I"], url);
    assert!(status == 200 && head.contains(&format!("\r\nContent-Length: {size}\r\n")), "{head}");
    assert!(head.contains("\r\nRepr-Digest: sha-256=:"), "{head}");
    assert_eq!(curl(&["-X", "DELETE"], url), (200, "deleted\n".into()));
    assert_eq!(curl(&[], url).0, 404);
    assert!((1..=COUNT).all(|number| shares(folder, number).is_empty()));
}

#[test]
fn sizes_around_the_stripes_come_back() {
    let Some(cluster) = Cluster::start(PATIENT) else { return };
    let stripe = 64 * 1024;
    for size in [0, 1, stripe - 1, stripe, stripe + 1, 3 * stripe, 3 * stripe + 1] {
        let bytes = random(size, size as u64);
        assert_eq!(cluster.put("same", &bytes), 201);
        assert!(cluster.get("same").body == bytes, "{size} bytes");
    }
    assert_eq!(cluster.shares(1).len(), 1, "each replaced the one before");
}

#[test]
fn many_clients_at_once_get_what_they_asked_for() {
    let Some(cluster) = Cluster::start(PATIENT) else { return };
    let files = [random(1024 * 1024, 2), random(700 * 1024, 3)];
    for (index, bytes) in files.iter().enumerate() {
        assert_eq!(cluster.put(&index.to_string(), bytes), 201);
    }
    thread::scope(|scope| {
        for client in 0..8 {
            let (cluster, files) = (&cluster, &files);
            scope.spawn(move || {
                for round in 0..2 {
                    let index = (client + round) % 2;
                    assert!(cluster.get(&index.to_string()).body == files[index], "client {client}");
                }
            });
        }
    });
}

#[test]
fn of_changes_at_once_one_is_done_and_no_share_is_left_behind() {
    let Some(cluster) = Cluster::start(PATIENT) else { return };
    let bodies: Vec<Vec<u8>> = (0..6).map(|seed| random(300 * 1024, seed)).collect();
    let put = |body| cluster.put("file", body);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let clients: Vec<_> = bodies.iter().map(|body| scope.spawn(move || put(body))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(statuses.contains(&201) && statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    let got = cluster.get("file").body;
    let stored = bodies.iter().zip(statuses).filter(|(body, _)| **body == got);
    assert_eq!(stored.map(|(_, status)| status).collect::<Vec<_>>(), [201]);
    assert!((1..=COUNT).all(|number| cluster.shares(number).len() == 1));
}

#[test]
fn names_lead_nowhere_and_other_methods_are_refused() {
    let Some(cluster) = Cluster::start(PATIENT) else { return };
    for name in ["../../share-1/x", "..%2F..%2Fetc%2Fpasswd", "%00", "%FF", "."] {
        assert_eq!(cluster.put(name, b"x"), 201, "{name}");
        assert_eq!(cluster.get(name).body, b"x", "{name}");
    }
    assert_eq!(cluster.shares(2).len(), 5);
    let mut names: Vec<_> =
        fs::read_dir(cluster.deployment.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let expected = ["config.rhai", "config.sqlite", "logs", "run", "share-1", "share-2", "share-3", "tmp"];
    assert_eq!(names, expected);
    let answer = cluster.ask("POST", "x");
    assert_eq!((answer.status, answer.header("Allow")), (405, Some("GET, HEAD, PUT, DELETE")));
}

#[test]
fn a_handler_that_is_down_is_noticed_and_comes_back() {
    let Some(mut cluster) = Cluster::start(IMPATIENT) else { return };
    let bytes = random(200 * 1024, 4);
    wait::until("the file to be stored", || (cluster.put("file", &bytes) == 201).then_some(()));
    for number in [COUNT, 1] {
        cluster.kill(number);
        let answer = cluster.get("file");
        assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("5")), "without {number}");
        if number == COUNT {
            assert_eq!(cluster.put("file", b"new"), 503);
            assert_eq!(cluster.ask("DELETE", "file").status, 503);
        }
        cluster.restart(number);
        wait::until("the file as it was", || (cluster.get("file").body == bytes).then_some(()));
    }
}

#[test]
fn a_share_that_is_missing_or_damaged_is_noticed() {
    let Some(cluster) = Cluster::start(PATIENT) else { return };
    let bytes = random(500 * 1024, 5);
    assert_eq!(cluster.put("file", &bytes), 201);
    let share = &cluster.shares(2)[0];
    let kept = fs::read(share).unwrap();

    // The last byte lies in a stripe that comes when the head is out already.
    fs::write(share, [&kept[..kept.len() - 1], &[!kept[kept.len() - 1]]].concat()).unwrap();
    let mut rest = Vec::new();
    cluster.begin("file").read_to_end(&mut rest).unwrap();
    assert!(!rest.is_empty() && rest.len() < bytes.len(), "{}", rest.len());

    fs::write(share, "nonsense\n").unwrap();
    assert_eq!(cluster.get("file").status, 502);
    fs::remove_file(share).unwrap();
    assert_eq!(cluster.get("file").status, 502);
    assert_eq!(cluster.put("file", b"anew"), 201);
    assert_eq!(cluster.get("file").body, b"anew");
}

#[test]
fn a_transfer_ends_with_its_client() {
    let Some(cluster) = Cluster::start(PATIENT) else { return };
    assert_eq!(cluster.put("file", &random(24 * 1024 * 1024, 6)), 201);
    let client = cluster.begin("file");
    wait::until("the shares to be open", || (1..=COUNT).all(|number| cluster.has_open(number)).then_some(()));
    drop(client);
    wait::until("the shares to be closed", || (1..=COUNT).all(|number| !cluster.has_open(number)).then_some(()));
}

#[test]
fn a_handler_that_dies_while_it_sends_ends_the_transfer() {
    let Some(mut cluster) = Cluster::start(IMPATIENT) else { return };
    let size = 24 * 1024 * 1024;
    wait::until("the file to be stored", || (cluster.put("file", &random(size, 7)) == 201).then_some(()));
    // More than the buffers of the sockets hold, so that it can't all be on its way.
    let mut client = cluster.begin("file");
    cluster.kill(2);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(rest.len() < size, "{}", rest.len());
}

#[test]
fn the_command_line_is_checked() {
    for words in [&["0", "3"][..], &["4", "3"], &["1", "2", "--peers", "tcp://127.0.0.1:1"], &["one", "3"]] {
        let Some(mut command) = python("scatter/storage.py") else { return };
        assert_eq!(command.args(words).output().unwrap().status.code(), Some(2), "{words:?}");
    }
}
