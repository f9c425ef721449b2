//! The folder of a server that is to stand before a host: its database, and where both meet.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use mongrel2::config::history::Entry;
use mongrel2::config::store::StoreError;
use mongrel2::config::{Config, Database, Handler, Host, Route, Server, Target};
use thiserror::Error;

use super::host::Place;
use crate::port::free_address;

/// The server's.
pub const UUID: &str = "2f9e4f5c-0a6b-4f4c-8a62-3f1d9b6f4b77";

/// The folders that it needs.
const FOLDERS: [&str; 3] = ["run", "logs", "tmp"];

/// Why there is no such folder; fits after "cannot …:".
#[derive(Debug, Error)]
pub enum SiteError {
    /// The folder can't be written, or there is no free port.
    #[error(transparent)]
    Folder(#[from] io::Error),
    /// The database can't be.
    #[error("`config.sqlite`: {0}")]
    Database(#[from] StoreError),
}

/// Where a server and a host meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where the host's requests come from.
    pub send_spec: String,
    /// Where its answers go.
    pub recv_spec: String,
}

impl Site {
    /// Makes the folder's `config.sqlite`, with free ports.
    ///
    /// # Errors
    /// It can't be written.
    pub fn make(folder: &Path, place: Place) -> Result<Self, SiteError> {
        FOLDERS.iter().try_for_each(|name| fs::create_dir_all(folder.join(name)))?;
        let endpoint = || Ok::<_, io::Error>(format!("tcp://{}", free_address()?));
        let (address, send_spec, recv_spec) = (free_address()?, endpoint()?, endpoint()?);
        let site = Self { address, send_spec, recv_spec };
        let mut database = Database::open_or_create(&folder.join("config.sqlite"))?;
        let config = site.configuration(folder, place);
        database.change(&Entry::default(), |change| change.save(&config))?;
        Ok(site)
    }

    fn configuration(&self, folder: &Path, place: Place) -> Config {
        let handler = Handler {
            send_spec: self.send_spec.clone(),
            send_ident: "8d8a9c0e-5f1c-4f0c-9a55-6f5d3a9a7f10".into(),
            recv_spec: self.recv_spec.clone(),
            ..Handler::default()
        };
        let route = Route { path: "/".into(), reversed: false, target: Target::Handler(handler) };
        let name = "localhost".to_owned();
        let host = Host { name: name.clone(), matching: name.clone(), routes: vec![route], ..Host::default() };
        let server = Server {
            uuid: UUID.into(),
            access_log: "/logs/access.log".into(),
            error_log: "/logs/error.log".into(),
            chroot: folder.display().to_string(),
            pid_file: "/run/mongrel2.pid".into(),
            default_host: name,
            name: place.name().into(),
            bind_addr: self.address.ip().to_string(),
            port: self.address.port().into(),
            hosts: vec![host],
            ..Server::default()
        };
        Config { servers: vec![server], settings: settings(place), ..Config::fresh() }
    }
}

fn settings(place: Place) -> BTreeMap<String, String> {
    let own: &[(&str, &str)] = match place {
        Place::Streams | Place::Alone => {
            &[("upload.stream", "1"), ("download.flow_control", "1"), ("limits.content_length", "1048576")]
        }
        Place::Files => &[("upload.temp_store", "tmp/upload.XXXXXX")],
    };
    // No limit may end a connection that waits, and a host that starts may take its time.
    let all = [
        ("limits.min_ping", "0"),
        ("limits.min_read_rate", "0"),
        ("limits.min_write_rate", "0"),
        ("handler.wait", "60"),
        ("server.daemonize", "0"),
    ];
    all.iter().chain(own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use mongrel2::config;

    use super::*;

    #[test]
    fn a_folder_has_all_that_a_server_needs() {
        for place in [Place::Streams, Place::Files] {
            let root = tempfile::tempdir().unwrap();
            let site = Site::make(root.path(), place).unwrap();
            assert_ne!(site.send_spec, site.recv_spec);
            let config = Database::open_to_read(&root.path().join("config.sqlite")).unwrap().load().unwrap();
            assert_eq!(config.servers[0].port, i64::from(site.address.port()));
            config::check(config).unwrap();
        }
        assert!(matches!(Site::make(Path::new("/dev/null/x"), Place::Files), Err(SiteError::Folder(_))));
    }
}
