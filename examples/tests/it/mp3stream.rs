//! The radio: MP3 files that ffmpeg has made, and listeners of all kinds, ffmpeg among them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use testkit::http::{Client, ask};
use testkit::{Deployment, Process, wait};

use super::{example, python, random};

/// A server with its radio.
struct Running {
    deployment: Deployment,
    radio: Process,
    _server: Process,
}

impl Running {
    /// Plays what is in the folder `music` when `fill` has filled it; `None` without a Python.
    fn start(fill: impl FnOnce(&Path)) -> Option<Self> {
        let mut radio = python("mp3stream/mp3stream.py")?;
        let deployment = Deployment::of(example("mp3stream/config.rhai"), &["6767", "9979", "9978"]);
        let music = deployment.path().join("music");
        fs::create_dir(&music).unwrap();
        fill(&music);
        let _server = deployment.start();
        radio.arg(music).args([deployment.endpoint(1), deployment.endpoint(2)]);
        Some(Self { radio: Process::start(&mut radio), deployment, _server })
    }

    fn url(&self) -> String {
        format!("http://{}/mp3stream", self.deployment.address(0))
    }

    fn listener(&self, headers: &str) -> Listener {
        let mut stream = TcpStream::connect(self.deployment.address(0)).unwrap();
        stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
        write!(stream, "GET /mp3stream HTTP/1.1\r\nHost: x\r\n{headers}\r\n").unwrap();
        let mut listener = Listener { stream: BufReader::new(stream), head: String::new() };
        while !listener.head.ends_with("\r\n\r\n") {
            assert!(listener.stream.read_line(&mut listener.head).unwrap() > 0, "{}", listener.head);
        }
        listener
    }
}

/// Somebody who listens with a program of their own.
struct Listener {
    stream: BufReader<TcpStream>,
    head: String,
}

impl Listener {
    fn sound(&mut self, size: usize) -> Vec<u8> {
        let mut sound = vec![0; size];
        self.stream.read_exact(&mut sound).unwrap();
        sound
    }

    /// The sound up to the next title, and the title.
    fn piece(&mut self) -> (Vec<u8>, String) {
        let sound = self.sound(8192);
        let size = usize::from(self.sound(1)[0]) * 16;
        let title = String::from_utf8(self.sound(size)).unwrap();
        (sound, title.trim_end_matches('\0').to_owned())
    }
}

fn ffmpeg(words: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg").args(["-v", "error", "-nostdin", "-y"]).args(words).output().unwrap();
    assert!(output.status.success(), "ffmpeg {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A tone of so many hertz, for so many seconds.
fn tone(file: &Path, hertz: u32, seconds: u32, title: &[&str]) {
    let source = format!("sine=frequency={hertz}:duration={seconds}");
    let metadata = title.iter().flat_map(|tag| ["-metadata", tag]);
    let words: Vec<&str> = ["-f", "lavfi", "-i", &source].into_iter().chain(metadata).collect();
    ffmpeg(&[&words[..], &["-b:a", "128k", file.to_str().unwrap()]].concat());
}

/// How often a second of mono sound (16 bits, 44,100 a second) goes through zero upwards.
fn hertz(sound: &[u8]) -> usize {
    let samples: Vec<i16> = sound.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let second = &samples[samples.len() - 44_100..];
    second.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count()
}

/// What players are told.
pub(crate) fn tags(url: &str) -> String {
    let tags = ["-v", "error", "-show_entries", "format_tags=StreamTitle,icy-name", "-of", "default=nw=1", url];
    let output = Command::new("ffprobe").args(tags).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Three seconds of what is played, as samples of 16 bits, 44,100 a second.
pub(crate) fn listen(url: &str, icy: &str) -> Vec<u8> {
    ffmpeg(&["-icy", icy, "-i", url, "-t", "3", "-f", "s16le", "-ac", "1", "-ar", "44100", "-"])
}

#[test]
fn ffmpeg_hears_the_tone_and_sees_the_title() {
    if testkit::ffmpeg().is_none() {
        return;
    }
    let fill = |music: &Path| tone(&music.join("tone.mp3"), 440, 120, &["title=It's a tone", "artist=Zoë"]);
    let Some(running) = Running::start(fill) else { return };
    for icy in ["0", "1"] {
        let sound = listen(&running.url(), icy);
        assert!((430..450).contains(&hertz(&sound)), "{} Hz", hertz(&sound));
    }
    let told = tags(&running.url());
    assert!(told.contains("TAG:StreamTitle=Zoë - It’s a tone\n"), "{told}");
    assert!(told.contains("TAG:icy-name=mongrel2\n"), "{told}");
    assert_eq!(running.radio.stderr(), "");
}

#[test]
fn all_hear_the_same_and_titles_change() {
    if testkit::ffmpeg().is_none() {
        return;
    }
    let fill = |music: &Path| {
        tone(&music.join("1.mp3"), 440, 4, &["title=First"]);
        tone(&music.join("2.mp3"), 880, 4, &[]);
        // None of these is played, nor keeps the others from it.
        fs::write(music.join("0.mp3"), random(100_000, 1)).unwrap();
        fs::write(music.join("3.mp3"), "ID3\u{4}\0\0\u{7f}\u{7f}\u{7f}\u{7f}TIT2\0").unwrap();
        fs::write(music.join("4.mp3"), [0xff; 10_000]).unwrap();
        fs::create_dir(music.join("5.mp3")).unwrap();
        fs::write(music.join("notes.txt"), "no music").unwrap();
    };
    let Some(running) = Running::start(fill) else { return };
    let mut titled = running.listener("Icy-MetaData: 1\r\n");
    assert!(titled.head.contains("\r\nicy-metaint: 8192\r\n"), "{}", titled.head);
    assert!(titled.head.contains("\r\nContent-Type: audio/mpeg\r\n"), "{}", titled.head);
    let mut plain = running.listener("");
    assert!(!plain.head.contains("metaint"), "{}", plain.head);

    // Who leaves is forgotten, and who never reads harms nobody.
    drop(running.listener("Icy-MetaData: 1\r\n"));
    let _deaf: Vec<_> = (0..10).map(|_| running.listener("Icy-MetaData: 1\r\n")).collect();
    // Who comes later begins later.
    let first = plain.sound(8192);
    while titled.piece().0 != first {}
    let mut titles: Vec<String> = Vec::new();
    while !titles.ends_with(&["StreamTitle='First';".into(), "StreamTitle='2';".into()]) {
        let (sound, title) = titled.piece();
        assert!(plain.sound(8192) == sound, "both hear the same");
        if titles.last() != Some(&title) {
            titles.push(title);
        }
        assert!(titles.len() < 5, "{titles:?}");
    }
    running.radio.wait_for_stderr("5.mp3'");
}

#[test]
fn what_is_no_request_for_music() {
    let Some(running) = Running::start(|_| ()) else { return };
    let address = running.deployment.address(0);
    let answer = ask(address, "GET /mp3stream", "");
    assert_eq!((answer.status, answer.text().as_str()), (503, "there is no music\n"));
    assert_eq!(ask(address, "POST /mp3stream", "x").header("Allow"), Some("GET, HEAD"));
    let mut client = Client::connect(address);
    client.request("HEAD /mp3stream", "");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("audio/mpeg")));
    assert!(client.is_closed());
}
