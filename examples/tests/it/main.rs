//! The examples in Python, JavaScript and PHP as their READMEs tell them: servers by m2sh, handlers as real processes.

#![cfg(test)]

mod bbs;
mod browser;
mod chat;
mod conformance;
mod demo;
mod handlertest;
mod libraries;
mod mp3stream;
mod notices;
mod pinned;
mod poll;
mod python;
mod scatter;
mod socket;
mod upload;
mod web;
mod websocket;
mod ws2http;
mod wsgi;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file of an example.
fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A command that runs a Python script of an example, and leaves nothing beside it.
fn python(script: &str) -> Option<Command> {
    let mut command = Command::new(testkit::python()?);
    command.arg(example(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(command)
}

/// Bytes without a pattern; the same for the same seed.
fn random(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(size.div_ceil(8)).flatten().collect();
    bytes.truncate(size);
    bytes
}

/// Runs curl to its end; gives the status of the answer and its body.
fn curl(words: &[&str], url: &str) -> (u16, String) {
    curl_with(Stdio::null(), words, url)
}

fn curl_with(stdin: Stdio, words: &[&str], url: &str) -> (u16, String) {
    let mut curl = testkit::curl().expect("the test has asked for it");
    let output = curl.args(["-w", "%{stderr}%{http_code}"]).args(words).arg(url).stdin(stdin).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {words:?} {url}: {said}");
    (said.trim().parse().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}
