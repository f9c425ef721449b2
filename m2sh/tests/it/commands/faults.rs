//! Databases that can't be used: each gets a message with a hint, exit code 1, and no change.

use std::os::unix::fs::PermissionsExt;

use super::bench::{Bench, server};

const READING: [&str; 7] = ["dump", "servers", "hosts", "routes", "running", "log", "route /"];
const CHANGING: [&str; 4] = ["init", "commit -what x -why y", "start", "stop"];

fn check(bench: &Bench, commands: &[&str], texts: &[&str]) {
    let before = std::fs::read(bench.path("config.sqlite")).ok();
    for words in commands {
        bench.m2sh(words).exits(1).complains(texts);
    }
    assert_eq!(std::fs::read(bench.path("config.sqlite")).ok(), before);
}

#[test]
fn there_is_none() {
    let bench = Bench::empty();
    let hint = "hint: make it with `m2sh init -db config.sqlite`, or name another with `-db`";
    check(&bench, &READING, &["there is no database `config.sqlite`", hint]);
    check(&bench, &CHANGING[1..], &["there is no database `config.sqlite`", hint]);
    bench
        .m2sh("init -db a/b.sqlite")
        .exits(1)
        .complains(&["cannot initialise the database: `a/b.sqlite`", "hint: make its folder"]);
}

#[test]
fn it_is_not_one() {
    let bench = Bench::empty();
    std::fs::write(bench.path("config.sqlite"), "Server(#{})\n".repeat(100)).unwrap();
    check(&bench, &READING, &["`config.sqlite` is not a SQLite database", "hint: name the configuration database"]);
    check(&bench, &CHANGING, &["`config.sqlite` is not a SQLite database"]);
}

#[test]
fn it_is_something_elses() {
    let bench = Bench::empty();
    bench.sql("CREATE TABLE cats (name TEXT)");
    let message = "`config.sqlite` is not a mongrel2 database: it has no table `server`";
    check(&bench, &READING, &[message]);
    check(&bench, &CHANGING, &[message]);
}

#[test]
fn it_is_from_the_future() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.sql("PRAGMA user_version = 99");
    let message = "its version is 99, this program knows up to 1";
    check(&bench, &READING, &[message, "hint: use the m2sh that wrote it, or a newer one"]);
    check(&bench, &CHANGING, &[message]);
}

#[test]
fn a_route_leads_to_nothing() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.sql("UPDATE route SET target_id = 77 WHERE id = 2");
    let message = "table `route`, row 2: target_id is 77, but table `directory` has no such row";
    check(&bench, &["routes", "route /", "start", "reload"], &[message, "hint: look at the row"]);
    bench.m2sh("running").exits(3);
    bench.m2sh("stop").exits(3);
    assert!(bench.m2sh("hosts").prints().starts_with("test\tlocalhost\tlocalhost\tno\t/ /static/ "));
    assert!(bench.m2sh("dump").prints().contains("route\t2\t/static/\t0\t1\t77\tdir\n"));
}

#[test]
fn a_configuration_that_no_server_can_run() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.sql("UPDATE server SET port = 99999; UPDATE route SET path = '/(' WHERE id = 1");
    let texts = [
        "cannot use the configuration in `config.sqlite`",
        "server `test`: 99999 is not a TCP port",
        "server `test`, host `localhost`, route `/(`: cannot use the pattern",
    ];
    check(&bench, &["start", "reload", "route /"], &texts);
}

#[test]
fn nobody_may_write_it() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    std::fs::set_permissions(bench.path("config.sqlite"), PermissionsExt::from_mode(0o444)).unwrap();
    for words in ["init", "commit -what x -why y"] {
        bench.humble_m2sh(words).exits(1).complains(&[
            "m2sh: cannot ",
            "`config.sqlite`: the database is read-only",
            "hint: see who may",
        ]);
    }
    assert!(bench.humble_m2sh("servers").prints().starts_with("test\t"));
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn nobody_may_write_beside_it() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    let folder = bench.path("config.sqlite");
    let folder = folder.parent().unwrap();
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o555)).unwrap();
    for words in ["init", "commit -what x -why y", "rollback 1"] {
        let hint = "hint: see who may write it and its folder with `ls -ld config.sqlite .`";
        bench.humble_m2sh(words).exits(1).complains(&["`config.sqlite`: the database is read-only", hint]);
    }
    assert!(bench.humble_m2sh("servers").prints().starts_with("test\t"));
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn it_is_elsewhere() {
    let bench = Bench::empty();
    for address in ["https://example.com/config.sqlite", "machine:/etc/config.sqlite"] {
        let message = format!("`{address}` is an address, and a database is a file on this machine");
        for words in ["servers", "init", "commit -what x -why y", "log"] {
            bench.m2sh(&format!("{words} -db {address}")).exits(1).complains(&[&message, "hint: copy it here"]);
        }
    }
    let hint = "hint: make its folder with `mkdir -p //machine/share`";
    bench.m2sh("init -db //machine/share/config.sqlite").exits(1).complains(&["cannot initialise the database", hint]);
}

