//! A file as it is served: its bytes or its descriptor, its validators, and the header lines that never change.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rustix::fs::{Stat, fstat};

use super::conditions::Validators;
use super::{Directory, Opened};

/// Files up to this size are read into memory; larger ones are sent by the kernel.
pub(crate) const SMALL: u64 = 64 * 1024;

/// A file that can be sent any number of times.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) body: Body,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) modified: SystemTime,
    pub(crate) mimetype: String,
    /// The header lines of every answer about the file, 304 among them.
    pub(crate) validators: String,
    /// The header lines of answers that have parts of the file in them.
    pub(crate) entity: String,
    /// All header lines of an answer that has the whole file in it.
    pub(crate) whole: String,
}

/// Where the bytes are.
#[derive(Debug)]
pub(crate) enum Body {
    Memory(Bytes),
    Disk(File),
}

impl Served {
    /// Reads what has to be known of an open file; `mimetype` knows the media types by extension.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn new(
        opened: Opened,
        directory: &Directory,
        mimetype: impl Fn(&str) -> Option<String>,
    ) -> io::Result<(Self, Stat)> {
        let stat = fstat(&opened.file)?;
        let stated = u64::try_from(stat.st_size).unwrap_or(0);
        let body = if stated <= SMALL { Body::Memory(read(&opened.file, stated)?) } else { Body::Disk(opened.file) };
        let size = if let Body::Memory(bytes) = &body { bytes.len() as u64 } else { stated };
        let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
        let modified = UNIX_EPOCH + Duration::from_secs(seconds);
        let coding = opened.encoding.map_or_else(String::new, |encoding| format!("-{}", encoding.token()));
        let etag = format!("\"{seconds:x}-{:x}-{size:x}{coding}\"", stat.st_mtime_nsec);
        let mut validators = format!("Last-Modified: {}\r\nETag: {etag}\r\n", httpdate::fmt_http_date(modified));
        if !directory.cache_ttl.is_zero() {
            validators.push_str(&format!("Cache-Control: max-age={}\r\n", directory.cache_ttl.as_secs()));
        }
        if opened.varies {
            validators.push_str("Vary: Accept-Encoding\r\n");
        }
        let coded = |encoding: super::Encoding| format!("Content-Encoding: {}\r\n", encoding.token());
        let entity = opened.encoding.map_or_else(String::new, coded) + "Accept-Ranges: bytes\r\n";
        let mimetype = mimetype(&extension(&opened.name)).unwrap_or_else(|| directory.fallback_type());
        let whole = format!("{validators}{entity}Content-Type: {mimetype}\r\nContent-Length: {size}\r\n");
        Ok((Self { body, size, etag, modified, mimetype, validators, entity, whole }, stat))
    }

    /// What the client's conditions are compared with.
    pub(crate) fn to_validators(&self) -> Validators<'_> {
        Validators { etag: &self.etag, modified: self.modified }
    }
}

impl Directory {
    fn fallback_type(&self) -> String {
        match self.default_ctype.as_str() {
            "" => "application/octet-stream".into(),
            default => default.into(),
        }
    }
}

/// A file's extension with its dot, in lower case; empty if it has none.
fn extension(name: &str) -> String {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    extension.map_or_else(String::new, |extension| format!(".{}", extension.to_ascii_lowercase()))
}

/// Reads at most `size` bytes: a file that grows meanwhile is served as it was.
fn read(file: &File, size: u64) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}
