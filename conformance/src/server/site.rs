//! The folder of a server that is to be tried: its database, and where everything in it is.
//!
//! The database is an interface of its own: whatever server reads it can be tried.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mongrel2::config::history::Entry;
use mongrel2::config::store::StoreError;
use mongrel2::config::{self, Config, Database, Host, Protocol, Route, Server, Target};
use thiserror::Error;

use crate::port::free_address;

/// The server's.
pub const UUID: &str = "3a9d6d0c-8f5e-4f0b-9a27-6f1f4d5f0c11";

const DATABASE: &str = "config.sqlite";

/// The folders that it needs.
const FOLDERS: [&str; 5] = ["run", "logs", "tmp", "files", "static"];

/// What the settings say of long bodies, which they say for a whole server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// They are refused.
    Plain,
    /// They are written to files (`upload.temp_store`).
    Files,
    /// They are passed on while they come (`upload.stream`), and handlers are told what has been written to clients
    /// (`download.flow_control`).
    Streams,
}

impl Setup {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Files, Self::Streams];

    /// The name of its suite, and of its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Files => "files",
            Self::Streams => "streams",
        }
    }

    fn settings(self) -> BTreeMap<String, String> {
        let own: &[(&str, &str)] = match self {
            Self::Plain => &[],
            // Below the chroot, and below the folder that the server is started in, which is the same.
            Self::Files => &[("upload.temp_store", "tmp/upload.XXXXXX"), ("upload.temp_store_mode", "0640")],
            Self::Streams => &[("upload.stream", "1"), ("download.flow_control", "1")],
        };
        // No limit may end a connection that waits, and a request without a handler waits not long.  One worker sends to
        // handlers in the order in which things happen, so that a case can tell that something has not been sent.
        let all = [
            ("server.workers", "1"),
            ("limits.min_ping", "0"),
            ("limits.min_read_rate", "0"),
            ("limits.min_write_rate", "0"),
            ("handler.wait", "1"),
            ("server.daemonize", "0"),
        ];
        all.iter().chain(own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

/// Why there is no such folder; fits after "cannot …:".
#[derive(Debug, Error)]
pub enum SiteError {
    /// The folder.
    #[error("`{0}`: {1}")]
    Folder(PathBuf, io::Error),
    /// The database in it.
    #[error("`{0}`: {1}")]
    Database(PathBuf, StoreError),
    /// The database is that of something else.
    #[error("`{0}` is the database of another server")]
    Foreign(PathBuf),
}

/// A handler's place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its `send_ident`.
    pub ident: String,
    /// Where its requests come from.
    pub send_spec: String,
    /// Where its replies go.
    pub recv_spec: String,
    /// What the server subscribes to there.
    pub recv_ident: String,
}

/// A folder with a configuration.
#[derive(Debug)]
pub struct Site {
    /// The folder, which is the server's chroot.
    pub folder: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its control port.
    pub control: String,
    /// The handlers, in the order of their routes.
    pub handlers: Vec<Place>,
}

impl Site {
    /// Makes the folder's configuration, with free ports, unless it has one.
    ///
    /// # Errors
    /// The folder can't be written, or is another server's.
    pub fn open(folder: &Path, setup: Setup) -> Result<Self, SiteError> {
        let failed = |error| SiteError::Folder(folder.to_owned(), error);
        FOLDERS.iter().try_for_each(|name| fs::create_dir_all(folder.join(name))).map_err(failed)?;
        let folder = folder.canonicalize().map_err(failed)?;
        let path = folder.join(DATABASE);
        let database = |error| SiteError::Database(path.clone(), error);
        if !path.exists() {
            let ports = (0..PORTS).map(|_| free_address()).collect::<io::Result<Vec<_>>>().map_err(failed)?;
            let config = configuration(&folder, setup, &ports);
            let mut new = Database::open_or_create(&path).map_err(database)?;
            new.change(&Entry::default(), |change| change.save(&config)).map_err(database)?;
        }
        let config = Database::open_to_read(&path).and_then(|database| database.load()).map_err(database)?;
        Self::read(&folder, &config).ok_or(SiteError::Foreign(path))
    }

    /// What a configuration says; `None` if it isn't ours.
    fn read(folder: &Path, config: &Config) -> Option<Self> {
        let server = config.servers.iter().find(|server| server.uuid == UUID)?;
        let address = SocketAddr::new(server.bind_addr.parse().ok()?, u16::try_from(server.port).ok()?);
        let mut handlers: Vec<Place> = Vec::new();
        for route in server.hosts.iter().flat_map(|host| &host.routes) {
            let Target::Handler(handler) = &route.target else { continue };
            if handlers.iter().all(|known| known.ident != handler.send_ident) {
                handlers.push(place(handler));
            }
        }
        let (folder, control) = (folder.to_owned(), server.control_port.clone());
        Some(Self { folder, address, control, handlers })
    }

    /// The place of the handler with that `send_ident`.
    pub fn place(&self, ident: &str) -> Option<&Place> {
        self.handlers.iter().find(|place| place.ident == ident)
    }
}

fn place(handler: &config::Handler) -> Place {
    let config::Handler { send_ident, send_spec, recv_spec, recv_ident, .. } = handler.clone();
    Place { ident: send_ident, send_spec, recv_spec, recv_ident }
}

/// How many ports a configuration takes.
const PORTS: usize = 10;

fn configuration(folder: &Path, setup: Setup, ports: &[SocketAddr]) -> Config {
    let endpoint = |index: usize| format!("tcp://{}", ports[index]);
    let handler = |ident: &str, index: usize| config::Handler {
        send_spec: endpoint(index),
        send_ident: ident.to_owned(),
        recv_spec: endpoint(index + 1),
        ..config::Handler::default()
    };
    let json = config::Handler { sendfile_root: "files/".into(), ..handler("json", 2) };
    let tnet = handler("tnet", 4);
    let tnet = config::Handler { recv_ident: "tnet".into(), protocol: Protocol::Tnetstring, ..tnet };
    let raw = config::Handler { raw_payload: true, ..handler("raw", 6) };
    let nobody = handler("nobody", 8);
    let routes = [
        ("/json", &json),
        ("/json/longer", &tnet),
        ("/json/number/([0-9]+)$", &json),
        ("/json/number/(\\a+)$", &tnet),
        ("/tnet", &tnet),
        ("/nobody", &nobody),
        ("@json", &json),
        ("@tnet", &tnet),
        ("@raw", &raw),
        ("<xml", &json),
    ];
    let route = |(path, handler): (&str, &config::Handler)| Route {
        path: path.to_owned(),
        reversed: false,
        target: Target::Handler(handler.clone()),
    };
    let host = |name: &str, routes: Vec<Route>| Host {
        name: name.to_owned(),
        matching: name.to_owned(),
        routes,
        ..Host::default()
    };
    let server = Server {
        uuid: UUID.into(),
        access_log: "/logs/access.log".into(),
        error_log: "/logs/error.log".into(),
        chroot: folder.display().to_string(),
        pid_file: "/run/mongrel2.pid".into(),
        control_port: endpoint(1),
        default_host: "localhost".into(),
        name: format!("conformance-{}", setup.name()),
        bind_addr: ports[0].ip().to_string(),
        port: ports[0].port().into(),
        hosts: vec![host("localhost", routes.map(route).into()), host("other.example", vec![route(("/json", &tnet))])],
        ..Server::default()
    };
    Config { servers: vec![server], settings: setup.settings(), ..Config::fresh() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_once() {
        let root = tempfile::tempdir().unwrap();
        let made = Site::open(&root.path().join("new"), Setup::Files).unwrap();
        let found = Site::open(&root.path().join("new"), Setup::Files).unwrap();
        assert_eq!((made.address, &made.handlers), (found.address, &found.handlers));
        let idents: Vec<_> = made.handlers.iter().map(|place| place.ident.as_str()).collect();
        assert_eq!(idents, ["json", "tnet", "nobody", "raw"]);
        let config = Database::open_to_read(&made.folder.join(DATABASE)).unwrap().load().unwrap();
        config::check(config).unwrap();
    }

    #[test]
    fn the_folder_of_another_server_is_refused() {
        let root = tempfile::tempdir().unwrap();
        Database::open_or_create(&root.path().join(DATABASE)).unwrap();
        assert!(matches!(Site::open(root.path(), Setup::Plain), Err(SiteError::Foreign(_) | SiteError::Database(..))));
        assert!(matches!(Site::open(Path::new("/dev/null/x"), Setup::Plain), Err(SiteError::Folder(..))));
    }
}
