//! `m2sh cert`, and the warnings of `m2sh running`: what is in certdir, and what is made there.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use m2sh::certdir::{Certificate, Fresh};
use mongrel2::config::{Config, Server};
use rustix::process::geteuid;
use serde_json::{Value, json};

use super::bench::{Bench, Output, server};

const DAY: i64 = 86_400;

/// A server with TLS, whose certificates are in `certs`.
fn secure(uuid: &str) -> Server {
    Server { use_ssl: true, ..server(&format!("s{uuid}"), uuid, 6767) }
}

fn bench(servers: Vec<Server>) -> Bench {
    let bench = Bench::empty();
    save(&bench, servers);
    bench
}

fn save(bench: &Bench, servers: Vec<Server>) {
    let settings = [("certdir", "/certs/"), ("ssl.ca_chain", "/certs/clients.crt")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    bench.save(&Config { servers, settings, ..Config::default() });
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// Puts a pair into certdir, made `ago` days ago for so many days.
fn put(bench: &Bench, name: &str, days: u32, ago: i64) {
    fs::create_dir_all(bench.path("certs")).unwrap();
    // A minute more, so that the test may take that long.
    let fresh = Fresh::make(&["example.com".into()], days, now() - ago * DAY + 60).unwrap();
    fresh.store(&paths(bench, name), None, true).unwrap();
}

fn paths(bench: &Bench, name: &str) -> [PathBuf; 2] {
    ["crt", "key"].map(|extension| bench.path(&format!("certs/{name}.{extension}")))
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

/// The lines of `m2sh cert`, without the day.
fn lines(output: &Output) -> Vec<String> {
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
    let line = |line: &str| {
        let mut cells = cells(line);
        cells.remove(4);
        cells.join("|")
    };
    output.stdout.lines().map(line).collect()
}

#[test]
fn a_new_pair_is_for_the_hosts_and_this_machine() {
    let bench = bench(vec![secure("1")]);
    let made = bench.m2sh("cert -new").prints();
    let names = "localhost example.com example.org example.net 127.0.0.1 ::1";
    let expected = format!(
        "Made certs/1.crt and certs/1.key for {names}\nTry: m2sh start -db config.sqlite -uuid 1\n     \
         curl --cacert certs/1.crt https://localhost:6767/\n"
    );
    assert_eq!(made, expected);
    let [certificate, key] = paths(&bench, "1");
    assert_eq!((mode(&certificate), mode(&key)), (0o644, 0o600));
    assert_eq!(fs::read_dir(bench.path("certs")).unwrap().count(), 2, "nothing is left behind");
    let line = lines(&bench.m2sh("cert").exits(0)).remove(0);
    // A second later it is one less.
    let expected = [365, 364].map(|days| format!("s1|certs/1.crt|{names}|self-signed|{days}|"));
    assert!(expected.contains(&line), "{line}");
    assert_eq!(bench.log().last().unwrap().what, "cert");
}

#[test]
fn a_new_pair_is_as_it_was_asked_for() {
    let bench = bench(vec![server("plain", "1", 6767)]);
    let made = bench.m2sh("cert -new a.example *.b.example 10.0.0.1 -days 30 -why").word("a trial").prints();
    assert!(made.contains("`use_ssl: true`"), "{made}");
    let certificate = Certificate::parse(&fs::read(&paths(&bench, "1")[0]).unwrap()).unwrap();
    assert_eq!(certificate.names, ["a.example", "*.b.example", "10.0.0.1"]);
    assert!([30, 29].contains(&certificate.days(now())));
    assert_eq!(bench.log().last().unwrap().why, "a trial");
    let json = bench.m2sh("cert").json();
    assert_eq!(json[0]["names"], json!(certificate.names));
    assert_eq!(json[0]["ends"], json!(certificate.last_day()));
    assert!([30, 29].map(Value::from).contains(&json[0]["days"]));
    assert_eq!((&json[0]["issuer"], &json[0]["trouble"]), (&json!("self-signed"), &json!([])));
}

#[test]
fn only_force_replaces_a_pair() {
    let bench = bench(vec![secure("1"), secure("2")]);
    bench.m2sh("cert -new -uuid 1").prints();
    let before = fs::read(&paths(&bench, "1")[1]).unwrap();
    let refusal = ["cannot make a certificate for server s1 1", "`certs/1.crt` is there already", "hint: `-force`"];
    bench.m2sh("cert -new -every").exits(1).complains(&refusal);
    assert!(!paths(&bench, "2")[0].exists(), "nothing is made if something is in the way");
    assert_eq!(fs::read(&paths(&bench, "1")[1]).unwrap(), before);
    let made = bench.m2sh("cert -new -every -force").json();
    assert_eq!((&made[0]["key"], &made[1]["certificate"]), (&json!("certs/1.key"), &json!("certs/2.crt")));
    assert_ne!(fs::read(&paths(&bench, "1")[1]).unwrap(), before);
    assert_eq!(lines(&bench.m2sh("cert -every").exits(0)).len(), 2, "each server has its own");
}

#[test]
fn words_that_make_no_sense_are_refused() {
    let bench = bench(vec![secure("1")]);
    for words in ["cert example.com", "cert -days 3", "cert -force", "cert -new -days 0", "cert -new http://x/"] {
        bench.m2sh(words).exits(2);
    }
    assert!(!bench.path("certs").exists());
    let without = Bench::with(vec![secure("1")]);
    for words in ["cert", "cert -new"] {
        without.m2sh(words).exits(1).complains(&["the setting `certdir` names no folder", "hint: commit("]);
    }
    save(&without, vec![Server { chroot: "missing".into(), ..secure("1") }]);
    without.m2sh("cert -new").exits(1).complains(&["its chroot `missing` is not a folder"]);
}

#[test]
fn trouble_is_told() {
    let bench = bench(vec![secure("1"), secure("2")]);
    let trouble = |name: &str| {
        let found = lines(&bench.m2sh("cert -uuid 1").exits(1));
        let line = found.iter().find(|line| line.contains(&format!("/{name}.crt|")));
        line.unwrap_or_else(|| panic!("no {name} in {found:?}")).rsplit('|').next().unwrap().to_owned()
    };
    assert_eq!(trouble("1"), "certificate missing; key missing");
    let hints = bench.m2sh("cert -uuid 1").exits(1).stderr;
    assert!(hints.contains("hint: `m2sh cert -new -db config.sqlite -uuid 1` makes a pair"), "{hints}");
    for name in ["1", "2", "good", "clients", "over", "early", "keyless", "other", "open", "garbage", "coded"] {
        put(&bench, name, 30, 0);
    }
    put(&bench, "over", 30, 31);
    put(&bench, "early", 30, -2);
    let [certificate, key] = ["other", "good"].map(|name| paths(&bench, name)).map(|[_, key]| key);
    fs::copy(key, certificate).unwrap();
    fs::remove_file(&paths(&bench, "keyless")[1]).unwrap();
    fs::remove_file(&paths(&bench, "clients")[1]).unwrap();
    fs::set_permissions(&paths(&bench, "open")[1], fs::Permissions::from_mode(0o604)).unwrap();
    fs::write(&paths(&bench, "garbage")[0], "x").unwrap();
    fs::create_dir(bench.path("certs/folder.crt")).unwrap();
    fs::write(bench.path("certs/.hidden.crt"), "x").unwrap();
    fs::write(bench.path("certs/notes.txt"), "x").unwrap();
    let coded = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(&paths(&bench, "coded")[1], coded).unwrap();
    for (name, expected) in [
        ("1", ""),
        ("good", ""),
        ("clients", ""),
        ("over", "certificate over"),
        ("early", "certificate not valid until"),
        ("keyless", "key missing"),
        ("other", "key does not match"),
        ("open", "key readable by others"),
        ("garbage", "certificate cannot be read: it is not a certificate in PEM"),
        ("folder", "certificate cannot be read: it is not a file, or a large one; key missing"),
        ("coded", "key cannot be read: it is not a private key in PEM without a passphrase"),
    ] {
        assert!(trouble(name).starts_with(expected), "{name}: {}", trouble(name));
        assert_eq!(trouble(name).is_empty(), expected.is_empty(), "{name}: {}", trouble(name));
    }
    let rows = bench.m2sh("cert -uuid 1").exits(1);
    assert_eq!(lines(&rows).len(), 11, "{}", rows.stdout);
    assert!(lines(&rows).contains(&"s1|certs/over.crt|example.com|self-signed|-1|certificate over".to_owned()));
}

#[test]
fn what_may_not_be_read_is_trouble() {
    let bench = bench(vec![secure("1")]);
    put(&bench, "1", 30, 0);
    fs::set_permissions(&paths(&bench, "1")[1], fs::Permissions::from_mode(0o000)).unwrap();
    let output = bench.humble_m2sh("cert").exits(1);
    assert!(output.stdout.contains("\tkey cannot be read: Permission denied"), "{}", output.stdout);
}

#[test]
fn what_root_makes_is_the_owners_of_the_chroot() {
    if !geteuid().is_root() {
        return;
    }
    let bench = bench(vec![Server { chroot: "site".into(), ..secure("1") }]);
    fs::create_dir(bench.path("site")).unwrap();
    chown(bench.path("site"), Some(12_345), Some(12_346)).unwrap();
    bench.m2sh("cert -new").prints();
    for path in ["site/certs", "site/certs/1.crt", "site/certs/1.key"] {
        let metadata = bench.path(path).metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (12_345, 12_346), "{path}");
    }
}

#[test]
fn running_warns_of_certificates_that_end() {
    let bench = bench(vec![secure("1"), server("plain", "2", 6768)]);
    put(&bench, "1", 30, 20);
    put(&bench, "gone.example", 1, 3);
    put(&bench, "long.example", 30, 0);
    put(&bench, "2", 1, 3);
    let output = bench.m2sh("running -every").exits(3);
    let expected = "PID file run/1.pid not found for server s1 1\nPID file run/2.pid not found for server plain 2\n";
    assert_eq!(output.stdout, expected);
    let days = ["1", "gone.example"]
        .map(|name| Certificate::parse(&fs::read(&paths(&bench, name)[0]).unwrap()).unwrap().last_day());
    let expected = format!(
        "m2sh: warning: the certificate `certs/1.crt` of server s1 1 ends in 10 days, on {}\n\
         m2sh: warning: the certificate `certs/gone.example.crt` of server s1 1 is over, since {}\n",
        days[0], days[1]
    );
    assert_eq!(output.stderr, expected);
    let json: Value = serde_json::from_str(&bench.m2sh("running -every --json").exits(3).stdout).unwrap();
    let expected = json!({"file": "certs/1.crt", "ends": days[0], "days": 10});
    assert_eq!((&json[0]["certificates"][0], &json[1]["certificates"]), (&expected, &json!([])));
}

#[test]
fn running_needs_no_certificates() {
    let bench = bench(vec![secure("1")]);
    for folder_is_missing in [true, false] {
        if !folder_is_missing {
            fs::write(bench.path("certs"), "a file").unwrap();
        }
        assert_eq!(bench.m2sh("running").exits(3).stderr, "");
    }
}
