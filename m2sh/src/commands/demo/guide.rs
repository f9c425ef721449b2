//! What the demo prints once it runs: addresses and commands to try, and what each of them shows.

use std::ffi::OsString;

use mongrel2::config::Server;
use serde_json::{Value, json};

use crate::args::Demo;
use crate::error::Error;
use crate::operator::quoted;
use crate::session::Session;
use crate::show::escape;

use super::folder::Folder;

/// Something to try, and what it shows.
type Row = (String, &'static str);

/// Prints it, all of it at once.
pub(super) fn show(args: &Demo, folder: &Folder, server: &Server, session: &mut Session) -> Result<(), Error> {
    let (addresses, commands) = (addresses(server), commands(args, folder, server));
    let log = server.under_chroot(&server.error_log);
    let text = format!(
        "mongrel2 serves `{}` on port {}.  In a browser, or with curl:\n\n{}\n\nFrom another terminal:\n\n{}\n\n\
         What goes wrong is in {}.  Ctrl-C stops everything.",
        escape(&folder.path().display().to_string()),
        server.port,
        aligned(&addresses),
        aligned(&commands),
        escape(&log.display().to_string()),
    );
    let json = json!({
        "folder": folder.path().display().to_string(),
        "port": server.port,
        "addresses": objects("url", &addresses),
        "commands": objects("command", &commands),
        "error_log": log.display().to_string(),
    });
    session.show.either(&text, &json)?;
    Ok(session.show.flush()?)
}

/// The command that starts the demo again.
pub(super) fn command(folder: &Folder) -> String {
    format!("{} demo {}", program(), Folder::typed(folder.path()))
}

fn addresses(server: &Server) -> Vec<Row> {
    let rows = [
        ("/", "a page that explains itself and talks to the handler"),
        ("/notes.txt", "a file"),
        ("/handler/hello?name=you", "the handler: the request as it saw it"),
        ("/users/42", "the handler, by a pattern for digits"),
        ("/users/nobody", "404: not digits, and no such file"),
    ];
    rows.map(|(path, shows)| (format!("http://localhost:{}{path}", server.port), shows)).into()
}

fn commands(args: &Demo, folder: &Folder, server: &Server) -> Vec<Row> {
    let (program, db) = (program(), Folder::typed(&folder.database()));
    let m2sh = |words: &str| format!("{program} {} -db {db}", words);
    let port = args.port.map_or_else(String::new, |port| format!("DEMO_PORT={port} "));
    let load = format!("{port}{} -config {}", m2sh("load"), Folder::typed(&folder.script()));
    vec![
        (m2sh("log"), "who did what"),
        (m2sh("routes"), "what leads where"),
        (format!("{} http://localhost:{}/users/42", m2sh("route"), server.port), "what one address gets, and why"),
        (load, "takes a changed config.rhai into the database"),
        (m2sh("reload"), "lets the server take it from there"),
    ]
}

/// This program as it was called, so that the commands work when they are pasted.
pub(super) fn program() -> String {
    let name = std::env::args_os().next().unwrap_or_else(|| OsString::from("m2sh"));
    quoted(&name)
}

/// Rows in two columns.
pub(super) fn aligned(rows: &[Row]) -> String {
    let width = rows.iter().map(|(what, _)| what.chars().count()).max().unwrap_or_default();
    let line = |(what, shows): &Row| format!("  {:width$}  {shows}", escape(what));
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Rows as JSON.
pub(super) fn objects(name: &str, rows: &[Row]) -> Vec<Value> {
    rows.iter().map(|(what, shows)| json!({name: what, "shows": shows})).collect()
}
