//! Long texts as they are kept: compressed (RFC 1951), each with the SHA-256 that it is known by.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::config::canonical;

/// The longest text, in bytes: what claims to be longer is none that was written here.
const LONGEST: u64 = 1 << 30;

/// A text, compressed.
pub(super) fn pack(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).and_then(|()| encoder.finish()).expect("a Vec takes everything")
}

/// The text that was compressed, whatever it is.
pub(super) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    DeflateDecoder::new(packed).take(LONGEST).read_to_end(&mut text).ok()?;
    Some(text)
}

/// The text that was compressed, if it is the one of that SHA-256.
pub(in crate::config) fn unpack_known(digest: &str, packed: &[u8]) -> Option<Vec<u8>> {
    unpack(packed).filter(|text| canonical::digest(text) == digest)
}
