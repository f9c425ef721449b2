//! TLS with the real server: certificates by name, versions, resumption, and what is spoken over it.

mod clients;
mod hostile;
pub(crate) mod keys;
mod reloads;
mod speech;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use mongrel2::config::Target;
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, SupportedProtocolVersion};
use testkit::{curl, openssl};

use self::keys::{Authority, Pair};
use crate::harness::{Client, Running, Site, UUID, get, handler};

/// One version only.
const TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
const TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// A server of localhost's, whose certificate an authority has signed.
pub(crate) struct Secure {
    pub(crate) running: Running,
    pub(crate) authority: Authority,
    config: Arc<ClientConfig>,
}

/// A deployment whose port speaks TLS; the certificates are still to be written.
fn site() -> Site {
    let mut site = Site::new().files("/").file("static/index.html", "index").setting("certdir", "/certs/");
    site.server().use_ssl = true;
    site.route("/handler", Target::Handler(handler("one")))
}

fn certs(site: &Site) -> PathBuf {
    site.path().join("certs")
}

impl Secure {
    pub(crate) fn start() -> Self {
        Self::with(|site| site)
    }

    /// The same with more to it.
    pub(crate) fn with(change: impl FnOnce(Site) -> Site) -> Self {
        let authority = Authority::new("authority");
        let site = change(site()).file("authority.pem", authority.pem());
        authority.issue("localhost").write(&certs(&site), UUID);
        let config = authority.client().config();
        Self { running: site.start(), authority, config }
    }

    pub(crate) fn connect(&self) -> Client {
        self.connect_with(&self.config)
    }

    pub(crate) fn connect_with(&self, config: &Arc<ClientConfig>) -> Client {
        Client::secure(self.running.address(), config, "localhost")
    }

    fn path(&self, name: &str) -> String {
        self.running.site.path().join(name).to_str().unwrap().to_owned()
    }

    /// What `openssl s_client` says of a session with one request.
    fn s_client(&self, openssl: testkit::Openssl, arguments: &[&str]) -> String {
        let address = self.running.address().to_string();
        let authority = self.path("authority.pem");
        let fixed = ["-connect", &address, "-CAfile", &authority];
        openssl.s_client(
            &[&fixed[..], arguments].concat(),
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        )
    }
}

/// Asks for the index; gives how hands were shaken.
fn ask(client: &mut Client) -> HandshakeKind {
    client.send(get("/"));
    assert_eq!(client.answer().text(), "index");
    client.tls().handshake_kind().unwrap()
}

#[test]
fn curl_trusts_whom_it_knows() {
    let Some(mut curl) = curl() else { return };
    let secure = Secure::start();
    let url = format!("https://localhost:{}/", secure.running.address().port());
    let output = curl.args(["--cacert", &secure.path("authority.pem"), &url, &url]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "indexindex", "{output:?}");
    let mut stranger = testkit::curl().unwrap();
    let output = stranger.arg(&url).output().unwrap();
    assert_eq!(output.status.code(), Some(60), "nobody else has signed it: {output:?}");
}

#[test]
fn certificates_by_name() {
    let Some(openssl) = openssl() else { return };
    let secure = Secure::with(|site| {
        let folder = certs(&site);
        for name in ["www.example.com", "_.example.com", "Upper.Example.ORG"] {
            Pair::self_signed(&name.replace('_', "x")).write(&folder, name);
        }
        // Of another server of the database.
        let mut other = site;
        other.change(|config| {
            let server = mongrel2::config::Server { uuid: "other-uuid".into(), ..config.servers[0].clone() };
            config.servers.push(mongrel2::config::Server { port: server.port ^ 1, ..server });
        });
        Pair::self_signed("other-uuid").write(&folder, "other-uuid");
        // Without a key it is none of the server's.
        fs::write(folder.join("lonely.example.net.crt"), "not a certificate").unwrap();
        other
    });
    for (name, expected) in [
        (None, "localhost"),
        (Some("localhost"), "localhost"),
        (Some("www.example.com"), "www.example.com"),
        (Some("WWW.Example.Com"), "www.example.com"),
        (Some("a.example.com"), "x.example.com"),
        (Some("a.b.example.com"), "localhost"),
        (Some("example.com"), "localhost"),
        (Some("upper.example.org"), "Upper.Example.ORG"),
        (Some("other-uuid"), "localhost"),
        (Some("lonely.example.net"), "localhost"),
    ] {
        let said = match name {
            None => secure.s_client(openssl, &["-noservername"]),
            Some(name) => secure.s_client(openssl, &["-servername", name]),
        };
        // Versions of openssl differ in blanks.
        let subject = said.replace(" = ", "=");
        assert!(subject.contains(&format!("subject=CN={expected}\n")), "{name:?}: {said}");
        assert!(said.contains("HTTP/1.1 200 OK"), "{name:?}: {said}");
    }
}

