//! From an object's values to the structs of `mongrel2::config::tree`, with the tree's defaults for the rest.

use mongrel2::config::{Dir, Handler, Host, Protocol, Proxy, Redirect, Route, Server, Target, Upstream};
use rhai::{Array, Dynamic, Map};

use super::object::Object;
use super::words::{DIR, Noun, PROXY, REDIRECT};

impl Object {
    /// The value as an object, if it is one of that noun.
    pub(super) fn of(noun: &Noun, value: &Dynamic) -> Option<Self> {
        value.clone().try_cast::<Self>().filter(|object| object.noun().name == noun.name)
    }

    /// What is in a list; nothing if it is a map, or absent.
    pub(super) fn list(&self, field: &str) -> Array {
        self.typed(field).unwrap_or_default()
    }

    /// What is in a map, by key; nothing if it is a list, or absent.
    pub(super) fn map(&self, field: &str) -> Map {
        self.typed(field).unwrap_or_default()
    }

    /// The fields of a server, without hosts.
    pub(super) fn to_server(&self) -> Server {
        let default = Server::default();
        Server {
            uuid: self.text("uuid"),
            access_log: self.text("access_log"),
            error_log: self.text("error_log"),
            error_log_level: self.typed("error_log_level").unwrap_or(default.error_log_level),
            chroot: self.typed("chroot").unwrap_or(default.chroot),
            pid_file: self.text("pid_file"),
            control_port: self.typed("control_port").unwrap_or(default.control_port),
            default_host: self.text("default_host"),
            name: self.typed("name").unwrap_or(default.name),
            bind_addr: self.typed("bind_addr").unwrap_or(default.bind_addr),
            port: self.number("port"),
            use_ssl: self.truth("use_ssl"),
            hosts: Vec::new(),
        }
    }

    /// The fields of a host that are plain values.  A host that doesn't say what it matches matches its name.
    pub(super) fn to_host(&self) -> Host {
        let mut host = Host {
            maintenance: self.truth("maintenance"),
            name: self.text("name"),
            matching: self.text("matching"),
            hsts: self.number("hsts"),
            ..Host::default()
        };
        host.matching = host.matching_or_name().to_owned();
        host
    }

    /// The fields of a route.
    pub(super) fn to_route(&self, target: Target) -> Route {
        Route { path: self.text("path"), reversed: self.truth("reversed"), target }
    }

    /// The fields of a target.
    pub(super) fn to_target(&self) -> Target {
        if self.noun().name == DIR.name {
            Target::Dir(self.to_dir())
        } else if self.noun().name == PROXY.name {
            Target::Proxy(self.to_proxy())
        } else if self.noun().name == REDIRECT.name {
            let status = self.typed("status").unwrap_or(Redirect::default().status);
            Target::Redirect(Redirect { to: self.text("to"), status })
        } else {
            Target::Handler(self.to_handler())
        }
    }

    fn to_dir(&self) -> Dir {
        Dir {
            base: self.text("base"),
            index_file: self.text("index_file"),
            default_ctype: self.text("default_ctype"),
            cache_ttl: self.number("cache_ttl"),
            listing: self.truth("listing"),
        }
    }

    /// A proxy without further upstreams and fallback.
    fn to_proxy(&self) -> Proxy {
        let defaults = Proxy::default();
        let number = |field: &str, default: i64| self.typed(field).unwrap_or(default);
        Proxy {
            addr: self.text("addr"),
            port: self.number("port"),
            upstreams: Vec::new(),
            host: self.text("host"),
            balance: self.text("balance").parse().unwrap_or_default(),
            connect_timeout: number("connect_timeout", defaults.connect_timeout),
            first_byte_timeout: number("first_byte_timeout", defaults.first_byte_timeout),
            idle_timeout: number("idle_timeout", defaults.idle_timeout),
            max_fails: number("max_fails", defaults.max_fails),
            fail_timeout: number("fail_timeout", defaults.fail_timeout),
            fallback: None,
            session_cookie: self.text("session_cookie"),
            session_idle: number("session_idle", defaults.session_idle),
            session_max: number("session_max", defaults.session_max),
            session_forward: self.truth("session_forward"),
        }
    }

    pub(super) fn to_upstream(&self) -> Upstream {
        Upstream { addr: self.text("addr"), port: self.number("port") }
    }

    fn to_handler(&self) -> Handler {
        Handler {
            send_spec: self.text("send_spec"),
            send_ident: self.text("send_ident"),
            recv_spec: self.text("recv_spec"),
            recv_ident: self.text("recv_ident"),
            raw_payload: self.truth("raw_payload"),
            protocol: self.text("protocol").parse().unwrap_or(Protocol::Json),
            send_type: self.text("send_type").parse().unwrap_or_default(),
            sendfile_root: self.text("sendfile_root"),
        }
    }

    fn typed<T: Clone + 'static>(&self, field: &str) -> Option<T> {
        self.value(field)?.clone().try_cast()
    }

    fn text(&self, field: &str) -> String {
        self.typed(field).unwrap_or_default()
    }

    fn number(&self, field: &str) -> i64 {
        self.typed(field).unwrap_or_default()
    }

    fn truth(&self, field: &str) -> bool {
        self.typed(field).unwrap_or_else(|| self.number(field) == 1)
    }
}
