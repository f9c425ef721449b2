//! What another configuration means for each server: nothing, a reload, a restart, or that it comes or goes.
//!
//! [`fixed`] is the one list of what a running server can't change: m2sh plans with it, and the server warns by it.

use serde::Serialize;

use super::difference::Labels;
use super::settings::KNOWN;
use super::tree::{Config, Route, Server};
use crate::route::Path;

/// What a server has to do for a new configuration to be in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "effect", content = "because", rename_all = "lowercase")]
pub enum Effect {
    /// It serves by the new configuration as by the old.
    Nothing,
    /// To be reloaded.
    Reload,
    /// To be restarted, because of these fields and settings.
    Restart(Vec<&'static str>),
    /// To be started, as it is new.
    Start,
    /// To be stopped, as it is gone.
    Stop,
}

impl Effect {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Reload => "reload",
            Self::Restart(_) => "restart",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

/// A server and what it has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Affected {
    /// What a difference calls the server.
    #[serde(rename = "server")]
    pub label: String,
    /// Its UUID.
    pub uuid: String,
    /// What it has to do.
    #[serde(flatten)]
    pub effect: Effect,
}

/// All servers of the new configuration, in their order, and behind them those that are gone.
pub fn effects(old: &Config, new: &Config) -> Vec<Affected> {
    let filled = [old, new].map(Config::filled);
    let [old, new] = [(old, &filled[0]), (new, &filled[1])].map(|(written, filled)| filled.as_ref().unwrap_or(written));
    let labels = Labels::of(old, new);
    let affected =
        |server: &Server, effect| Affected { label: labels.of_server(server), uuid: server.uuid.clone(), effect };
    let alike = serves_alike(old, new);
    let effect = |server: &Server| match server_of(old, &server.uuid) {
        None => Effect::Start,
        Some(before) => match &fixed((old, before), (new, server))[..] {
            [] if alike && answers_alike(before, server) => Effect::Nothing,
            [] => Effect::Reload,
            names => Effect::Restart(names.to_vec()),
        },
    };
    let gone = old.servers.iter().filter(|server| server_of(new, &server.uuid).is_none());
    let stays = new.servers.iter().map(|server| affected(server, effect(server)));
    stays.chain(gone.map(|server| affected(server, Effect::Stop))).collect()
}

/// The fields and settings that a running server takes only at a restart, and that are others for it.
///
/// Both sides are a configuration and the server in it.
pub fn fixed(old: (&Config, &Server), new: (&Config, &Server)) -> Vec<&'static str> {
    let fields = [("chroot", old.1.chroot != new.1.chroot), ("pid_file", old.1.pid_file != new.1.pid_file)];
    let fields = fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name);
    let settings = KNOWN.iter().filter(|known| known.restart);
    let differs = settings.filter(|known| known.in_force(&old.0.settings) != known.in_force(&new.0.settings));
    fields.chain(differs.map(|known| known.name)).collect()
}

fn server_of<'a>(config: &'a Config, uuid: &str) -> Option<&'a Server> {
    config.servers.iter().find(|server| server.uuid == uuid)
}

/// Whether what is the same for all servers is in force as before.
fn serves_alike(old: &Config, new: &Config) -> bool {
    let is_same = old.settings == new.settings
        || KNOWN
            .iter()
            .filter(|known| known.server)
            .all(|known| known.in_force(&old.settings) == known.in_force(&new.settings));
    is_same && old.mimetypes == new.mimetypes
}

/// Whether two servers differ in the order of routes at most, and not among those that share a prefix or a suffix: only
/// there the order of rows counts.
fn answers_alike(old: &Server, new: &Server) -> bool {
    old == new || in_order(old.clone()) == in_order(new.clone())
}

fn in_order(mut server: Server) -> Server {
    server.hosts.iter_mut().for_each(|host| host.routes.sort_by_cached_key(group));
    server
}

fn group(route: &Route) -> (bool, String) {
    let path = Path::parse(&route.path, route.reversed);
    (route.reversed, path.map_or_else(|_| route.path.clone(), |path| path.fixed))
}

#[cfg(test)]
mod tests;
