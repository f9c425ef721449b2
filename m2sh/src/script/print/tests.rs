use std::collections::BTreeMap;
use std::fs;

use mongrel2::config::{Balance, Protocol, SendType};
use proptest::prelude::*;

use super::literal::text;
use super::*;
use crate::script::{Facts, run};

/// Strings of all kinds, none of them empty.
fn odd() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        r##"[a-z"\\$`#'{}/*\n\t\r ]{1,12}"##,
        "[^\u{0}]{1,8}",
        Just("${x}".to_owned()),
        Just("\"#".to_owned()),
        Just("\\\"#\"".to_owned()),
        Just("\u{202e}e\u{301}\u{1f469}\u{200d}".to_owned()),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        "/[a-z]{0,6}(/[a-z]{1,4}){0,2}",
        r#"/[a-z]{0,3}\([a-z"$.]{0,3}\\\\[dwap"]\)"#,
        "/[a-z\"$'`#{}]{1,6}",
        "/[äöü€]{1,4}",
    ]
}

fn dir() -> impl Strategy<Value = Target> {
    (odd(), "[a-z.]{0,8}", "[a-z/\"]{0,8}", 0..100_i64, any::<bool>()).prop_map(
        |(base, index_file, default_ctype, cache_ttl, listing)| {
            let base = format!("files/{}", base.replace("..", "."));
            Target::Dir(Dir { base, index_file, default_ctype, cache_ttl, listing })
        },
    )
}

fn redirect() -> impl Strategy<Value = Target> {
    ("[a-z]{1,6}", prop_oneof![Just(301_i64), Just(302), Just(308)])
        .prop_map(|(host, status)| Target::Redirect(Redirect { to: format!("https://{host}$path$query"), status }))
}

fn proxy() -> impl Strategy<Value = Target> {
    let upstream = ("[a-z]{1,6}", 1..65_536_i64).prop_map(|(addr, port)| Upstream { addr, port });
    (
        ("[a-z]{1,6}", 1..65_536_i64, prop::collection::vec(upstream, 0..3), "[a-z.]{0,6}", any::<bool>()),
        (1..100_i64, 1..100_i64, 1..100_i64, 0..3_i64, 1..100_i64),
        (prop::option::of(prop_oneof![dir(), redirect()]), "[a-z$'`]{0,5}", 1..9_i64, 0..9_i64, any::<bool>()),
    )
        .prop_map(
            |((addr, port, upstreams, host, balance), times, (fallback, session_cookie, idle, max, forward))| {
                Target::Proxy(Proxy {
                    addr,
                    port,
                    upstreams,
                    host,
                    balance: if balance { Balance::LeastConnections } else { Balance::RoundRobin },
                    connect_timeout: times.0,
                    first_byte_timeout: times.1,
                    idle_timeout: times.2,
                    max_fails: times.3,
                    fail_timeout: times.4,
                    fallback: fallback.map(Box::new),
                    session_cookie,
                    session_idle: idle,
                    session_max: max,
                    session_forward: forward,
                })
            },
        )
}

fn handler() -> impl Strategy<Value = Target> {
    (1..9_i64, "[!-~äö]{1,8}", odd(), any::<bool>(), any::<bool>(), "[a-z]{0,4}").prop_map(
        |(number, send_ident, recv_ident, raw_payload, is_tnetstring, sendfile_root)| {
            Target::Handler(Handler {
                send_spec: format!("tcp://127.0.0.1:900{number}"),
                send_ident,
                recv_spec: format!("tcp://127.0.0.1:800{number}"),
                recv_ident,
                raw_payload,
                protocol: if is_tnetstring { Protocol::Tnetstring } else { Protocol::Json },
                send_type: if number > 5 { SendType::Pub } else { SendType::Push },
                sendfile_root: if sendfile_root.is_empty() { sendfile_root } else { format!("files/{sendfile_root}") },
            })
        },
    )
}