#[test]
fn what_sqlite_would_take_for_something_else_is_a_file() {
    let bench = Bench::empty();
    for name in [":memory:", "file:x.sqlite", "file::memory:?cache=shared"] {
        bench.m2sh(&format!("init -db {name}")).prints();
        assert!(bench.path(name).is_file(), "{name}");
        assert_eq!(bench.m2sh(&format!("servers -db {name}")).prints(), "");
    }
}

/// A script with so many routes.
fn long_script(routes: usize) -> String {
    let server =
        r#"uuid: "u", access_log: "/logs/a", error_log: "/logs/e", pid_file: "/run/p", default_host: "localhost""#;
    format!(
        r#"let routes = #{{}};
for i in 0..{routes} {{ routes["/r" + i + "/"] = Dir(#{{base: "s" + i + "/", index_file: "i", default_ctype: "a/b"}}); }}
commit([Server(#{{{server}, name: "x", port: 6767, chroot: "./", hosts: [Host(#{{name: "localhost", routes: routes}})]}})]);"#
    )
}

/// Runs a shell's commands in the bench's folder, where `$M2SH` is m2sh; gives what stdout and stderr got.
fn shell(bench: &Bench, program: &[&str], commands: &str) -> String {
    let mut command = std::process::Command::new(program[0]);
    command.args(&program[1..]).args(["-c", commands]).current_dir(bench.path(""));
    let output = command.env("M2SH", env!("CARGO_BIN_EXE_m2sh")).output().unwrap();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

#[test]
fn it_may_not_grow() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.script("long.rhai", &long_script(3000));
    let before = std::fs::read(bench.path("config.sqlite")).unwrap();
    // 256 blocks of 512 bytes; without the trap the signal would end m2sh before it can say anything.
    let told =
        shell(&bench, &["sh"], "trap '' XFSZ; ulimit -f 256; \"$M2SH\" load -config long.rhai -yes; echo \"exit $?\"");
    assert!(told.contains("exit 1\n") && told.contains("m2sh: cannot load `long.rhai`: `config.sqlite`: "), "{told}");
    assert_eq!(std::fs::read(bench.path("config.sqlite")).unwrap(), before);
    assert!(bench.m2sh("load -config long.rhai -yes").exits(0).stdout.contains("3000 routes"));
}

#[test]
fn the_disk_is_full() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    bench.script("long.rhai", &long_script(3000));
    let namespace = ["unshare", "--map-root-user", "--mount", "sh"];
    let script = "mkdir small && mount -t tmpfs -o size=300k none small || { echo skipped; exit; }
        cp config.sqlite small/ && cd small
        \"$M2SH\" load -config ../long.rhai -yes; echo \"exit $?\"
        cmp config.sqlite ../config.sqlite && \"$M2SH\" log -verify; ls";
    let told = match rustix::process::geteuid().is_root() {
        // Root of a container may lack the right to mount.
        true => shell(&bench, &["unshare", "--mount", "sh"], script),
        false => shell(&bench, &namespace, script),
    };
    if told.contains("skipped") || !told.contains("exit ") {
        return eprintln!("skipped `the_disk_is_full`: no disk can be mounted: {told}");
    }
    assert!(
        told.contains("cannot load `../long.rhai`: `config.sqlite`: the disk is full\nhint: make room: `df .`"),
        "{told}"
    );
    let rest = "exit 1\nThe log is as it was written: 1 entries, 1 seals";
    assert!(told.contains(rest) && told.contains("\nconfig.sqlite\n") && !told.contains("journal"), "{told}");
}

#[test]
fn somebody_keeps_it_locked() {
    let bench = Bench::with(vec![server("test", "1", 6767)]);
    let other = rusqlite::Connection::open(bench.path("config.sqlite")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // All at once, as each waits for as long as it has patience.
    std::thread::scope(|scope| {
        for words in ["commit -what x -why y", "rollback 1", "init", "servers", "log"] {
            let m2sh = bench.m2sh(words);
            scope.spawn(|| {
                let texts = ["another program keeps the database locked", "hint: try again when it is done"];
                m2sh.exits(1).complains(&texts);
            });
        }
    });
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(bench.log().len(), 1);
}
