//! `m2sh cert`: the certificates of servers, and new ones that sign themselves.
//!
//! Both are about the folder that the setting `certdir` names.  Trouble with a certificate makes the exit code 1.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use mongrel2::config::Server;
use mongrel2::config::settings::Settings;
use serde_json::{Value, json};

use crate::args::Cert;
use crate::certdir::{Certdir, Certificate, Fresh, Owner, Pair, is_name};
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::found::{Found, title};
use crate::session::Session;
use crate::show::{Cell, Form, escape};

use super::start::make_folder;

const COLUMNS: [&str; 7] = ["server", "file", "names", "issuer", "ends", "days", "trouble"];

/// Names that always lead to this machine.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

pub(super) fn run(args: &Cert, session: &mut Session) -> Result<Exit, Error> {
    let config = session.config()?;
    let verb = if args.new { "make a certificate for" } else { "show" };
    let chosen = session.choose(config.servers.clone(), &args.which, verb)?;
    let settings = Settings::new(&config.settings);
    let certdirs = chosen.iter().filter_map(|server| Some((server, Certdir::of(server, &config.servers, &settings)?)));
    let certdirs: Vec<_> = certdirs.collect();
    if certdirs.is_empty() {
        return Err(Error::cannot("find certificates", "the setting `certdir` names no folder")
            .hint("commit([…], #{ settings: #{ \"certdir\": \"/certs/\" } }) in the script, and `m2sh load`"));
    }
    if args.new { make(args, &certdirs, session) } else { list(&certdirs, session) }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
}

