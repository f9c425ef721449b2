//! The configuration database of this server, which the original reads too.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use mongrel2::config::history::Entry;
use mongrel2::config::{Config, Database, Dir, Handler, Host, Proxy, Route, Server, Target, default_mimetypes};

use crate::args::Place;
use crate::error::Error;
use crate::row::Setup;

/// The server's.
pub(super) const UUID: &str = "f400bf85-4538-4f7a-8908-67e313d515c2";

/// Where bodies beyond `limits.content_length` go: below the chroot, and, for a server that hasn't the rights to go
/// there, below the folder that it is started in, which is the same.
const TEMP_STORE: &str = "tmp/upload.XXXXXX";

/// Writes it; `places` are the addresses of the handlers, and `upstream` that of the upstream, if the setup has any.
pub(super) fn write(
    folder: &Path,
    address: SocketAddr,
    setup: Setup,
    places: &[Place],
    upstream: Option<SocketAddr>,
) -> Result<(), Error> {
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
        use_ssl: setup == Setup::Tls,
        hosts: vec![host(setup, places, upstream)],
        ..Server::default()
    };
    let config = Config {
        servers: vec![server],
        settings: settings(setup),
        mimetypes: default_mimetypes(),
        ..Config::default()
    };
    let mut database = Database::open_or_create(&folder.join("config.sqlite"))?;
    Ok(database.change(&Entry::default(), |change| change.save(&config))?)
}

/// Where the certificate is, or its key, below the chroot.
pub(super) fn certificate(extension: &str) -> String {
    format!("certs/{UUID}.{extension}")
}

/// The path of a route beside `/`.
pub(super) fn route(number: usize) -> String {
    format!("/route-{number:05}/")
}

/// Files or the upstream below `/`; routes of their own lead to more files, or to handlers.
fn host(setup: Setup, places: &[Place], upstream: Option<SocketAddr>) -> Host {
    let targets: Vec<Target> = match setup {
        Setup::Files { routes } => vec![Target::Dir(directory()); routes],
        Setup::Handlers { .. } => places.iter().map(|place| Target::Handler(handler(place))).collect(),
        Setup::Proxy { .. } | Setup::Tls => Vec::new(),
    };
    let target = upstream.map_or_else(|| Target::Dir(directory()), |upstream| Target::Proxy(proxy(setup, upstream)));
    let first = Route { path: "/".into(), reversed: false, target };
    let others = targets.into_iter().enumerate();
    let others = others.map(|(number, target)| Route { path: route(number), reversed: false, target });
    let routes = std::iter::once(first).chain(others).collect();
    Host { name: "localhost".into(), matching: "localhost".into(), routes, ..Host::default() }
}

fn directory() -> Dir {
    let index_file = "index.html".into();
    Dir { base: "static/".into(), index_file, default_ctype: "text/plain".into(), ..Dir::default() }
}

fn proxy(setup: Setup, upstream: SocketAddr) -> Proxy {
    let session_cookie = if setup == (Setup::Proxy { pinned: true }) { "session".into() } else { String::new() };
    Proxy { addr: upstream.ip().to_string(), port: upstream.port().into(), session_cookie, ..Proxy::default() }
}

fn handler(place: &Place) -> Handler {
    let (send_spec, recv_spec) = (place.requests.clone(), place.replies.clone());
    Handler { send_spec, send_ident: UUID.into(), recv_spec, ..Handler::default() }
}

/// No limit may end a connection that waits.
fn settings(setup: Setup) -> BTreeMap<String, String> {
    let limits = ["min_ping", "min_read_rate", "min_write_rate"];
    let off = limits.iter().map(|limit| (format!("limits.{limit}"), "0"));
    let others = [
        ("disable.access_logging", "1"),
        ("server.daemonize", "0"),
        ("server.workers", "1"),
        // For the original: it polls so many descriptors, here a half of those that it may have, and stalls when more
        // connections wait.
        ("superpoll.hot_dividend", "2"),
        ("superpoll.max_fd", "20000"),
    ];
    let uploads = matches!(setup, Setup::Handlers { .. }).then_some(("upload.temp_store", TEMP_STORE));
    let certdir = (setup == Setup::Tls).then_some(("certdir", "/certs/"));
    // The first answer makes one too.
    let sessions = matches!(setup, Setup::Proxy { pinned: true }).then_some(("limits.sessions", "20000"));
    let others = others.into_iter().chain(uploads).chain(certdir).chain(sessions);
    let others = others.map(|(name, value)| (name.to_owned(), value));
    off.chain(others).map(|(name, value)| (name, value.to_owned())).collect()
}