/// Routes to a few targets, so that some are shared.
fn routes() -> impl Strategy<Value = Vec<Route>> {
    let targets = prop::collection::vec(prop_oneof![dir(), proxy(), handler(), redirect()], 1..4);
    (targets, prop::collection::vec((path(), any::<bool>(), any::<prop::sample::Index>()), 0..6), any::<bool>())
        .prop_map(|(targets, routes, sort)| {
            let route = |(path, reversed, target): (String, bool, prop::sample::Index)| Route {
                path,
                reversed: reversed && !sort,
                target: target.get(&targets).clone(),
            };
            let mut routes: Vec<_> = routes.into_iter().map(route).collect();
            if sort {
                routes.sort_by(|a, b| a.path.cmp(&b.path));
                routes.dedup_by(|a, b| a.path == b.path);
            }
            routes
        })
}

fn host() -> impl Strategy<Value = Host> {
    let pages = prop::collection::btree_map(400..600_i64, "/[a-z\"]{1,6}", 0..3);
    (odd(), any::<bool>(), any::<bool>(), 0..3_i64, pages, routes()).prop_map(
        |(name, other, maintenance, hsts, error_pages, routes)| {
            let name = name.replace(['(', ')', '[', '\\'], "x");
            let (matching, aliases) = if other {
                ("(\\w+).x".into(), vec!["y\"".to_owned(), "z".into()])
            } else {
                (name.clone(), Vec::new())
            };
            Host { maintenance, name, matching, aliases, hsts, error_pages, routes }
        },
    )
}

fn server() -> impl Strategy<Value = Server> {
    (("[a-z0-9-]{1,12}", odd(), odd(), odd(), host()), (0..4_i64, 1..65_536_i64, any::<bool>(), any::<bool>()))
        .prop_map(|((uuid, name, chroot, log, host), (error_log_level, port, any_address, named))| Server {
            uuid,
            access_log: format!("/logs/{}", log.replace("..", ".")),
            error_log: "/logs/error.log".into(),
            error_log_level,
            chroot: if named { chroot } else { Server::default().chroot },
            pid_file: "/run/x.pid".into(),
            control_port: if named { "ipc://run/x".into() } else { String::new() },
            default_host: host.name.clone(),
            name: if named { name } else { String::new() },
            bind_addr: if any_address { "::".into() } else { "0.0.0.0".into() },
            port,
            use_ssl: false,
            hosts: vec![host],
        })
}

fn config() -> impl Strategy<Value = Config> {
    let settings = prop::collection::btree_map(
        prop_oneof![Just("limits.url_path".to_owned()), Just("server.daemonize".into())],
        prop_oneof![Just("1".to_owned())],
        0..3,
    );
    let mimetypes = prop::collection::btree_map("\\.[a-z\"\\\\$]{1,4}", "[a-z]{1,3}/[a-z\"]{1,4}", 0..4);
    (prop::collection::vec(server(), 1..3), settings, mimetypes, 0..3_usize).prop_map(
        |(mut servers, settings, more, known)| {
            servers.iter_mut().enumerate().for_each(|(s, server)| server.uuid = format!("{s}{}", server.uuid));
            let mut mimetypes = if known == 0 { BTreeMap::new() } else { default_mimetypes() };
            if known == 2 {
                mimetypes.remove(".html");
            }
            mimetypes.extend(more);
            Config { servers, settings, mimetypes, ..Config::default() }
        },
    )
}

/// What a script says that was written for a configuration.
fn reloaded(config: &Config) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("config.rhai");
    let printed = print(config, ["Written for a test."]);
    fs::write(&script, &printed).expect("room for a script");
    let outcome = run(&script, &Facts::default()).map_err(|troubles| format!("{printed}\n{troubles}"))?;
    Ok(outcome.checked.into_written())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_printed_loads_to_the_same(config in config()) {
        // What no server could run with need not load.
        prop_assume!(mongrel2::config::check(config.clone()).is_ok());
        let reloaded = reloaded(&config).map_err(TestCaseError::fail)?;
        prop_assert_eq!(reloaded, config);
    }
}

#[test]
fn strings_are_raw_where_that_reads_better() {
    for (value, expected) in [
        ("a", "\"a\""),
        ("it's $x", "\"it's $x\""),
        ("/(\\d+)", "#\"/(\\d+)\"#"),
        ("say \"a\"", "#\"say \"a\"\"#"),
        ("\"#", "\"\\\"#\""),
        ("\\\n", "\"\\\\\\n\""),
        ("\u{7f}ä\u{200d}", "\"\\u007fä\\u200d\""),
    ] {
        assert_eq!(text(value), expected, "{value}");
    }
}
