//! What `m2sh demo --all` prints once everything runs: the page, each demo, what is left out and why, and commands to try.

use mongrel2::config::Server;
use serde_json::{Value, json};

use crate::error::Error;
use crate::operator::quoted;
use crate::session::Session;
use crate::show::escape;

use super::super::folder::Folder;
use super::super::guide::{aligned, objects, program};
use super::plan::Row;
use super::tools::Lack;

/// A demo that was started.
pub(super) struct Started {
    pub(super) row: Row,
    /// Whether it answers.
    pub(super) answers: bool,
}

/// Prints it, all of it at once.
pub(super) fn show(folder: &Folder, server: &Server, demos: &[Started], session: &mut Session) -> Result<(), Error> {
    let running: Vec<_> = demos.iter().filter(|demo| demo.row.lack.is_none()).collect();
    let commands = commands(folder, server, running.iter().find_map(|demo| demo.row.services().next()));
    let one_by_one = if running.is_empty() { "" } else { "One by one, and at a terminal:\n\n" };
    let log = server.under_chroot(&server.error_log).display().to_string();
    let text = format!(
        "mongrel2 serves `{}` on port {}.  All demos, in a browser:\n\n  {}\n\n{one_by_one}{}{}\
         From another terminal:\n\n{}\n\nWhat goes wrong is in {}, and in the logs of each.  Ctrl-C stops everything.",
        escape(&folder.path().display().to_string()),
        server.port,
        url(server, "/"),
        running.iter().map(|demo| told(demo, server)).collect::<String>(),
        left_out(demos),
        aligned(&commands),
        escape(&log),
    );
    let json = json!({
        "folder": folder.path().display().to_string(),
        "port": server.port,
        "url": url(server, "/"),
        "demos": demos.iter().map(|demo| object(demo, server)).collect::<Vec<_>>(),
        "commands": objects("command", &commands),
        "error_log": log,
    });
    session.show.either(&text, &json)?;
    Ok(session.show.flush()?)
}

fn url(server: &Server, path: &str) -> String {
    format!("http://localhost:{}{path}", server.port)
}

/// A demo in lines: its name and address, and below it what to type.
fn told(demo: &Started, server: &Server) -> String {
    let Row { demo: about, commands, .. } = &demo.row;
    let state = if demo.answers { "" } else { "  (does not answer yet)" };
    let commands: String = commands.iter().map(|command| format!("               {}\n", escape(command))).collect();
    format!("  {:11}  {}{state}\n{commands}", about.name, url(server, about.link))
}

/// Those that don't run, by what is missing, and what to do about it.
fn left_out(demos: &[Started]) -> String {
    let mut lacks: Vec<(&Lack, Vec<&str>)> = Vec::new();
    for Row { demo, lack, .. } in demos.iter().map(|demo| &demo.row) {
        let Some(lack) = lack else { continue };
        match lacks.iter_mut().find(|(known, _)| *known == lack) {
            Some((_, names)) => names.push(demo.name),
            None => lacks.push((lack, vec![demo.name])),
        }
    }
    let told = |(lack, names): &(&Lack, Vec<&str>)| {
        format!("  {}:\n    {}\n    {}\n", names.join(", "), escape(&lack.why), escape(&lack.hint))
    };
    let lines: String = lacks.iter().map(told).collect();
    if lines.is_empty() { "\n".into() } else { format!("\nLeft out, as something is missing:\n\n{lines}\n") }
}

fn object(demo: &Started, server: &Server) -> Value {
    let Row { demo: about, lack, commands } = &demo.row;
    json!({
        "name": about.name,
        "shows": about.shows,
        "url": url(server, about.link),
        "commands": commands,
        "answers": demo.answers,
        "lack": lack.as_ref().map(|lack| json!({"why": lack.why, "hint": lack.hint})),
    })
}

/// What can be done with all of it, and with `one` of the services.
fn commands(folder: &Folder, server: &Server, one: Option<&str>) -> Vec<(String, &'static str)> {
    let m2sh = |words: &str| format!("{} {words}", program());
    let at = |name: &str| quoted(folder.path().join(name).as_os_str());
    let (db, profiles) = (at("config.sqlite"), at("profiles"));
    let mut commands = vec![(m2sh(&format!("procs -profiles {profiles}")), "how everything is that runs")];
    commands.extend(one.into_iter().flat_map(|one| {
        [
            (m2sh(&format!("procer logs -f --profiles {profiles} {one}")), "what one of the programs says"),
            (m2sh(&format!("procer restart --profiles {profiles} {one}")), "starts it again"),
        ]
    }));
    commands.extend([
        (m2sh(&format!("log -db {db}")), "who did what"),
        (m2sh(&format!("routes -db {db}")), "what leads where"),
        (
            format!(
                "DEMO_PORT={} {}",
                server.port,
                m2sh(&format!("load -reload -db {db} -config {}", at("config.rhai")))
            ),
            "lets the server take a changed config.rhai",
        ),
    ]);
    commands
}
