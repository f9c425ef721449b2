//! The configuration as plain values.
//!
//! A field has the name of its column in `schema.sql`, which is also its key in a Rhai script and its word
//! in the manual.  Nothing is checked here: numbers may be out of range and names may refer to nothing
//! until [`check`](super::check::check) has looked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mimetypes::default_mimetypes;

/// Everything that one configuration database holds, the log and the statistics excepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The servers, in the order of their rows.
    pub servers: Vec<Server>,
    /// Settings by name; see [`settings`](super::settings) for the ones that mean something.
    pub settings: BTreeMap<String, String>,
    /// Media types by file extension; the extension starts with its dot.
    pub mimetypes: BTreeMap<String, String>,
    /// The values of the secrets that are referred to, by name.  They are never written beside the rest.
    #[serde(skip)]
    pub secrets: BTreeMap<String, String>,
}

impl Config {
    /// What `m2sh init` makes: the known media types, and nothing else.
    pub fn fresh() -> Self {
        Self { mimetypes: default_mimetypes(), ..Self::default() }
    }
}

/// One listening server process (the manual, section 3.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    /// Names the server among all others: letters, digits and `-`.
    pub uuid: String,
    /// Path under `chroot`.
    pub access_log: String,
    /// Path under `chroot`.
    pub error_log: String,
    /// 0 errors, 1 and warnings, 2 and information, 3 and debugging.
    pub error_log_level: i64,
    /// The directory that holds everything the server may see.
    pub chroot: String,
    /// Path under `chroot`.
    pub pid_file: String,
    /// ZeroMQ address of the control port; empty for the setting of that name.
    pub control_port: String,
    /// Name of the host that answers when no other matches.
    pub default_host: String,
    /// What operators call the server.
    pub name: String,
    /// IPv4 or IPv6 address to listen on.
    pub bind_addr: String,
    /// TCP port to listen on.
    pub port: i64,
    /// Whether the port speaks TLS.
    pub use_ssl: bool,
    /// The hosts, in the order of their rows.
    pub hosts: Vec<Host>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            uuid: String::new(),
            access_log: String::new(),
            error_log: String::new(),
            error_log_level: 2,
            chroot: "/var/www".into(),
            pid_file: String::new(),
            control_port: String::new(),
            default_host: String::new(),
            name: String::new(),
            bind_addr: "0.0.0.0".into(),
            port: 0,
            use_ssl: false,
            hosts: Vec::new(),
        }
    }
}

impl Server {
    /// The server without its hosts.
    pub(super) fn alone(&self) -> Self {
        // Without `..`, as that would copy the hosts first, and so that no field is forgotten.
        Self {
            uuid: self.uuid.clone(),
            access_log: self.access_log.clone(),
            error_log: self.error_log.clone(),
            error_log_level: self.error_log_level,
            chroot: self.chroot.clone(),
            pid_file: self.pid_file.clone(),
            control_port: self.control_port.clone(),
            default_host: self.default_host.clone(),
            name: self.name.clone(),
            bind_addr: self.bind_addr.clone(),
            port: self.port,
            use_ssl: self.use_ssl,
            hosts: Vec::new(),
        }
    }
}

/// A virtual host of a server (the manual, section 3.4.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Whether the host answers 503 instead of serving.
    pub maintenance: bool,
    /// What the configuration calls the host.
    pub name: String,
    /// Matched from the end of the `Host:` header.
    pub matching: String,
    /// Further patterns like `matching` that lead to this host, in the order of their rows.
    pub aliases: Vec<String>,
    /// For how many seconds browsers shall come back over TLS only (RFC 6797); 0 says nothing.
    pub hsts: i64,
    /// Files that are the bodies of the server's own errors, by status; paths under the server's `chroot`.
    pub error_pages: BTreeMap<i64, String>,
    /// The routes, in the order of their rows.
    pub routes: Vec<Route>,
}

impl Host {
    /// The host without its routes.
    pub(super) fn alone(&self) -> Self {
        Self {
            maintenance: self.maintenance,
            name: self.name.clone(),
            matching: self.matching.clone(),
            aliases: self.aliases.clone(),
            hsts: self.hsts,
            error_pages: self.error_pages.clone(),
            routes: Vec::new(),
        }
    }
}

/// A path and the target of the requests that match it (the manual, section 3.4.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// A prefix, or a prefix and a pattern that starts at the first `(`.
    pub path: String,
    /// Whether `path` is matched from the end: a pattern, then a suffix.
    pub reversed: bool,
    /// Who answers.
    #[serde(flatten)]
    pub target: Target,
}

/// What a route leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "target_type", rename_all = "lowercase")]
pub enum Target {
    /// Files.
    Dir(Dir),
    /// An HTTP server elsewhere.
    Proxy(Proxy),
    /// Programs that speak the handler protocol over ZeroMQ.
    Handler(Handler),
    /// Another address.
    Redirect(Redirect),
}

impl Target {
    /// The path under `chroot` below which clients can get files, if there is one, and the field that names it.
    pub fn published(&self) -> Option<(&'static str, &str)> {
        let (field, path) = match self {
            Self::Dir(dir) => ("base", &dir.base),
            Self::Handler(handler) => ("sendfile_root", &handler.sendfile_root),
            Self::Proxy(proxy) => return proxy.fallback.as_deref().and_then(Self::published),
            Self::Redirect(_) => return None,
        };
        (!path.is_empty()).then_some((field, path))
    }

