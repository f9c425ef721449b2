//! Uploads into files and as streams: what arrives, what is refused, and what stays of a client that leaves.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mongrel2::config::Protocol;
use mongrel2::wire::request::{self, Envelope, Headers};
use testkit::http::Client;
use testkit::{Deployment, FakeServer, Process, wait};

use super::{curl, curl_with, example, python, random};

/// What messages of a played server have in common.
const UUID: &str = "d5f0a1de-8a0b-4c2b-a6a7-3b7c38f3e3b5";
const ENVELOPE: Envelope<'_> = Envelope { sender: UUID, id: 7, path: b"/upload" };
const METHOD: (&str, &[u8]) = ("METHOD", b"PUT");

/// A body, the seed that it is made from, and its SHA-256.
const SIZE: usize = 20 * 1024 * 1024;
const SEED: u64 = 8;
const DIGEST: &str = "4db9d376307d2c03f6bd5f9246fbcf628d6228b1d7563aa33e856d94fb74c237";

const SHORT: &str = "a short one";
const DIGEST_OF_SHORT: &str = "8addc184f885bb5b0fe7fd4a9308fa4e4b379269b593deff0e40610994af0b8c";

/// A server with its handler.
struct Running {
    deployment: Deployment,
    handler: Process,
    path: &'static str,
    _server: Process,
}

impl Running {
    /// A server that writes uploads to files, and a handler for them.
    fn files(handler: Command) -> Self {
        let deployment = Deployment::of(example("upload/config.rhai"), &["6767", "9995", "9994"]);
        Self::start(deployment, handler, &["."], "/upload")
    }

    /// A server that passes uploads on, and the handler for them; `None` without a Python.
    fn stream() -> Option<Self> {
        let handler = python("upload/stream.py")?;
        let deployment = Deployment::of(example("upload/stream.rhai"), &["6768", "9993", "9992"]);
        Some(Self::start(deployment, handler, &[], "/stream"))
    }

    fn start(deployment: Deployment, mut handler: Command, words: &[&str], path: &'static str) -> Self {
        let _server = deployment.start();
        handler.current_dir(deployment.path()).args(words).args([deployment.endpoint(1), deployment.endpoint(2)]);
        Self { handler: Process::start(&mut handler), deployment, path, _server }
    }

    fn url(&self) -> String {
        format!("http://{}{}", self.deployment.address(0), self.path)
    }

    fn big(&self) -> PathBuf {
        let file = self.deployment.path().join("big");
        fs::write(&file, random(SIZE, SEED)).unwrap();
        file
    }

    fn upload(&self, words: &[&str]) -> [(u16, String); 2] {
        upload(words, &self.big(), &self.url())
    }

    fn upload_short(&self, words: &[&str]) -> (u16, String) {
        curl(&[words, &["-H", "Content-Type: application/octet-stream", "-d", SHORT]].concat(), &self.url())
    }

