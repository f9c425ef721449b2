//! Which demos run, and which are left out because something is missing.

use mongrel2::config::Server;

use crate::operator::quoted;

use super::super::folder::Folder;
use super::demos::{DEMOS, Demo};
use super::tools::{Lack, Tools};
use super::way::missing;

/// A demo, and what is missing for it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) demo: &'static Demo,
    /// Nothing, if it runs.
    pub(super) lack: Option<Lack>,
    /// What to type at a terminal to try it.
    pub(super) commands: Vec<String>,
}

impl Row {
    /// The names of its services.
    pub(super) fn services(&self) -> impl Iterator<Item = &'static str> {
        self.demo.services.iter().map(|(name, _)| *name)
    }
}

/// All demos.
pub(super) fn rows(folder: &Folder, server: &Server, tools: &Tools) -> Vec<Row> {
    let row = |demo: &'static Demo| Row {
        demo,
        lack: demo.needs.iter().find_map(|need| tools.lack(*need)).or_else(|| unreachable(demo, server)),
        commands: demo.commands.iter().map(|command| typed(command, folder, server)).collect(),
    };
    DEMOS.iter().map(row).collect()
}

/// The names of the services of those that run.
pub(super) fn services(rows: &[Row]) -> impl Iterator<Item = String> {
    let running = rows.iter().filter(|row| row.lack.is_none());
    running.flat_map(Row::services).map(str::to_owned)
}

/// The script, edited, has no place for it any more.
fn unreachable(demo: &Demo, server: &Server) -> Option<Lack> {
    let why = format!("`config.rhai` has no {}", missing(demo, server)?);
    Some(Lack { why, hint: "m2sh demo --all in another folder has one".into() })
}

fn typed(command: &str, folder: &Folder, server: &Server) -> String {
    command
        .replace("@URL@", &format!("http://localhost:{}", server.port))
        .replace("@PORT@", &server.port.to_string())
        .replace("@FOLDER@", &quoted(folder.absolute().as_ref()))
}
