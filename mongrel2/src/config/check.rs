//! From a tree to a checked tree, or to all of its problems at once.
//!
//! Whoever holds a [`Checked`] need not ask again: ports fit, patterns compile, addresses parse, names refer
//! to something.  A problem says where it is as a [`Place`], which a script turns into a line and m2sh into
//! words; nothing here knows where the tree came from.

mod checker;

use std::net::{IpAddr, SocketAddr};

use self::checker::Checker;
use super::settings::Settings;
use super::tree::{Config, Host, Redirect, Route, Server};
use crate::redirect::Location;
use crate::route::Path;

/// A configuration that a server can run.  Only [`check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    written: Config,
    /// The same with its secrets, if it has any.
    filled: Option<Config>,
    settings: Settings,
}

impl Checked {
    /// The values that were checked: the configuration as it is served, with its secrets filled in.
    pub fn config(&self) -> &Config {
        self.filled.as_ref().unwrap_or(&self.written)
    }

    /// The configuration as it was written, which refers to its secrets.
    pub fn written(&self) -> &Config {
        &self.written
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The server of that UUID.
    pub fn server(&self, uuid: &str) -> Option<&Server> {
        self.config().servers.iter().find(|server| server.uuid == uuid)
    }

    /// The ZeroMQ address of a server's control port.
    pub fn control_port<'a>(&'a self, server: &'a Server) -> &'a str {
        server.control_port_or(&self.settings.control_port)
    }

    /// Gives back the configuration as it is served.
    pub fn into_config(self) -> Config {
        self.filled.unwrap_or(self.written)
    }

    /// Gives back the configuration as it was written.
    pub fn into_written(self) -> Config {
        self.written
    }
}

impl Server {
    /// The ZeroMQ address of the control port; `setting` is the one of those that name none.
    pub fn control_port_or<'a>(&'a self, setting: &'a str) -> &'a str {
        if self.control_port.is_empty() { setting } else { &self.control_port }
    }

    /// Where to listen.
    ///
    /// # Panics
    /// If the server is not part of a checked configuration.
    pub fn address(&self) -> SocketAddr {
        let address: IpAddr = self.bind_addr.parse().expect("checked");
        SocketAddr::new(address, u16::try_from(self.port).expect("checked"))
    }
}

impl Route {
    /// The path, split and compiled.
    ///
    /// # Panics
    /// If the route is not part of a checked configuration.
    pub fn parsed_path(&self) -> Path {
        Path::parse(&self.path, self.reversed).expect("checked")
    }
}

impl Host {
    /// What the host's name in a request has to end with: one of `matching` and the aliases.
    ///
    /// # Panics
    /// If the host is not part of a checked configuration.
    pub fn parsed_patterns(&self) -> impl Iterator<Item = Path> {
        self.patterns().map(|pattern| Path::parse(pattern, true).expect("checked"))
    }

    fn patterns(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.matching_or_name()).chain(self.aliases.iter().map(String::as_str))
    }

    /// `matching`, or the name of a host that doesn't say.
    pub fn matching_or_name(&self) -> &str {
        if self.matching.is_empty() { &self.name } else { &self.matching }
    }
}

impl Redirect {
    /// The address, parsed.
    ///
    /// # Panics
    /// If the redirect is not part of a checked configuration.
    pub fn location(&self) -> Location {
        Location::parse(&self.to).expect("checked")
    }
}

/// Where in a tree something is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The configuration as a whole.
    Config,
    /// A server, by its index.
    Server(usize),
    /// A host, by the indices of server and host.
    Host(usize, usize),
    /// An error page, by the indices of server and host, and its status.
    ErrorPage(usize, usize, i64),
    /// A route, by the indices of server, host and route.
    Route(usize, usize, usize),
    /// The target of a route.
    Target(usize, usize, usize),
    /// A setting, by its name.
    Setting(String),
    /// A media type, by its extension.
    Mimetype(String),
}

impl Place {
    /// The place in words, with the names that the tree has for it: `server `test`, host `localhost``.
    pub fn describe(&self, config: &Config) -> String {
        let server = |s: usize| format!("server `{}`", config.servers[s].label());
        let host = |s: usize, h: usize| format!("{}, host `{}`", server(s), config.servers[s].hosts[h].name);
        match self {
            Self::Config => "the configuration".into(),
            Self::Server(s) => server(*s),
            Self::Host(s, h) => host(*s, *h),
            Self::ErrorPage(s, h, status) => format!("{}, error page {status}", host(*s, *h)),
            Self::Route(s, h, r) | Self::Target(s, h, r) => {
                format!("{}, route `{}`", host(*s, *h), config.servers[*s].hosts[*h].routes[*r].path)
            }
            Self::Setting(name) => format!("setting `{name}`"),
            Self::Mimetype(extension) => format!("media type of `{extension}`"),
        }
    }
}

impl Server {
    /// What to call the server in a message: its name, or its UUID if it has none.
    pub fn label(&self) -> &str {
        if self.name.is_empty() { &self.uuid } else { &self.name }
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth saying; nothing is wrong.
    Note,
    /// `m2sh load` refuses it as a likely mistake; a server that finds it in its database goes on.
    Doubtful,
    /// No server can run with it.
    Error,
}

/// Something wrong with a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// The field it is about; empty if it is about the whole object.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// Place, message and hint in one line, for whoever has no script to point at.
    pub fn describe(&self, config: &Config) -> String {
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
        match self.place {
            // These messages name their place.
            Place::Config | Place::Setting(_) | Place::Mimetype(_) => format!("{}{hint}", self.message),
            _ => format!("{}: {}{hint}", self.place.describe(config), self.message),
        }
    }
}

/// Checks a whole configuration.
///
/// On success there may still be problems, of severities below [`Severity::Error`], sorted by place.
///
/// # Errors
/// All problems, at least one of them of severity [`Severity::Error`].
pub fn check(config: Config) -> Result<(Checked, Vec<Problem>), Vec<Problem>> {
    let filled = config.filled();
    let mut checker = Checker::default();
    checker.config(filled.as_ref().unwrap_or(&config));
    checker.secrets(&config);
    let mut problems = checker.problems;
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    for problem in &mut problems {
        problem.message = config.hide(&problem.message);
        problem.hint = problem.hint.as_deref().map(|hint| config.hide(hint));
    }
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(problems);
    }
    let settings = Settings::new(&filled.as_ref().unwrap_or(&config).settings);
    Ok((Checked { written: config, filled, settings }, problems))
}

#[cfg(test)]
mod tests;
