//! What a configuration may say: the nouns, their fields, and what each field takes.
//!
//! The names are those of `mongrel2::config::tree`.  Values that pass here have the right type; whether they
//! make sense together is for `mongrel2::config::check` to say.

use mongrel2::config::closest;
use rhai::{Array, Dynamic, INT, Map};

use super::object::{Object, Part};

/// A thing that a script can make, such as `Server(#{…})`.
#[derive(Debug)]
pub(super) struct Noun {
    /// Its name, which is the function's.
    pub(super) name: &'static str,
    /// What can be said about it.
    pub(super) fields: &'static [Field],
}

/// Something that can be said about a thing.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// For a field that has to be given: how to give it.
    pub(super) needed: Option<&'static str>,
}

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`; also 1 or 0, as in the database.
    Truth,
    /// `"json"` or `"tnetstring"`.
    Protocol,
    /// `"push"` or `"pub"`.
    SendType,
    /// A list of [`HOST`].
    Hosts,
    /// A map of paths to targets, or a list of [`ROUTE`].
    Routes,
    /// One of [`DIR`], [`PROXY`], [`HANDLER`] and [`REDIRECT`].
    Target,
    /// A list of [`UPSTREAM`].
    Upstreams,
    /// `"round_robin"` or `"least_connections"`.
    Balance,
    /// One of [`DIR`] and [`REDIRECT`].
    Fallback,
    /// A list of strings.
    Texts,
    /// A map of statuses, in quotes, to paths.
    Pages,
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, needed: None }
}

const fn must(name: &'static str, kind: Kind, how: &'static str) -> Field {
    Field { name, kind, needed: Some(how) }
}

/// The manual, section 3.4.1.
pub(super) static SERVER: Noun = Noun {
    name: "Server",
    fields: &[
        must("uuid", Kind::Text, "make one with `m2sh uuid`"),
        must("access_log", Kind::Text, "access_log: \"/logs/access.log\""),
        must("error_log", Kind::Text, "error_log: \"/logs/error.log\""),
        may("error_log_level", Kind::Number),
        may("chroot", Kind::Text),
        must("pid_file", Kind::Text, "pid_file: \"/run/mongrel2.pid\""),
        may("control_port", Kind::Text),
        must("default_host", Kind::Text, "the name of the host that answers when no other matches"),
        may("name", Kind::Text),
        may("bind_addr", Kind::Text),
        must("port", Kind::Number, "port: 6767"),
        may("use_ssl", Kind::Truth),
        must("hosts", Kind::Hosts, "hosts: [Host(#{name: \"localhost\", routes: #{…}})]"),
    ],
};

/// The manual, section 3.4.2.
pub(super) static HOST: Noun = Noun {
    name: "Host",
    fields: &[
        must("name", Kind::Text, "name: \"localhost\""),
        may("matching", Kind::Text),
        may("aliases", Kind::Texts),
        may("maintenance", Kind::Truth),
        may("hsts", Kind::Number),
        may("error_pages", Kind::Pages),
        may("routes", Kind::Routes),
    ],
};

/// The manual, section 3.4.3.
pub(super) static ROUTE: Noun = Noun {
    name: "Route",
    fields: &[
        must("path", Kind::Text, "path: \"/\""),
        may("reversed", Kind::Truth),
        must("target", Kind::Target, "a Dir, a Proxy, a Handler or a Redirect"),
    ],
};

/// The manual, section 3.4.4.
pub(super) static DIR: Noun = Noun {
    name: "Dir",
    fields: &[
        must("base", Kind::Text, "base: \"static/\""),
        may("index_file", Kind::Text),
        may("default_ctype", Kind::Text),
        may("cache_ttl", Kind::Number),
        may("listing", Kind::Truth),
    ],
};

/// The manual, section 3.4.5.
pub(super) static PROXY: Noun = Noun {
    name: "Proxy",
    fields: &[
        must("addr", Kind::Text, "addr: \"127.0.0.1\""),
        must("port", Kind::Number, "port: 8080"),
        may("upstreams", Kind::Upstreams),
        may("host", Kind::Text),
        may("balance", Kind::Balance),
        may("connect_timeout", Kind::Number),
        may("first_byte_timeout", Kind::Number),
        may("idle_timeout", Kind::Number),
        may("max_fails", Kind::Number),
        may("fail_timeout", Kind::Number),
        may("fallback", Kind::Fallback),
        may("session_cookie", Kind::Text),
        may("session_idle", Kind::Number),
        may("session_max", Kind::Number),
        may("session_forward", Kind::Truth),
    ],
};

/// One more upstream of a proxy.
pub(super) static UPSTREAM: Noun = Noun {
    name: "Upstream",
    fields: &[must("addr", Kind::Text, "addr: \"127.0.0.1\""), must("port", Kind::Number, "port: 8081")],
};

/// The manual, section 3.4.6.
pub(super) static HANDLER: Noun = Noun {
    name: "Handler",
    fields: &[
        must("send_spec", Kind::Text, "send_spec: \"tcp://127.0.0.1:9999\""),
        must("send_ident", Kind::Text, "make one with `m2sh uuid`"),
        must("recv_spec", Kind::Text, "recv_spec: \"tcp://127.0.0.1:9998\""),
        may("recv_ident", Kind::Text),
        may("raw_payload", Kind::Truth),
        may("protocol", Kind::Protocol),
        may("send_type", Kind::SendType),
        may("sendfile_root", Kind::Text),
    ],
};

/// What sends clients elsewhere.
pub(super) static REDIRECT: Noun = Noun {
    name: "Redirect",
    fields: &[must("to", Kind::Text, "to: \"https://example.com$path$query\""), may("status", Kind::Number)],
};

/// All nouns.
pub(super) static NOUNS: [&Noun; 8] = [&SERVER, &HOST, &ROUTE, &DIR, &PROXY, &UPSTREAM, &HANDLER, &REDIRECT];

/// A word that makes no object.
#[derive(Debug)]
pub(super) struct Verb {
    /// Its name, which is the function's.
    pub(super) name: &'static str,
    /// How to use it.
    pub(super) usage: &'static str,
    /// What it takes and gives, in Rhai's types.
    pub(super) signatures: &'static [&'static str],
}

/// The other words.
pub(super) static VERBS: [Verb; 5] = [
    Verb {
        name: "commit",
        usage: "commit([server, …]) or commit([server, …], #{settings: #{…}, mimetypes: #{…}})",
        signatures: &["(servers: Array)", "(servers: Array, options: Map)"],
    },
    Verb {
        name: "env",
        usage: "env(\"NAME\") or env(\"NAME\", \"what it is if the environment lacks it\")",
        signatures: &["(name: String) -> String", "(name: String, default: ?) -> ?"],
    },
    Verb { name: "secret", usage: "secret(\"NAME\")", signatures: &["(name: String) -> String"] },
    Verb { name: "hostname", usage: "hostname()", signatures: &["() -> String"] },
    Verb { name: "uuid", usage: "uuid()", signatures: &["() -> String"] },
];

impl Noun {
    /// The field of that name.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|field| field.name)
    }

    /// The field that is meant by a name that isn't one; else all fields.
    pub(super) fn suggest(&self, name: &str) -> String {
        if let Some(close) = closest(name, self.names()) {
            return format!("did you mean `{close}`?");
        }
        format!("the fields of {} are {}", self.name, self.names().collect::<Vec<_>>().join(", "))
    }

    /// Whether a route can lead to it.
    pub(super) fn is_target(&self) -> bool {
        ["Dir", "Proxy", "Handler", "Redirect"].contains(&self.name)
    }
}

impl Kind {
    /// Whether a value is what the field takes.  What is inside lists and maps is looked at later, since it
    /// may still change.
    pub(super) fn takes(self, value: &Dynamic) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Number => value.is_int(),
            Self::Truth => value.is_bool() || matches!(value.as_int(), Ok(0 | 1)),
            Self::Protocol => is_one_of(value, &["json", "tnetstring"]),
            Self::SendType => is_one_of(value, &["push", "pub"]),
            Self::Balance => is_one_of(value, &["round_robin", "least_connections"]),
            Self::Fallback => noun(value).is_some_and(|noun| ["Dir", "Redirect"].contains(&noun.name)),
            Self::Hosts | Self::Texts | Self::Upstreams => value.is_array(),
            Self::Pages => value.is_map(),
            Self::Routes => value.is_array() || value.is_map(),
            Self::Target => noun(value).is_some_and(Noun::is_target),
        }
    }

    /// What the field takes, in words.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Truth => "true or false",
            Self::Protocol => "\"json\" or \"tnetstring\"",
            Self::SendType => "\"push\" or \"pub\"",
            Self::Hosts => "a list of Host",
            Self::Routes => "a map of paths to targets, or a list of Route",
            Self::Target => "a Dir, a Proxy, a Handler or a Redirect",
            Self::Upstreams => "a list of Upstream",
            Self::Balance => "\"round_robin\" or \"least_connections\"",
            Self::Fallback => "a Dir or a Redirect",
            Self::Texts => "a list of strings",
            Self::Pages => "a map of statuses to paths",
        }
    }

    /// What is in the lists and maps of this kind, in words; nothing if it is neither.
    pub(super) fn entries(self) -> Option<&'static str> {
        match self {
            Self::Hosts => Some("Host"),
            Self::Routes => Some("Route"),
            Self::Texts => Some("strings"),
            Self::Pages => Some("paths"),
            _ => None,
        }
    }

    /// What it got instead, in words.
    pub(super) fn got(self, value: &Dynamic) -> String {
        match value.clone().into_string() {
            Ok(text) if matches!(self, Self::Protocol | Self::SendType | Self::Balance) => format!("`{text}`"),
            _ => found(value),
        }
    }

    /// How to make what the field takes out of what it got.
    pub(super) fn advice(self, value: &Dynamic) -> Option<&'static str> {
        let text = value.clone().into_string();
        match self {
            Self::Number if text.as_ref().is_ok_and(|text| text.parse::<INT>().is_ok()) => {
                Some("write it without quotes, or use `parse_int`")
            }
            Self::Text if value.is_int() || value.is_float() => Some("put it in quotes"),
            Self::Truth if text.is_ok_and(|text| text.parse::<bool>().is_ok()) => Some("write it without quotes"),
            Self::Hosts | Self::Upstreams if noun(value).is_some() => Some("put it in `[` and `]`"),
            Self::Routes => Some("routes: #{\"/\": Dir(#{…})}"),
            Self::Texts if value.is_string() => Some("put it in `[` and `]`"),
            Self::Pages => Some("error_pages: #{\"404\": \"/errors/404.html\"}"),
            _ => None,
        }
    }
}

fn is_one_of(value: &Dynamic, words: &[&str]) -> bool {
    value.clone().into_string().is_ok_and(|text| words.contains(&&*text))
}

/// What a value is an object of.
pub(super) fn noun(value: &Dynamic) -> Option<&'static Noun> {
    value.read_lock::<Object>().map(|object| object.noun())
}

/// What a value is, in words.
pub(super) fn found(value: &Dynamic) -> String {
    if let Some(noun) = noun(value) {
        return format!("a {}", noun.name);
    }
    if value.is::<Part>() {
        return "a part of something else".into();
    }
    kind_name(value.type_name())
}

/// A type of Rhai's, in words.
pub(super) fn kind_name(name: &str) -> String {
    let types = [
        ("a string", ["string", "&str | ImmutableString | String"].as_slice()),
        ("a number", &["i64"]),
        ("a number with a fraction", &["f64"]),
        ("a boolean", &["bool"]),
        ("a character", &["char"]),
        ("a list", &["array", std::any::type_name::<Array>()]),
        ("a map", &["map", std::any::type_name::<Map>()]),
        ("a function", &["Fn"]),
        ("an object", &["object"]),
        ("`()`", &["()"]),
    ];
    let known = types.iter().find(|(_, names)| names.contains(&name));
    known.map_or_else(|| format!("a {name}"), |(words, _)| (*words).to_owned())
}