fn list(certdirs: &[(&Server, Certdir<'_>)], session: &mut Session) -> Result<Exit, Error> {
    let now = now();
    let mut rows = Vec::new();
    let mut troubled = false;
    for (server, certdir) in certdirs {
        let pairs = certdir.pairs().map_err(|error| {
            Error::cannot(format!("read the folder `{}`", certdir.folder().display()), error)
                .hint("is it readable for you?  `sudo` is, if not")
        })?;
        troubled |= pairs.iter().any(|pair| !pair.troubles(now).is_empty());
        rows.extend(pairs.iter().map(|pair| row(server, pair, now)));
    }
    session.show.table(&COLUMNS, rows)?;
    for (server, certdir) in certdirs.iter().filter(|(server, certdir)| server.use_ssl && is_bare(certdir)) {
        say(&format!("hint: `m2sh cert -new -db {} -uuid {}` makes a pair", db(session), server.uuid));
        say(&format!("hint: one that you have is copied to `{}` and `….key`", path(&certdir.own()[0])));
    }
    Ok(if troubled { Exit::Failure } else { Exit::Success })
}

/// Whether the pair is missing without which a server with TLS doesn't start.
fn is_bare(certdir: &Certdir<'_>) -> bool {
    certdir.own().iter().all(|path| path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound))
}

fn path(path: &Path) -> String {
    escape(&path.display().to_string())
}

fn db(session: &Session) -> String {
    path(&session.db)
}

fn row(server: &Server, pair: &Pair, now: i64) -> Vec<Cell> {
    let certificate = pair.certificate.as_ref().ok();
    let nothing = || Cell::both("", Value::Null);
    let issuer = |certificate: &Certificate| certificate.issuer.clone().unwrap_or_else(|| "self-signed".into());
    let troubles = pair.troubles(now);
    vec![
        server.label().into(),
        pair.file.display().to_string().as_str().into(),
        Cell::list(certificate.map_or_else(Vec::new, |certificate| certificate.names.clone())),
        certificate.map_or_else(nothing, |certificate| issuer(certificate).as_str().into()),
        certificate.map_or_else(nothing, |certificate| certificate.last_day().as_str().into()),
        certificate.map_or_else(nothing, |certificate| certificate.days(now).into()),
        Cell::both(&troubles.join("; "), troubles.into()),
    ]
}

/// Makes a pair for each server, if there is nothing in the way of any of them.
fn make(args: &Cert, certdirs: &[(&Server, Certdir<'_>)], session: &mut Session) -> Result<Exit, Error> {
    if let Some(name) = args.names.iter().find(|name| !is_name(name)) {
        return Err(Error::usage(
            format!("make a certificate for `{}`", escape(name)),
            "it is neither a host name nor an IP address",
        ));
    }
    for (server, certdir) in certdirs {
        refuse_to_replace(args, server, certdir)?;
    }
    let mut told = Vec::new();
    let servers = || certdirs.iter().map(|(server, _)| *server);
    for (server, certdir) in certdirs {
        let names = if args.names.is_empty() { names(server) } else { args.names.clone() };
        store(args, server, certdir, &names)?;
        if told.is_empty() {
            session.record(&session.operator.entry("cert", args.because.why.as_deref()).about(servers()));
        }
        told.push((text(server, certdir, &names, &db(session)), json(server, certdir, &names)));
    }
    match session.show.form() {
        Form::Json => session.show.json(&told.into_iter().map(|(_, json)| json).collect::<Vec<_>>())?,
        Form::Lines | Form::Terminal => told.iter().try_for_each(|(text, _)| session.show.line(text))?,
    }
    Ok(Exit::Success)
}

fn refuse_to_replace(args: &Cert, server: &Server, certdir: &Certdir<'_>) -> Result<(), Error> {
    let own = certdir.own();
    let Some(there) = own.iter().find(|path| !args.force && path.symlink_metadata().is_ok()) else {
        return Ok(());
    };
    let cause = format!("`{}` is there already", there.display());
    Err(Error::cannot(format!("make a certificate for server {}", title(server)), cause)
        .hint("`-force` puts a new certificate and a new key in the place of what is there"))
}

fn store(args: &Cert, server: &Server, certdir: &Certdir<'_>, names: &[String]) -> Result<(), Error> {
    let doing = || format!("make a certificate for server {}", title(server));
    let chroot = Path::new(&server.chroot);
    if !chroot.is_dir() {
        return Err(Error::cannot(doing(), format!("its chroot `{}` is not a folder", server.chroot))
            .hint("the path counts from the folder that you are in"));
    }
    let fresh = Fresh::make(names, args.days, now()).map_err(|error| Error::cannot(doing(), error))?;
    let folder = certdir.folder();
    make_folder(folder, chroot)
        .map_err(|error| Error::cannot(format!("make the folder `{}`", folder.display()), error))?;
    owner(chroot)
        .and_then(|owner| fresh.store(&certdir.own(), owner, args.force))
        .map_err(|error| Error::cannot(format!("write to `{}`", folder.display()), error))
}

/// Whom files of root's have to belong to, so that the server can read them: the chroot's owner.
fn owner(chroot: &Path) -> std::io::Result<Owner> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    chroot.metadata().map(|chroot| Some((chroot.uid(), chroot.gid())))
}

/// The names of the server's hosts, as far as they are names and not patterns, and those of this machine.
fn names(server: &Server) -> Vec<String> {
    let hosts = server.hosts.iter();
    let patterns =
        hosts.flat_map(|host| std::iter::once(host.matching_or_name()).chain(host.aliases.iter().map(String::as_str)));
    let mut names: Vec<String> = Vec::new();
    for name in patterns.filter(|name| is_name(name)).chain(LOCAL) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    names
}

fn text(server: &Server, certdir: &Certdir<'_>, names: &[String], db: &str) -> String {
    let [certificate, key] = certdir.own().map(|own| path(&own));
    let runs = Found::one(server.clone()).is_ok_and(|found| found.process().is_some());
    let verb = if runs { "reload" } else { "start" };
    let ask = if server.use_ssl {
        format!("curl --cacert {certificate} https://{}:{}/", host(names), server.port)
    } else {
        "`use_ssl: true` in the Server of the script, which makes its port speak TLS".into()
    };
    let names = names.join(" ");
    format!("Made {certificate} and {key} for {names}\nTry: m2sh {verb} -db {db} -uuid {}\n     {ask}", server.uuid)
}

/// The name in a URL that leads to this machine, if there is one.
fn host(names: &[String]) -> String {
    let local = names.iter().find(|name| LOCAL.contains(&name.as_str()));
    let name = local.or(names.first()).map_or("localhost", String::as_str);
    if name.contains(':') { format!("[{name}]") } else { name.replacen("*.", "www.", 1) }
}

fn json(server: &Server, certdir: &Certdir<'_>, names: &[String]) -> Value {
    let [certificate, key] = certdir.own().map(|path| path.display().to_string());
    json!({"server": server.label(), "uuid": server.uuid, "certificate": certificate, "key": key, "names": names})
}
