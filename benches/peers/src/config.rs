//! Equal configurations: one worker, no access log, endless keep-alive, sendfile, no compression.
//!
//! Whatever isn't needed for that is left as the server has it by default.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use mongrel2::config::history::Entry;
use mongrel2::config::{Config, Database, Dir, Host, Route, Server, Target, default_mimetypes};
use tempfile::TempDir;

use crate::error::Error;
use crate::peer::{Kind, Peer};

/// The files that are served, and their sizes in bytes.
pub(crate) const FILES: [(&str, usize); 3] =
    [("1k.txt", 1024), ("100k.txt", 100 * 1024), ("10m.txt", 10 * 1024 * 1024)];

const UUID: &str = "f400bf85-4538-4f7a-8908-67e313d515c2";

/// A folder with everything that a server needs.
#[derive(Debug)]
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) address: SocketAddr,
    /// What a file's name is appended to.
    pub(crate) prefix: String,
}

impl Site {
    /// Writes files and configuration; besides `/` there are `routes` more, and requests go to the last one.
    ///
    /// # Errors
    /// They can't be written.
    pub(crate) fn prepare(kind: Kind, routes: usize) -> Result<Self, Error> {
        let folder = tempfile::tempdir().map_err(Error::doing("make a temporary folder"))?;
        let address = free_address().map_err(Error::doing("find a free port"))?;
        files(folder.path()).map_err(Error::doing("write files to serve"))?;
        let write = |text: String| fs::write(folder.path().join("config"), text);
        match kind {
            Kind::Nginx => write(nginx(folder.path(), address)).map_err(Error::doing("write the configuration"))?,
            Kind::Lighttpd => {
                write(lighttpd(folder.path(), address)).map_err(Error::doing("write the configuration"))?
            }
            Kind::Original | Kind::Ours => database(folder.path(), address, routes)?,
        }
        let prefix = routes.checked_sub(1).map_or_else(|| "/".into(), route);
        Ok(Self { folder, address, prefix })
    }

    /// The command that starts the server in the foreground.
    pub(crate) fn command(&self, peer: &Peer) -> Command {
        let mut command = Command::new(&peer.program);
        let folder = self.folder.path();
        match peer.kind {
            Kind::Nginx => command.arg("-p").arg(folder).arg("-c").arg(folder.join("config")),
            Kind::Lighttpd => command.arg("-D").arg("-f").arg(folder.join("config")),
            Kind::Original | Kind::Ours => command.arg(folder.join("config.sqlite")).arg(UUID),
        };
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn files(folder: &Path) -> std::io::Result<()> {
    for name in ["run", "logs", "tmp", "static"] {
        fs::create_dir(folder.join(name))?;
    }
    FILES.iter().try_for_each(|(name, size)| fs::write(folder.join("static").join(name), vec![b'x'; *size]))
}

fn nginx(folder: &Path, address: SocketAddr) -> String {
    // Started as root, its worker would be a user who can't enter the folder.
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let bodies: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("    {what}_temp_path tmp/{what};\n"))
        .collect();
    format!(
        "{user}daemon off;\n\
         worker_processes 1;\n\
         pid run/nginx.pid;\n\
         error_log logs/error.log;\n\
         events {{ worker_connections 16384; }}\n\
         http {{\n{bodies}    types {{ text/plain txt; }}\n    access_log off;\n    gzip off;\n    sendfile on;\n    \
         tcp_nopush on;\n    keepalive_timeout 3600s;\n    keepalive_requests 1000000000;\n    \
         server {{ listen {address}; root {}/static; }}\n}}\n",
        folder.display()
    )
}

fn lighttpd(folder: &Path, address: SocketAddr) -> String {
    format!(
        "server.bind = \"{}\"\n\
         server.port = {}\n\
         server.document-root = \"{}/static\"\n\
         server.errorlog = \"{}/logs/error.log\"\n\
         server.max-fds = 20000\n\
         server.max-connections = 10000\n\
         server.max-keep-alive-requests = 1000000000\n\
         server.max-keep-alive-idle = 3600\n\
         server.network-backend = \"sendfile\"\n\
         mimetype.assign = ( \".txt\" => \"text/plain\" )\n",
        address.ip(),
        address.port(),
        folder.display(),
        folder.display()
    )
}

/// The original reads this database too.
fn database(folder: &Path, address: SocketAddr, routes: usize) -> Result<(), Error> {
    let paths = std::iter::once("/".to_owned()).chain((0..routes).map(route));
    let routes = paths.map(|path| Route { path, reversed: false, target: Target::Dir(directory()) }).collect();
    let server = Server {
        uuid: UUID.into(),
        access_log: "/logs/access.log".into(),
        error_log: "/logs/error.log".into(),
        chroot: folder.display().to_string(),
        pid_file: "/run/mongrel2.pid".into(),
        default_host: "localhost".into(),
        name: "peers".into(),
        bind_addr: address.ip().to_string(),
        port: address.port().into(),
        hosts: vec![Host { name: "localhost".into(), matching: "localhost".into(), routes, ..Host::default() }],
        ..Server::default()
    };
    let config = Config { servers: vec![server], settings: settings(), mimetypes: default_mimetypes() };
    let mut database = Database::open_or_create(&folder.join("config.sqlite"))?;
    Ok(database.change(&Entry::default(), |change| change.save(&config))?)
}

fn directory() -> Dir {
    let index_file = "index.html".into();
    Dir { base: "static/".into(), index_file, default_ctype: "text/plain".into(), ..Dir::default() }
}

fn route(number: usize) -> String {
    format!("/route-{number:05}/")
}

/// No limit may end a connection that waits.
fn settings() -> std::collections::BTreeMap<String, String> {
    let limits = ["min_ping", "min_read_rate", "min_write_rate"];
    let off = limits.iter().map(|limit| (format!("limits.{limit}"), "0"));
    let others = [
        ("disable.access_logging", "1"),
        ("server.daemonize", "0"),
        ("server.workers", "1"),
        ("superpoll.max_fd", "20000"),
    ];
    off.chain(others.map(|(name, value)| (name.to_owned(), value)))
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
}
