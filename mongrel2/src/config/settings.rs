//! The settings: every name that means something, its default, and the values in force.
//!
//! The names are those of the manual's section 3.10 and of later versions of the original.  Values are text
//! in the database; here they become numbers, once, when a configuration is checked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::spec::spec_fault;

/// A setting that may be given.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its key.
    pub name: &'static str,
    /// What it may be, and what happens with it.
    pub kind: Kind,
    /// Whether a running server takes another value only when it is restarted.
    pub restart: bool,
    /// Whether servers look at it; else it is for m2sh alone.
    pub server: bool,
}

/// What a server makes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InForce<'a> {
    /// A number.
    Number(u64),
    /// A word or another text.
    Text(&'a str),
    /// Nothing.
    Nothing,
}

impl Known {
    /// The value in force: what is given if that is valid, else the default.
    pub fn in_force<'a>(&self, given: &'a BTreeMap<String, String>) -> InForce<'a> {
        let given = given.get(self.name).map(String::as_str);
        match self.kind {
            Kind::Number { default, min, max } => {
                let value = given.and_then(parse_number).filter(|value| (min..=max).contains(value));
                InForce::Number(value.unwrap_or(default))
            }
            Kind::Word(words) => InForce::Text(given.filter(|word| words.contains(word)).unwrap_or(words[0])),
            Kind::Text { default, form } => {
                InForce::Text(given.filter(|text| form.fault(text).is_none()).unwrap_or(default))
            }
            Kind::NoEffect(_) => InForce::Nothing,
        }
    }
}

/// What becomes of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number from `min` to `max`; `default` if it isn't given.
    Number {
        /// In force if the setting isn't given.
        default: u64,
        /// The lowest value.
        min: u64,
        /// The highest value.
        max: u64,
    },
    /// One of a few words; the first if it isn't given.
    Word(&'static [&'static str]),
    /// A text of a certain form; `default` if it isn't given.
    Text {
        /// In force if the setting isn't given.
        default: &'static str,
        /// What it has to look like.
        form: Form,
    },
    /// Accepted because configurations in the field have it; it changes nothing, and this is why.
    NoEffect(&'static str),
}

/// What the text of a setting looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A ZeroMQ address.
    Spec,
    /// An IP address and a port, or nothing.
    Address,
    /// IP addresses, each with or without a port, separated by blanks; or nothing.
    Addresses,
    /// Names of cipher suites, separated by blanks, commas or colons; or nothing.
    Ciphers,
    /// A path under the chroot, or nothing.
    Path,
    /// A path under the chroot that ends in `XXXXXX`, or nothing.
    Template,
    /// The rights of a file, in octal.
    Mode,
    /// The path of a socket, which is not under the chroot; or nothing.
    Socket,
}

impl Form {
    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Spec => "a ZeroMQ address",
            Self::Address => "an IP address and a port",
            Self::Addresses => "IP addresses, with or without a port, with blanks between them",
            Self::Ciphers => "names of cipher suites with blanks between them",
            Self::Path => "a path under the chroot",
            Self::Template => "a path under the chroot that ends in XXXXXX",
            Self::Mode => "0000 to 0777",
            Self::Socket => "the whole path of a socket",
        }
    }

    /// Why a text has another form.
    pub(super) fn fault(self, text: &str) -> Option<String> {
        let fault = |is_sound: bool, why: &str| (!is_sound).then(|| why.to_owned());
        match self {
            Self::Spec => spec_fault(text),
            Self::Address => fault(text.is_empty() || text.parse::<SocketAddr>().is_ok(), "it is something else"),
            Self::Addresses => {
                fault(text.split_whitespace().all(|word| parse_nameserver(word).is_some()), "it is something else")
            }
            Self::Ciphers => fault(!text.chars().any(char::is_control), "it has a control character in it"),
            Self::Path | Self::Template if text.split('/').any(|part| part == "..") => Some("it has `..` in it".into()),
            Self::Path | Self::Template | Self::Socket if text.contains('\0') => Some("it has a NUL byte in it".into()),
            Self::Path => None,
            Self::Template => fault(text.is_empty() || text.ends_with("XXXXXX"), "it ends in something else"),
            Self::Socket => fault(text.is_empty() || text.starts_with('/'), "it does not start with `/`"),
            Self::Mode => fault(parse_mode(text).is_some(), "it is not an octal number up to 777"),
        }
    }
}

