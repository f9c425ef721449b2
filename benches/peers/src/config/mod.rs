//! Equal configurations: one worker, no access log, endless keep-alive, sendfile, no compression.
//!
//! Whatever isn't needed for that is left as the server has it by default.  [`others`] has those of nginx, lighttpd
//! and haproxy, [`database`] the one that this server and the original share.

mod database;
mod others;

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::args::Place;
use crate::error::Error;
use crate::peer::{Kind, Peer};
use crate::row::Setup;
use crate::tls;

/// The files that are served, and their sizes in bytes.
pub(crate) const FILES: [(&str, usize); 4] =
    [("1k.txt", 1024), ("100k.txt", 100 * 1024), ("10m.txt", 10 * 1024 * 1024), ("100m.txt", 100 * 1024 * 1024)];

/// Larger files are holes.
const WRITTEN: usize = 10 * 1024 * 1024;

/// A folder with everything that a server needs.
#[derive(Debug)]
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) address: SocketAddr,
    /// Whether it speaks TLS.
    pub(crate) tls: bool,
    /// What the name of a file, or the word for a handler, is appended to.
    pub(crate) prefix: String,
    /// The handlers to be started, each with where it finds the server.
    pub(crate) handlers: Vec<Place>,
}

impl Site {
    /// Writes files and configuration; requests go to the last of the routes.
    ///
    /// # Errors
    /// They can't be written.
    pub(crate) fn prepare(kind: Kind, setup: Setup, upstream: Option<SocketAddr>) -> Result<Self, Error> {
        let folder = tempfile::tempdir().map_err(Error::doing("make a temporary folder"))?;
        files(folder.path()).map_err(Error::doing("write files to serve"))?;
        certificate(folder.path())?;
        let address = free_addresses(1).map_err(Error::doing("find a free port"))?[0];
        let places = places(folder.path(), setup).map_err(Error::doing("find free ports"))?;
        let write = |text: String| {
            fs::write(folder.path().join("config"), text).map_err(Error::doing("write the configuration"))
        };
        match kind {
            Kind::Nginx => write(others::nginx(folder.path(), address, setup, upstream))?,
            Kind::Haproxy => write(others::haproxy(address, upstream.ok_or(Error::NoUpstream)?))?,
            Kind::Lighttpd => write(others::lighttpd(folder.path(), address))?,
            Kind::Original | Kind::Ours => database::write(folder.path(), address, setup, &places, upstream)?,
        }
        let (routes, programs) = match setup {
            Setup::Files { routes } => (routes, 0),
            Setup::Handlers { configured, programs } => (configured, programs),
            Setup::Proxy { .. } | Setup::Tls => (0, 0),
        };
        let prefix = routes.checked_sub(1).map_or_else(|| "/".into(), database::route);
        let handlers = places.into_iter().next_back().map_or_else(Vec::new, |place| vec![place; programs]);
        Ok(Self { folder, address, tls: setup == Setup::Tls, prefix, handlers })
    }

    /// The command that starts the server in the foreground.
    pub(crate) fn command(&self, peer: &Peer) -> Command {
        let mut command = Command::new(&peer.program);
        let folder = self.folder.path();
        match peer.kind {
            Kind::Nginx => command.arg("-p").arg(folder).arg("-c").arg(folder.join("config")),
            Kind::Lighttpd => command.arg("-D").arg("-f").arg(folder.join("config")),
            Kind::Haproxy => command.arg("-db").arg("-f").arg(folder.join("config")),
            Kind::Original | Kind::Ours => command.arg(folder.join("config.sqlite")).arg(database::UUID),
        };
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Writes a file that isn't served.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

/// Where the handlers of each configured pair of addresses find the server.
fn places(folder: &Path, setup: Setup) -> io::Result<Vec<Place>> {
    let Setup::Handlers { configured, .. } = setup else { return Ok(Vec::new()) };
    let spec = |address: &SocketAddr| format!("tcp://{address}");
    let place =
        |pair: &[SocketAddr]| Place { requests: spec(&pair[0]), replies: spec(&pair[1]), folder: folder.into() };
    Ok(free_addresses(2 * configured)?.chunks(2).map(place).collect())
}

/// All are held until the last is found, so that none comes twice.
fn free_addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    let held: io::Result<Vec<TcpListener>> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    held?.iter().map(TcpListener::local_addr).collect()
}

fn files(folder: &Path) -> io::Result<()> {
    for name in ["run", "logs", "tmp", "static", "certs"] {
        fs::create_dir(folder.join(name))?;
    }
    FILES.iter().try_for_each(|(name, size)| {
        let path = folder.join("static").join(name);
        if *size > WRITTEN { File::create(path)?.set_len(*size as u64) } else { fs::write(path, vec![b'x'; *size]) }
    })
}

/// Writes the certificate and its key, where this server looks for its own.
fn certificate(folder: &Path) -> Result<(), Error> {
    let pair = tls::pair()?;
    [("crt", &pair.certificate), ("key", &pair.key)]
        .iter()
        .try_for_each(|(extension, text)| fs::write(folder.join(database::certificate(extension)), text))
        .map_err(Error::doing("write a certificate"))
}
