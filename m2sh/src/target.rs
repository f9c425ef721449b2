//! What a route leads to, in a few words, and as a cell of a table.

use mongrel2::config::{Dir, Handler, Proxy, Redirect, Target};
use serde_json::Value;

use crate::show::{Cell, Form};

/// The essentials of a target: a folder, upstreams, a handler's two addresses, a redirect's.
pub fn essentials(target: &Target) -> String {
    match target {
        Target::Dir(dir) => folder(dir),
        Target::Proxy(proxy) => upstreams(proxy),
        Target::Handler(Handler { send_spec, send_ident, recv_spec, .. }) => {
            format!("{send_spec} {recv_spec} ident {send_ident}")
        }
        Target::Redirect(Redirect { to, status }) => format!("{status} {to}"),
    }
}

fn folder(dir: &Dir) -> String {
    let index = if dir.index_file.is_empty() { String::new() } else { format!(" index {}", dir.index_file) };
    let listing = if dir.listing { " listing" } else { "" };
    format!("{}{index}{listing}", dir.base)
}

fn upstreams(proxy: &Proxy) -> String {
    let all: Vec<String> = proxy.all_upstreams().map(|(addr, port)| address(addr, port)).collect();
    let cookie = &proxy.session_cookie;
    let pinned = if cookie.is_empty() { String::new() } else { format!(" pinned by {cookie}") };
    let fallback = proxy.fallback.as_ref().map_or_else(String::new, |target| format!(" or {}", essentials(target)));
    format!("{}{pinned}{fallback}", all.join(" "))
}

fn address(addr: &str, port: i64) -> String {
    if addr.contains(':') { format!("[{addr}]:{port}") } else { format!("{addr}:{port}") }
}

/// Its fields for programs that read JSON, its essentials for others.
pub fn cell(target: &Target, form: Form) -> Cell {
    match form {
        Form::Json => Cell::value(fields(target)),
        Form::Lines | Form::Terminal => Cell::from(essentials(target)),
    }
}

/// The fields of a target's row.
pub fn fields(target: &Target) -> Value {
    let mut value = serde_json::to_value(target).expect("texts and numbers fit into JSON");
    if let Value::Object(fields) = &mut value {
        fields.shift_remove("target_type");
    }
    value
}

#[cfg(test)]
mod tests {
    use mongrel2::config::Upstream;

    use super::*;

    #[test]
    fn each_kind_says_where_it_leads() {
        let dir = Dir { base: "static/".into(), index_file: "index.html".into(), ..Dir::default() };
        let handler = Handler {
            send_spec: "tcp://127.0.0.1:9997".into(),
            send_ident: "54c6".into(),
            recv_spec: "tcp://127.0.0.1:9996".into(),
            ..Handler::default()
        };
        let pinned = Proxy {
            addr: "::1".into(),
            port: 80,
            upstreams: vec![Upstream { addr: "b".into(), port: 81 }],
            session_cookie: "sid".into(),
            fallback: Some(Box::new(Target::Dir(Dir { base: "sorry/".into(), ..Dir::default() }))),
            ..Proxy::default()
        };
        for (target, expected) in [
            (Target::Dir(dir), "static/ index index.html"),
            (Target::Dir(Dir { base: "a".into(), ..Dir::default() }), "a"),
            (Target::Dir(Dir { base: "a".into(), listing: true, ..Dir::default() }), "a listing"),
            (Target::Redirect(Redirect { to: "https://x$path".into(), status: 308 }), "308 https://x$path"),
            (Target::Proxy(Proxy { addr: "127.0.0.1".into(), port: 80, ..Proxy::default() }), "127.0.0.1:80"),
            (Target::Proxy(pinned), "[::1]:80 b:81 pinned by sid or sorry/"),
            (Target::Handler(handler), "tcp://127.0.0.1:9997 tcp://127.0.0.1:9996 ident 54c6"),
        ] {
            assert_eq!(essentials(&target), expected);
        }
    }

    #[test]
    fn fields_are_columns() {
        let target = Target::Redirect(Redirect { to: "/".into(), status: 301 });
        assert_eq!(fields(&target), serde_json::json!({"to": "/", "status": 301}));
    }
}