/// Reads the address of a name server, whose port is 53 if it isn't named.
fn parse_nameserver(word: &str) -> Option<SocketAddr> {
    word.parse().ok().or_else(|| Some(SocketAddr::new(word.parse().ok()?, 53)))
}

/// Reads the rights of a file.
fn parse_mode(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777 && !text.starts_with('+'))
}

const COROUTINES: &str = "there are no coroutines whose stacks could be sized";
const SUPERPOLL: &str = "the kernel's epoll needs no tuning";
const PROXIES: &str = "an upstream is waited for as the timeouts of its Proxy say";

const fn number(name: &'static str, default: u64, min: u64, max: u64) -> Known {
    Known { name, kind: Kind::Number { default, min, max }, restart: false, server: true }
}

const fn word(name: &'static str, words: &'static [&'static str]) -> Known {
    Known { name, kind: Kind::Word(words), restart: false, server: true }
}

const fn text(name: &'static str, default: &'static str, form: Form) -> Known {
    Known { name, kind: Kind::Text { default, form }, restart: false, server: true }
}

const fn no_effect(name: &'static str, why: &'static str) -> Known {
    Known { name, kind: Kind::NoEffect(why), restart: false, server: true }
}

const fn at_restart(known: Known) -> Known {
    Known { restart: true, ..known }
}

const fn of_m2sh(known: Known) -> Known {
    Known { server: false, ..known }
}

/// All settings, sorted by name.
pub const KNOWN: &[Known] = &[
    word("access_log.format", &["tnetstring", "common", "combined", "json"]),
    of_m2sh(text("audit.syslog", "", Form::Socket)),
    text("certdir", "", Form::Path),
    text("control_port", "ipc://run/control", Form::Spec),
    at_restart(number("disable.access_logging", 0, 0, 1)),
    number("download.flow_control", 0, 0, 1),
    number("handler.wait", 10, 0, 3600),
    number("limits.buffer_size", 16 * 1024, 1024, 1024 * 1024),
    no_effect("limits.client_read_retries", "a client is waited for as the limits of rates allow"),
    no_effect("limits.connection_stack_size", COROUTINES),
    number("limits.connections", 0, 0, 1 << 30),
    number("limits.connections_per_address", 0, 0, 1 << 30),
    number("limits.content_length", 20 * 1024, 0, 1 << 30),
    no_effect("limits.dir_max_path", "paths may be as long as limits.url_path allows"),
    no_effect("limits.dir_send_buffer", "the kernel sends files"),
    no_effect("limits.fdtask_stack", COROUTINES),
    number("limits.file_cache", 16 * 1024 * 1024, 0, 1 << 30),
    at_restart(number("limits.handler_queue", 1000, 1, 1_000_000)),
    no_effect("limits.handler_stack", COROUTINES),
    number("limits.handler_targets", 128, 1, 65_536),
    number("limits.header_count", 128, 8, 1280),
    no_effect("limits.host_name", "host names are bounded by limits.buffer_size"),
    number("limits.kill_limit", 2, 1, 3),
    no_effect("limits.mime_ext_len", "extensions may have any length"),
    number("limits.min_ping", 120, 0, 1_000_000),
    number("limits.min_read_rate", 300, 0, 1 << 30),
    number("limits.min_write_rate", 300, 0, 1 << 30),
    number("limits.proxy_idle", 64, 0, 65_536),
    no_effect("limits.proxy_read_retries", PROXIES),
    no_effect("limits.proxy_read_retry_warn", PROXIES),
    number("limits.reply_queue", 4 * 1024 * 1024, 64 * 1024, 1 << 30),
    number("limits.sessions", 10_000, 1, 10_000_000),
    number("limits.tick_timer", 10, 1, 3600),
    number("limits.url_path", 256, 16, 64 * 1024),
    number("maintenance.retry_after", 60, 1, 86_400),
    text("metrics.listen", "", Form::Address),
    number("no_clobber_xff", 0, 0, 1),
    number("request.relaxed", 0, 0, 1),
    text("resolver.nameservers", "", Form::Addresses),
    at_restart(number("server.daemonize", 1, 0, 1)),
    number("server.drain_timeout", 10, 0, 3600),
    at_restart(number("server.workers", 0, 0, 1024)),
    text("ssl.ca_chain", "", Form::Path),
    number("ssl.verify_optional", 0, 0, 1),
    number("ssl.verify_required", 0, 0, 1),
    text("ssl_ciphers", "", Form::Ciphers),
    no_effect("superpoll.hot_dividend", SUPERPOLL),
    no_effect("superpoll.max_fd", SUPERPOLL),
    number("upload.stream", 0, 0, 1),
    text("upload.temp_store", "", Form::Template),
    text("upload.temp_store_mode", "0600", Form::Mode),
    at_restart(number("zeromq.threads", 1, 1, 64)),
];

/// The setting of that name.
pub fn known(name: &str) -> Option<&'static Known> {
    KNOWN.binary_search_by_key(&name, |known| known.name).ok().map(|index| &KNOWN[index])
}