#[test]
fn versions_and_protocols() {
    let Some(openssl) = openssl() else { return };
    let secure = Secure::start();
    for (arguments, expected) in [
        (&["-tls1_2"][..], "New, TLSv1.2"),
        (&["-tls1_3"], "New, TLSv1.3"),
        (&["-tls1_3"], "Verify return code: 0 (ok)"),
        (&["-alpn", "h2,http/1.1"], "ALPN protocol: http/1.1"),
        (&["-alpn", "http/1.0"], "ALPN protocol: http/1.0"),
        (&["-alpn", "h2"], "no application protocol"),
        (&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "SSL alert number"),
        (&["-tls1_2", "-cipher", "AES128-SHA"], "alert handshake failure"),
    ] {
        let said = secure.s_client(openssl, arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn ciphers_are_those_that_are_named() {
    let Some(openssl) = openssl() else { return };
    let suites = "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384, RC4 TLS_CHACHA20_POLY1305_SHA256";
    let secure = Secure::with(|site| site.setting("ssl_ciphers", suites));
    secure.running.process.wait_for_stderr("ssl_ciphers names `RC4`");
    for (arguments, expected) in [
        (&["-tls1_2"][..], "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "alert handshake failure"),
        (&["-tls1_3"], "Cipher is TLS_CHACHA20_POLY1305_SHA256"),
    ] {
        let said = secure.s_client(openssl, arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn sessions_are_resumed() {
    let Some(openssl) = openssl() else { return };
    let secure = Secure::start();
    let file = secure.path("session");
    for version in ["-tls1_2", "-tls1_3"] {
        let said = secure.s_client(openssl, &[version, "-sess_out", &file]);
        assert!(said.contains("New, TLSv1."), "{said}");
        let said = secure.s_client(openssl, &[version, "-sess_in", &file]);
        assert!(said.contains("Reused, TLSv1.") && said.contains("200 OK"), "{said}");
    }
}

#[test]
fn both_versions_of_another_implementation() {
    let secure = Secure::start();
    for (versions, expected) in [(TLS12, ProtocolVersion::TLSv1_2), (TLS13, ProtocolVersion::TLSv1_3)] {
        let config = secure.authority.client().version(versions).config();
        let mut client = secure.connect_with(&config);
        assert_eq!(ask(&mut client), HandshakeKind::Full);
        assert_eq!(client.tls().protocol_version(), Some(expected));
        let mut client = secure.connect_with(&config);
        assert_eq!(ask(&mut client), HandshakeKind::Resumed);
    }
}

#[test]
fn no_start_without_a_pair() {
    let check = |prepare: &dyn Fn(&std::path::Path), expected: &str| {
        let site = site();
        let folder = certs(&site);
        fs::create_dir(&folder).unwrap();
        prepare(&folder);
        site.save();
        let output = site.command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let expected = expected.replace("CERTS", folder.to_str().unwrap());
        assert!(said.contains(&expected), "`{expected}` is not in: {said}");
        assert!(said.contains("hint: "), "{said}");
    };
    let pair = Pair::self_signed("localhost");
    check(&|_| {}, &format!("cannot read `CERTS/{UUID}.crt`: No such file"));
    check(&|folder| fs::remove_dir(folder).unwrap(), &format!("cannot read `CERTS/{UUID}.crt`: No such file"));
    check(
        &|folder| {
            pair.write(folder, UUID);
            fs::remove_file(folder.join(format!("{UUID}.key"))).unwrap();
        },
        &format!("cannot read `CERTS/{UUID}.key`: No such file"),
    );
    check(
        &|folder| Pair { key: Pair::self_signed("x").key, ..pair.clone() }.write(folder, UUID),
        &format!("the key `CERTS/{UUID}.key` is not that of the certificate `CERTS/{UUID}.crt`"),
    );
    check(
        &|folder| Pair { certificate: "nonsense".into(), ..pair.clone() }.write(folder, UUID),
        &format!("there is no certificate in `CERTS/{UUID}.crt`"),
    );
    check(
        &|folder| Pair { key: "nonsense".into(), ..pair.clone() }.write(folder, UUID),
        &format!("there is no key in `CERTS/{UUID}.key`"),
    );
    check(
        &|folder| {
            pair.write(folder, UUID);
            Pair { key: "nonsense".into(), ..pair.clone() }.write(folder, "www.example.com");
        },
        "there is no key in `CERTS/www.example.com.key`",
    );
}

#[test]
fn a_key_that_others_can_read_is_worth_a_warning() {
    let secure = Secure::with(|site| {
        let folder = certs(&site);
        Pair::self_signed("open.example.com").write(&folder, "open.example.com");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(folder.join("open.example.com.key"), open).unwrap();
        site
    });
    secure.running.process.wait_for_stderr("open.example.com.key` is readable by others: chmod o= it");
    assert!(!secure.running.process.stderr().contains(&format!("{UUID}.key`")));
}