    fn uploads(&self) -> Vec<PathBuf> {
        fs::read_dir(self.deployment.path().join("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// A client that has sent the beginning of a body.
    fn begin(&self, headers: &str) -> Client {
        let mut client = Client::connect(self.deployment.address(0));
        let path = self.path;
        client.send(format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n{headers}\r\nsome of it"));
        client
    }
}

/// Uploads a file with curl, once with its length and once chunked.
fn upload(words: &[&str], file: &Path, url: &str) -> [(u16, String); 2] {
    let upload = |source: &str| {
        let stdin = File::open(file).unwrap();
        curl_with(Stdio::from(stdin), &[words, &["-T", source]].concat(), url)
    };
    [upload(file.to_str().unwrap()), upload("-")]
}

/// Uploads a hundred mebibytes, and gives what is answered, with what `sha256sum` says of them.
pub(crate) fn upload_a_film(folder: &Path, url: &str) -> ((u16, String), String) {
    let film = folder.join("film.mp4");
    fs::write(&film, random(1024 * 1024, SEED).repeat(100)).unwrap();
    let output = Command::new("sha256sum").arg(&film).output().unwrap();
    let digest = String::from_utf8(output.stdout).unwrap()[..64].to_owned();
    (curl(&["-T", film.to_str().unwrap()], url), digest)
}

fn javascript() -> Option<Command> {
    Some(testkit::node()?.script(&example("upload/upload.js")))
}

#[test]
fn python_hashes_files() {
    hashes_files(python("upload/upload.py"));
}

#[test]
fn javascript_hashes_files() {
    hashes_files(javascript());
}

fn hashes_files(handler: Option<Command>) {
    let (Some(handler), Some(_)) = (handler, testkit::curl()) else { return };
    let running = Running::files(handler);
    let answer = (200, format!("{DIGEST}\n"));
    assert_eq!(running.upload(&[]), [answer.clone(), answer]);
    let forged = ["-H", "X-Mongrel2-Upload-Start: config.rhai", "-H", "X-Mongrel2-Upload-Done: config.rhai"];
    assert_eq!(running.upload_short(&forged), (200, format!("{DIGEST_OF_SHORT}\n")));
    assert!(running.uploads().is_empty());

    let client = running.begin("");
    running.handler.wait_for_stderr("has begun");
    wait::until("the file", || (running.uploads().len() == 1).then_some(()));
    drop(client);
    wait::until("the file to go", || running.uploads().is_empty().then_some(()));
    assert_eq!(running.upload_short(&[]).0, 200);
}

/// As the README has it: a long file, and what `sha256sum` says of it.
#[test]
fn a_hundred_mebibytes_have_the_checksum_of_sha256sum() {
    let (Some(_), Some(python)) = (testkit::curl(), python("upload/upload.py")) else { return };
    let files = Running::files(python);
    let (answer, digest) = upload_a_film(files.deployment.path(), &files.url());
    assert_eq!(answer, (200, format!("{digest}\n")));
    assert!(files.uploads().is_empty());

    let Some(stream) = Running::stream() else { return };
    let (answer, digest) = upload_a_film(stream.deployment.path(), &stream.url());
    assert_eq!(answer, (200, format!("104857600 {digest}\n")));
}

#[test]
fn python_takes_no_other_file() {
    takes_no_other_file(python("upload/upload.py"));
}

#[test]
fn javascript_takes_no_other_file() {
    takes_no_other_file(javascript());
}

fn takes_no_other_file(handler: Option<Command>) {
    let Some(mut handler) = handler else { return };
    let server = FakeServer::start();
    let folder = Deployment::of(example("upload/config.rhai"), &[]);
    handler.current_dir(folder.path()).args([".", server.requests_from(), server.replies_to()]);
    let _handler = Process::start(&mut handler);
    let done = |start: &str, done: &str| {
        let headers = [("x-mongrel2-upload-start", start.as_bytes()), ("x-mongrel2-upload-done", done.as_bytes())];
        let client = headers.map(|(name, value)| (name.as_bytes(), value));
        server.send(request::render(Protocol::Json, &ENVELOPE, Headers { client: &client, server: &[METHOD] }, b""));
        String::from_utf8(server.recv()).unwrap()
    };
    assert!(done("tmp/upload.AAAAAA", "config.rhai").contains(" HTTP/1.1 400 "));
    assert!(done("tmp/upload.AAAAAA", "tmp/upload.AAAAAA").contains(" HTTP/1.1 500 "), "there is no such file");
    assert!(folder.path().join("config.rhai").exists());
    assert!(done("/config.rhai", "/config.rhai").contains(" HTTP/1.1 200 "), "a path counts from the chroot");
    assert!(!folder.path().join("config.rhai").exists());
}

#[test]
fn a_stream_is_hashed_while_it_comes() {
    let (Some(running), Some(_)) = (Running::stream(), testkit::curl()) else { return };
    let answer = (200, format!("{SIZE} {DIGEST}\n"));
    assert_eq!(running.upload(&[]), [answer.clone(), answer]);
    assert_eq!(running.upload_short(&[]), (200, format!("{} {DIGEST_OF_SHORT}\n", SHORT.len())));

    drop(running.begin(""));
    running.handler.wait_for_stderr("the client has left after ");
    assert_eq!(running.upload_short(&[]).0, 200);
    assert!(running.uploads().is_empty());
}

#[test]
fn another_type_is_refused_before_it_is_sent() {
    let (Some(running), Some(_)) = (Running::stream(), testkit::curl()) else { return };
    let told = "only application/octet-stream is taken here\n";
    let answer = (403, told.to_owned());
    assert_eq!(running.upload(&["-H", "Content-Type: text/html"]), [answer.clone(), answer]);
    let mut client = running.begin("Content-Type: text/html\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str()), (403, told));
    assert!(client.is_closed());
}

#[test]
fn credits_keep_a_window_open_and_lost_pieces_end_an_upload() {
    let Some(mut handler) = python("upload/stream.py") else { return };
    let server = FakeServer::start();
    let _handler = Process::start(handler.args([server.requests_from(), server.replies_to()]));
    let first = |headers: &[(&str, &[u8])], body: &[u8]| {
        let server_headers = [&[METHOD], headers].concat();
        let headers = Headers { client: &[], server: &server_headers };
        server.send(request::render(Protocol::Json, &ENVELOPE, headers, body));
        String::from_utf8(server.recv()).unwrap()
    };
    let piece = |offset: &str, size: usize| {
        let headers: [(&str, &[u8]); 1] = [("UPLOAD_STREAM", offset.as_bytes())];
        server.send(request::render_piece(Protocol::Json, &ENVELOPE, &headers, &vec![0; size]));
    };
    let credits = |count: &str| format!("{UUID} 3:X 7, 29:3:ctl,19:7:credits,{}:{count}#}}]", count.len());
    let closed = format!("{UUID} 1:7, ");
    let recv = || String::from_utf8(server.recv()).unwrap();

    assert_eq!(first(&[("UPLOAD_STREAM", b"0")], b"0123456789"), credits("262144"));
    piece("10", 65536);
    piece("65546", 65536);
    assert_eq!(recv(), credits("131072"));
    piece("131083", 1);
    assert_eq!(recv(), closed, "a byte is missing");
    server.send(request::render_disconnect(Protocol::Json, UUID, 7));
    piece("131082", 1);
    assert_eq!(recv(), closed, "nobody knows it");
    assert!(
        first(&[("UPLOAD_STREAM", b"0"), ("UPLOAD_STREAM_DONE", b"1")], b"abc")
            .ends_with("\r\n\r\n3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n")
    );
}