/// Reads a value: a decimal number, or a product of them as the manual writes it (`20 * 1024`).
pub fn parse_number(text: &str) -> Option<u64> {
    text.split('*').try_fold(1u64, |product, factor| product.checked_mul(factor.trim().parse().ok()?))
}

/// `access_log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// A tnetstring list, as the original writes it.
    Tnetstring,
    /// Apache's Common Log Format.
    Common,
    /// The same with the referrer and the user agent.
    Combined,
    /// An object.
    Json,
}

impl AccessLogFormat {
    fn new(word: &str) -> Self {
        match word {
            "common" => Self::Common,
            "combined" => Self::Combined,
            "json" => Self::Json,
            _ => Self::Tnetstring,
        }
    }

    /// Whether a line tells what the client says of itself: `Referer` and `User-Agent`.
    pub fn has_client_headers(self) -> bool {
        matches!(self, Self::Combined | Self::Json)
    }
}

/// What clients have to show of themselves over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Nothing.
    NotAsked,
    /// A certificate, if they have one.
    Optional,
    /// A certificate.
    Required,
}

/// The values in force, as the server uses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `access_log.format`: what the lines of the access log look like.
    pub access_log_format: AccessLogFormat,
    /// `audit.syslog`: the socket that entries of the audit log are sent to.
    pub audit_syslog: Option<PathBuf>,
    /// `certdir`: the path under the chroot of the folder with certificates and keys.
    pub certdir: Option<String>,
    /// `control_port`: the ZeroMQ address of the control port of servers that name none of their own.
    pub control_port: String,
    /// `disable.access_logging`: whether no access log is written.
    pub no_access_log: bool,
    /// `download.flow_control`: whether handlers are told how much of their replies has been written.
    pub flow_control: bool,
    /// `handler.wait`, seconds: how long a request waits for a handler to connect before it gets 503.
    pub handler_wait: Duration,
    /// `limits.buffer_size`, bytes: the longest request head.
    pub buffer_size: usize,
    /// `limits.connections`: how many there may be at a time; 0 is as many as there are file descriptors for.
    pub connections: usize,
    /// `limits.connections_per_address`: how many one client address may have; 0 is no limit.
    pub connections_per_address: usize,
    /// `limits.content_length`, bytes: the longest request body.
    pub content_length: u64,
    /// `limits.file_cache`, bytes: how much each worker keeps of small files.
    pub file_cache: usize,
    /// `limits.handler_queue`: how many messages wait for a handler to connect.
    pub handler_queue: usize,
    /// `limits.handler_targets`: how many connections one reply may address.
    pub handler_targets: usize,
    /// `limits.header_count`: how many headers a request may have.
    pub header_count: usize,
    /// `limits.kill_limit`: how many of the next three must be exceeded before a connection is dropped.
    pub kill_limit: usize,
    /// `limits.min_ping`, seconds: how long a connection may be silent; 0 is for ever.
    pub min_ping: Duration,
    /// `limits.min_read_rate`, bytes per second: how fast a client has to send a request; 0 is any rate.
    pub min_read_rate: u64,
    /// `limits.min_write_rate`, bytes per second: how fast a client has to take an answer; 0 is any rate.
    pub min_write_rate: u64,
    /// `limits.proxy_idle`: how many unused connections each worker keeps to each upstream.
    pub proxy_idle: usize,
    /// `limits.reply_queue`, bytes: how much of handlers' replies may wait for one client.
    pub reply_queue: usize,
    /// `limits.sessions`: how many pinned sessions each proxy may have.
    pub sessions: usize,
    /// `limits.tick_timer`, seconds: how often connections are looked at.
    pub tick_timer: Duration,
    /// `limits.url_path`, bytes: the longest path, without its query.
    pub url_path: usize,
    /// `maintenance.retry_after`, seconds: when clients of a host in maintenance may come back.
    pub retry_after: Duration,
    /// `metrics.listen`: where metrics can be fetched by HTTP.
    pub metrics: Option<SocketAddr>,
    /// `no_clobber_xff`: whether a client's X-Forwarded-For is passed on.
    pub no_clobber_xff: bool,
    /// `request.relaxed`: whether a lone line feed ends a line of a request's head (RFC 9112, section 2.2).
    pub relaxed: bool,
    /// `resolver.nameservers`: who is asked for the addresses of upstreams; none for those of the system.
    pub nameservers: Vec<SocketAddr>,
    /// `server.daemonize`: whether a server that is started by root goes on in the background.
    pub daemonize: bool,
    /// `server.drain_timeout`, seconds: how long answers in progress may take when the server stops.
    pub drain_timeout: Duration,
    /// `server.workers`: how many threads serve; 0 is one per core.
    pub workers: usize,
    /// `ssl.ca_chain`: the path under the chroot of the certificates that sign those of clients.
    pub ca_chain: Option<String>,
    /// `ssl_ciphers`: names of cipher suites.
    pub ciphers: String,
    /// `ssl.verify_optional` and `ssl.verify_required`: what clients have to show.
    pub client_certificates: ClientCertificates,
    /// `upload.stream`: whether long bodies are passed on to handlers while they come.
    pub upload_stream: bool,
    /// `upload.temp_store`: the path, ending in `XXXXXX`, of the files that long bodies are written to.
    pub upload_template: Option<String>,
    /// `upload.temp_store_mode`: the rights of those files.
    pub upload_mode: u32,
    /// `zeromq.threads`: how many threads ZeroMQ uses for I/O.
    pub zeromq_threads: i32,
}

