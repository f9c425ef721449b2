//! Certificates that change while the server runs.

use std::fs;

use mongrel2::wire::control::{Command, Table};
use mongrel2::wire::tnetstring::Value;
use rustls::HandshakeKind;

use super::keys::{Authority, Pair};
use super::{Secure, TLS12, TLS13, ask, certs};
use crate::harness::{Client, Operator, Running, Site, UUID, get};

/// Reloads at the control port; gives what it warns of, or why it failed.
fn reload(running: &Running) -> Result<Vec<String>, String> {
    let answer = Operator::connect(running.site.path()).ask(&Command::Reload);
    let table: Table = answer.map_err(|failure| failure.error.into_owned())?;
    let Some(Value::List(warnings)) = table.value(&table.rows[0], "warnings") else { panic!("{table:?}") };
    let text = |value: &Value| match value {
        Value::String(text) => String::from_utf8(text.clone()).unwrap(),
        other => panic!("{other:?}"),
    };
    Ok(warnings.iter().map(text).collect())
}

/// The certificate that a client sees.
fn shown(client: &mut Client) -> Vec<u8> {
    client.tls().peer_certificates().expect("hands have been shaken")[0].to_vec()
}

#[test]
fn a_new_certificate_is_for_new_connections() {
    let secure = Secure::start();
    let mut old = secure.connect();
    ask(&mut old);
    let next = secure.authority.issue("localhost");
    next.write(&certs(&secure.running.site), UUID);
    assert_eq!(reload(&secure.running), Ok(vec![]));
    assert_eq!(ask(&mut old), HandshakeKind::Full, "it goes on");
    let mut new = secure.connect_with(&secure.authority.client().config());
    ask(&mut new);
    assert_eq!((shown(&mut new), shown(&mut old) == next.der().to_vec()), (next.der().to_vec(), false));
}

#[test]
fn one_that_is_over_is_served_and_told_of() {
    let over = Pair::over("old.example.com");
    let secure = Secure::with(|site| {
        over.write(&certs(&site), "old.example.com");
        site
    });
    let told = "old.example.com.crt` is over, since 2020-01-02";
    secure.running.process.wait_for_stderr(told);
    let warnings = reload(&secure.running).unwrap();
    assert!(matches!(&warnings[..], [only] if only.contains(told)), "{warnings:?}");
    ask(&mut secure.connect());
}

#[test]
fn a_broken_one_leaves_the_old_one_serving() {
    let secure = Secure::with(|site| {
        Pair::self_signed("www.example.com").write(&certs(&site), "www.example.com");
        site
    });
    let folder = certs(&secure.running.site);
    let mut client = secure.connect();
    ask(&mut client);
    let before = shown(&mut client);
    let check = |breakage: &dyn Fn(), expected: &str| {
        breakage();
        let warnings = reload(&secure.running).unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(expected), "{warnings:?}");
        secure.running.process.wait_for_stderr(&warnings[0]);
        let mut client = secure.connect_with(&secure.authority.client().config());
        ask(&mut client);
        assert_eq!(shown(&mut client), before);
    };
    let away = folder.with_file_name("away");
    fs::rename(&folder, &away).unwrap();
    let warnings = reload(&secure.running).unwrap();
    assert!(warnings.len() == 2 && warnings[1].ends_with("those before are served"), "{warnings:?}");
    ask(&mut secure.connect());
    fs::rename(&away, &folder).unwrap();
    assert_eq!(reload(&secure.running), Ok(vec![]));
    let [default, www, new] = [UUID, "www.example.com", "new.example.com"];
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let good = fs::read_to_string(folder.join(format!("{default}.crt"))).unwrap();
    check(&|| write(&format!("{default}.crt"), "nonsense"), &format!("{UUID}.crt`; the one before is served"));
    check(&|| fs::remove_file(folder.join(format!("{default}.crt"))).unwrap(), "No such file");
    check(&|| Pair::self_signed("x").write(&folder, &format!("{default}x")), "No such file");
    write(&format!("{default}.crt"), &good);
    assert_eq!(reload(&secure.running), Ok(vec![]));
    check(&|| write(&format!("{www}.key"), ""), "www.example.com.key`, or it needs a password; the one before");
    check(&|| fs::remove_file(folder.join(format!("{www}.key"))).unwrap(), "www.example.com.key`: No such file");
    fs::remove_file(folder.join(format!("{www}.crt"))).unwrap();
    assert_eq!(reload(&secure.running), Ok(vec![]), "it is not wanted any more");
    let pair = Pair { key: Pair::self_signed("x").key, ..Pair::self_signed(new) };
    check(&|| pair.write(&folder, new), "is not that of the certificate");
}

#[test]
fn tls_is_switched_on_and_off() {
    let authority = Authority::new("authority");
    let site = Site::new().files("/").file("static/index.html", "index").setting("certdir", "certs");
    let mut running = site.start();
    let mut plain = running.connect();
    plain.send(get("/"));
    assert_eq!(plain.answer().text(), "index");
    running.site.server().use_ssl = true;
    running.site.save();
    let error = reload(&running).unwrap_err();
    assert!(error.contains(&format!("{UUID}.crt`: No such file")), "{error}");
    assert_eq!(running.get("/").text(), "index", "the old configuration goes on");
    authority.issue("localhost").write(&certs(&running.site), UUID);
    assert_eq!(reload(&running), Ok(vec![]));
    let mut secure = Client::secure(running.address(), &authority.client().config(), "localhost");
    ask(&mut secure);
    assert_eq!(running.get("/").status, 301, "nothing is served in the clear");
    plain.send(get("/"));
    assert_eq!(plain.answer().text(), "index", "but to those who were there before");
    running.site.server().use_ssl = false;
    running.site.save();
    assert_eq!(reload(&running), Ok(vec![]));
    assert_eq!(running.get("/").text(), "index");
    ask(&mut secure);
}

#[test]
fn sessions_outlive_a_reload_but_get_nobody_around_a_demand() {
    for versions in [TLS12, TLS13] {
        let mut secure = Secure::start();
        let config = secure.authority.client().version(versions).config();
        let fresh = |secure: &Secure| ask(&mut secure.connect_with(&config));
        assert_eq!(fresh(&secure), HandshakeKind::Full);
        secure.running.reload();
        assert_eq!(fresh(&secure), HandshakeKind::Resumed);
        let authority = Authority::new("known");
        fs::write(certs(&secure.running.site).join("clients.pem"), authority.pem()).unwrap();
        secure.running.change(|config| {
            config.settings.insert("ssl.ca_chain".into(), "certs/clients.pem".into());
            config.settings.insert("ssl.verify_required".into(), "1".into());
        });
        let mut client = secure.connect_with(&config);
        client.try_send(get("/"));
        assert!(client.try_answer(false).is_none(), "it has nothing to show");
        let known = secure.authority.client().version(versions).pair(&authority.issue("a")).config();
        let again = |secure: &Secure| ask(&mut secure.connect_with(&known));
        assert_eq!((again(&secure), again(&secure)), (HandshakeKind::Full, HandshakeKind::Resumed));
        // Others sign now: who was known no longer is.
        let other = Authority::new("other");
        fs::write(certs(&secure.running.site).join("clients.pem"), other.pem()).unwrap();
        secure.running.reload();
        let mut client = secure.connect_with(&known);
        client.try_send(get("/"));
        assert!(client.try_answer(false).is_none(), "nobody has signed it");
        fs::remove_file(certs(&secure.running.site).join("clients.pem")).unwrap();
        let error = reload(&secure.running).unwrap_err();
        assert!(error.contains("clients.pem`: No such file"), "{error}");
    }
}
