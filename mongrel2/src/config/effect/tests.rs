use super::*;
use crate::config::{Dir, Host, Target};

fn route(path: &str) -> Route {
    Route { path: path.into(), reversed: false, target: Target::Dir(Dir::default()) }
}

fn server(uuid: &str) -> Server {
    let routes = ["/a", "/x/(a)", "/x/(b)"].map(route).into();
    let host = Host { name: "localhost".into(), routes, ..Host::default() };
    Server { uuid: uuid.into(), name: format!("s{uuid}"), hosts: vec![host], ..Server::default() }
}

fn base() -> Config {
    let settings = [("server.workers".to_owned(), "0".to_owned())].into();
    Config { servers: vec![server("1"), server("2")], settings, ..Config::default() }
}

/// What an edit means for all servers: `s1 reload, s2 restart (chroot)`.
fn check(edit: impl FnOnce(&mut Config), expected: &str) {
    let mut new = base();
    edit(&mut new);
    let text = |affected: &Affected| match &affected.effect {
        Effect::Restart(names) => format!("{} restart ({})", affected.label, names.join(" ")),
        effect => format!("{} {}", affected.label, effect.word()),
    };
    let texts: Vec<_> = effects(&base(), &new).iter().map(text).collect();
    assert_eq!(texts.join(", "), expected);
}

fn set(config: &mut Config, name: &str, value: &str) {
    config.settings.insert(name.into(), value.into());
}

#[test]
fn nothing() {
    check(|_| (), "s1 nothing, s2 nothing");
    check(|config| config.servers.swap(0, 1), "s2 nothing, s1 nothing");
}

#[test]
fn one_server() {
    check(|config| config.servers[0].port = 80, "s1 reload, s2 nothing");
    check(|config| config.servers[1].hosts[0].hsts = 80, "s1 nothing, s2 reload");
    check(|config| config.servers[0].chroot = "/srv".into(), "s1 restart (chroot), s2 nothing");
    check(|config| config.servers[0].pid_file = "/p".into(), "s1 restart (pid_file), s2 nothing");
}

#[test]
fn servers_come_and_go() {
    check(|config| config.servers[0] = server("3"), "s3 start, s2 nothing, s1 stop");
}

#[test]
fn the_order_of_routes_counts_where_they_share_a_prefix() {
    check(|config| config.servers[0].hosts[0].routes.swap(0, 1), "s1 nothing, s2 nothing");
    check(|config| config.servers[0].hosts[0].routes.swap(1, 2), "s1 reload, s2 nothing");
}

#[test]
fn settings_count_by_what_is_in_force() {
    check(|config| set(config, "limits.min_ping", "60"), "s1 reload, s2 reload");
    check(|config| set(config, "limits.min_ping", "2 * 60"), "s1 nothing, s2 nothing");
    check(|config| set(config, "limits.dir_max_path", "60"), "s1 nothing, s2 nothing");
    check(|config| set(config, "unheard.of", "60"), "s1 nothing, s2 nothing");
    check(|config| config.settings.clear(), "s1 nothing, s2 nothing");
    let both = "s1 restart (server.workers zeromq.threads), s2 restart (server.workers zeromq.threads)";
    check(
        |config| {
            set(config, "zeromq.threads", "2");
            set(config, "server.workers", "2");
            set(config, "limits.min_ping", "60");
        },
        both,
    );
}

#[test]
fn media_types_are_for_all() {
    check(|config| drop(config.mimetypes.insert(".x".into(), "a/b".into())), "s1 reload, s2 reload");
}

#[test]
fn json_for_programs() {
    let json = |effect| {
        let affected = Affected { label: "a".into(), uuid: "1".into(), effect };
        serde_json::to_value(affected).unwrap()
    };
    assert_eq!(json(Effect::Reload), serde_json::json!({"server": "a", "uuid": "1", "effect": "reload"}));
    let restart = serde_json::json!({"server": "a", "uuid": "1", "effect": "restart", "because": ["chroot"]});
    assert_eq!(json(Effect::Restart(vec!["chroot"])), restart);
}