impl Settings {
    /// Takes the values that are given and valid, and defaults for the others.
    pub fn new(given: &BTreeMap<String, String>) -> Self {
        let in_force = |name: &str| known(name).map(|known| known.in_force(given));
        let number = |name: &str| match in_force(name) {
            Some(InForce::Number(number)) => number,
            _ => unreachable!("`{name}` is a number in KNOWN"),
        };
        let text = |name: &str| match in_force(name) {
            Some(InForce::Text(text)) => text,
            _ => unreachable!("`{name}` is a text in KNOWN"),
        };
        let path = |name: &str| Some(text(name)).filter(|path| !path.is_empty()).map(str::to_owned);
        let size = |name: &str| usize::try_from(number(name)).expect("KNOWN bounds it");
        Self {
            access_log_format: AccessLogFormat::new(text("access_log.format")),
            audit_syslog: path("audit.syslog").map(PathBuf::from),
            certdir: path("certdir"),
            control_port: text("control_port").to_owned(),
            no_access_log: number("disable.access_logging") == 1,
            flow_control: number("download.flow_control") == 1,
            handler_wait: Duration::from_secs(number("handler.wait")),
            buffer_size: size("limits.buffer_size"),
            connections: size("limits.connections"),
            connections_per_address: size("limits.connections_per_address"),
            content_length: number("limits.content_length"),
            file_cache: size("limits.file_cache"),
            handler_queue: size("limits.handler_queue"),
            handler_targets: size("limits.handler_targets"),
            header_count: size("limits.header_count"),
            kill_limit: size("limits.kill_limit"),
            min_ping: Duration::from_secs(number("limits.min_ping")),
            min_read_rate: number("limits.min_read_rate"),
            min_write_rate: number("limits.min_write_rate"),
            proxy_idle: size("limits.proxy_idle"),
            reply_queue: size("limits.reply_queue"),
            sessions: size("limits.sessions"),
            tick_timer: Duration::from_secs(number("limits.tick_timer")),
            url_path: size("limits.url_path"),
            retry_after: Duration::from_secs(number("maintenance.retry_after")),
            metrics: text("metrics.listen").parse().ok(),
            no_clobber_xff: number("no_clobber_xff") == 1,
            relaxed: number("request.relaxed") == 1,
            nameservers: text("resolver.nameservers").split_whitespace().filter_map(parse_nameserver).collect(),
            daemonize: number("server.daemonize") == 1,
            drain_timeout: Duration::from_secs(number("server.drain_timeout")),
            workers: size("server.workers"),
            ca_chain: path("ssl.ca_chain"),
            ciphers: text("ssl_ciphers").to_owned(),
            client_certificates: match (number("ssl.verify_required"), number("ssl.verify_optional")) {
                (1, _) => ClientCertificates::Required,
                (_, 1) => ClientCertificates::Optional,
                _ => ClientCertificates::NotAsked,
            },
            upload_stream: number("upload.stream") == 1,
            upload_template: path("upload.temp_store"),
            upload_mode: parse_mode(text("upload.temp_store_mode")).expect("only a mode passes"),
            zeromq_threads: i32::try_from(number("zeromq.threads")).expect("KNOWN bounds it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_is_sorted() {
        assert!(KNOWN.is_sorted_by_key(|known| known.name));
    }

    #[test]
    fn numbers() {
        assert_eq!(parse_number("20480"), Some(20480));
        assert_eq!(parse_number("20 * 1024"), Some(20480));
        for text in ["", "x", "-1", "1.5", "2 *", "99999999999 * 99999999999"] {
            assert_eq!(parse_number(text), None, "{text}");
        }
    }

    #[test]
    fn forms() {
        for (form, text, is_sound) in [
            (Form::Spec, "ipc://run/control", true),
            (Form::Spec, "tcp://127.0.0.1:1", true),
            (Form::Spec, "", false),
            (Form::Address, "", true),
            (Form::Address, "127.0.0.1:9100", true),
            (Form::Address, "[::]:9100", true),
            (Form::Address, "9100", false),
            (Form::Template, "/tmp/upload.XXXXXX", true),
            (Form::Template, "/tmp/upload", false),
            (Form::Template, "../upload.XXXXXX", false),
            (Form::Addresses, "", true),
            (Form::Addresses, "10.0.0.1  [::1]:5353 ::1", true),
            (Form::Addresses, "10.0.0.1, 10.0.0.2", false),
            (Form::Path, "/certs/", true),
            (Form::Path, "../certs/", false),
            (Form::Socket, "/dev/log", true),
            (Form::Socket, "", true),
            (Form::Socket, "dev/log", false),
            (Form::Socket, "/dev/\0", false),
            (Form::Mode, "0600", true),
            (Form::Mode, "666", true),
            (Form::Mode, "1000", false),
            (Form::Mode, "0o600", false),
            (Form::Mode, "+600", false),
        ] {
            assert_eq!(form.fault(text).is_none(), is_sound, "{form:?} {text}");
        }
    }

    #[test]
    fn what_is_given_counts_and_what_is_not_is_the_default() {
        let given = BTreeMap::from([("limits.url_path".to_owned(), "1024".to_owned())]);
        let settings = Settings::new(&given);
        assert_eq!((settings.url_path, settings.buffer_size), (1024, 16 * 1024));
    }

    #[test]
    fn every_word_means_something() {
        let Some(Known { kind: Kind::Word(words), .. }) = known("access_log.format") else { unreachable!() };
        let formats: Vec<_> = words.iter().map(|word| AccessLogFormat::new(word)).collect();
        assert_eq!(format!("{formats:?}").to_lowercase(), format!("{words:?}").replace('"', ""));
        assert_eq!(Settings::new(&BTreeMap::new()).access_log_format, formats[0]);
    }
}