    /// The value of the column `target_type`.
    pub fn target_type(&self) -> &'static str {
        match self {
            Self::Dir(_) => "dir",
            Self::Proxy(_) => "proxy",
            Self::Handler(_) => "handler",
            Self::Redirect(_) => "redirect",
        }
    }
}

/// Serves files below a directory (the manual, section 3.4.4); table `directory`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Dir {
    /// Path under the server's `chroot`.
    pub base: String,
    /// Served for a path that ends in `/`.
    pub index_file: String,
    /// Media type of files whose extension is unknown.
    pub default_ctype: String,
    /// For how many seconds clients may keep an answer without asking again.
    pub cache_ttl: i64,
    /// Whether a folder that has no index file is listed.
    pub listing: bool,
}

/// An HTTP upstream, or several (the manual, section 3.4.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Proxy {
    /// Name or address.
    pub addr: String,
    /// TCP port.
    pub port: i64,
    /// Further ones, in the order of their rows.
    pub upstreams: Vec<Upstream>,
    /// The Host header that upstreams get; empty for the client's.
    pub host: String,
    /// Which upstream gets a request.
    pub balance: Balance,
    /// How many seconds connecting may take.
    pub connect_timeout: i64,
    /// How many seconds the beginning of an answer may take.
    pub first_byte_timeout: i64,
    /// How many seconds may pass between two pieces of an answer.
    pub idle_timeout: i64,
    /// How many failures in a row put an upstream aside; 0 for none.
    pub max_fails: i64,
    /// For how many seconds it is aside.
    pub fail_timeout: i64,
    /// Who answers when no upstream does: a Dir or a Redirect.
    pub fallback: Option<Box<Target>>,
    /// The cookie that tells sessions, each of which has a connection of its own; empty for none.
    pub session_cookie: String,
    /// How many seconds a session lives without a request.
    pub session_idle: i64,
    /// How many seconds a session lives at all; 0 for no limit.
    pub session_max: i64,
    /// Whether upstreams see that cookie.
    pub session_forward: bool,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            addr: String::new(),
            port: 0,
            upstreams: Vec::new(),
            host: String::new(),
            balance: Balance::default(),
            connect_timeout: 5,
            first_byte_timeout: 60,
            idle_timeout: 60,
            max_fails: 1,
            fail_timeout: 10,
            fallback: None,
            session_cookie: String::new(),
            session_idle: 1800,
            session_max: 86_400,
            session_forward: false,
        }
    }
}

impl Proxy {
    /// All upstreams, as names or addresses with their ports.
    pub fn all_upstreams(&self) -> impl Iterator<Item = (&str, i64)> {
        let more = self.upstreams.iter().map(|upstream| (upstream.addr.as_str(), upstream.port));
        std::iter::once((self.addr.as_str(), self.port)).chain(more)
    }
}

/// One more upstream of a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Upstream {
    /// Name or address.
    pub addr: String,
    /// TCP port.
    pub port: i64,
}

/// Which of several upstreams gets a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one that has the fewest requests.
    LeastConnections,
}

impl Balance {
    /// The value of the column `balance`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::LeastConnections => "least_connections",
        }
    }
}

impl std::str::FromStr for Balance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "round_robin" | "" => Ok(Self::RoundRobin),
            "least_connections" => Ok(Self::LeastConnections),
            other => Err(format!("`{other}` is neither `round_robin` nor `least_connections`")),
        }
    }
}

/// A pair of ZeroMQ addresses that handlers connect to (the manual, section 3.4.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Handler {
    /// Address that the server binds to send requests (PUSH).
    pub send_spec: String,
    /// First word of each request message.
    pub send_ident: String,
    /// Address that the server binds to receive replies (SUB).
    pub recv_spec: String,
    /// Subscription of the receiving socket; empty for everything.
    pub recv_ident: String,
    /// Whether replies to JSON and XML sockets go out as they are, not base64-encoded.
    pub raw_payload: bool,
    /// How request headers are written.
    pub protocol: Protocol,
    /// Who gets a request.
    pub send_type: SendType,
    /// Path under the server's `chroot` below which the files lie that handlers may have sent; empty for none.
    pub sendfile_root: String,
}

/// Sends clients to another address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Redirect {
    /// The address, as [`Location`](crate::redirect::Location) reads it.
    pub to: String,
    /// 301, 302, 303, 307 or 308.
    pub status: i64,
}

impl Default for Redirect {
    fn default() -> Self {
        Self { to: String::new(), status: 301 }
    }
}

/// Which of the connected handlers get a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SendType {
    /// One of them, in turn: the server binds PUSH.
    #[default]
    Push,
    /// All of them: the server binds PUB.
    Pub,
}

impl SendType {
    /// The value of the column `send_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pub => "pub",
        }
    }
}

impl std::str::FromStr for SendType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "push" | "" => Ok(Self::Push),
            "pub" => Ok(Self::Pub),
            other => Err(format!("`{other}` is neither `push` nor `pub`")),
        }
    }
}

/// The form of the headers in a request message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A JSON object in a netstring.
    #[default]
    Json,
    /// A tnetstring dictionary.
    Tnetstring,
}

impl Protocol {
    /// The value of the column `protocol`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Tnetstring => "tnetstring",
        }
    }
}

impl std::str::FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "json" | "" => Ok(Self::Json),
            "tnetstring" => Ok(Self::Tnetstring),
            other => Err(format!("`{other}` is neither `json` nor `tnetstring`")),
        }
    }
}
