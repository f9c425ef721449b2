//! `m2sh route`: which server, host, route and target a URL gets, and why.
//!
//! The answer comes from the same tables that the server uses, and each route that was tried is told with its
//! verdict.  [`pattern`]: a route alone, without a configuration.

mod pattern;

use mongrel2::config::{Host, Route, Server};
use mongrel2::route::{Found, Hosts, Routes};
use serde_json::{Value, json};

use crate::args;
use crate::asked::Asked;
use crate::error::Error;
use crate::exit::Exit;
use crate::found::title;
use crate::session::Session;
use crate::show::escape;
use crate::target;

pub(super) fn run(args: &args::Route, session: &mut Session) -> Result<Exit, Error> {
    if let (Some(pattern), Some(path)) = (&args.pattern, &args.path) {
        return pattern::run(pattern, path, session);
    }
    let url = args.url.as_deref().unwrap_or_default();
    let asked = Asked::parse(url).map_err(|(fault, hint)| Error::usage(format!("route `{url}`"), fault).hint(hint))?;
    let servers = session.checked()?.into_config().servers;
    let servers = session.choose(narrow(servers, args, &asked), &args.which, "ask")?;
    let answers: Vec<Answer> = servers.iter().map(|server| answer(server, &asked)).collect();
    let text = answers.iter().map(Answer::text).collect::<Vec<_>>().join("\n\n");
    match &answers[..] {
        [answer] => session.show.either(&text, &answer.json())?,
        _ => session.show.either(&text, &answers.iter().map(Answer::json).collect::<Vec<_>>())?,
    }
    Ok(Exit::Success)
}

/// Without any selection the URL's port chooses, if a server listens there.
fn narrow(servers: Vec<Server>, args: &args::Route, asked: &Asked) -> Vec<Server> {
    let listens = |server: &Server| Some(server.port) == asked.port;
    if args.which != args::Which::default() || !servers.iter().any(listens) {
        return servers;
    }
    servers.into_iter().filter(listens).collect()
}

/// What a server does with a request.
struct Answer<'a> {
    server: &'a Server,
    asked: &'a Asked,
    host: &'a Host,
    because: String,
    tried: Vec<(&'a Route, bool)>,
    outcome: Outcome<'a>,
}

enum Outcome<'a> {
    Maintenance,
    Route(&'a Route),
    Slash(&'a Route),
    Nothing(Vec<&'a str>),
}

fn answer<'a>(server: &'a Server, asked: &'a Asked) -> Answer<'a> {
    let (host, because) = host_for(server, asked);
    let routes = Routes::new(host.routes.iter().map(|route| (route.parsed_path(), route)));
    let path = asked.path.as_bytes();
    let mut tried = Vec::new();
    for rule in routes.candidates(path).flatten() {
        let matches = rule.path().matches_rest(path);
        tried.push((rule.value, matches));
        if matches {
            break;
        }
    }
    let outcome = match routes.find(path) {
        _ if host.maintenance => Outcome::Maintenance,
        Found::Rule(rule) => Outcome::Route(rule.value),
        Found::Slash(rule) => Outcome::Slash(rule.value),
        Found::Nothing => Outcome::Nothing(closest_paths(host, &asked.path)),
    };
    Answer { server, asked, host, because, tried, outcome }
}

/// The host that answers, and why it does.
fn host_for<'a>(server: &'a Server, asked: &Asked) -> (&'a Host, String) {
    let default = server.hosts.iter().find(|host| host.name == server.default_host).expect("checked");
    let patterns = |host: &'a Host| host.parsed_patterns().map(move |path| (path.clone(), (host, path.text)));
    let hosts = Hosts::new(server.hosts.iter().flat_map(patterns));
    match &asked.host {
        _ if asked.is_socket() => (default, "socket messages go to the default host".into()),
        None => (default, "no host was given, so the default host".into()),
        Some(name) => match hosts.find(name.as_bytes()) {
            Some((host, pattern)) => (*host, format!("`{name}` matches `{pattern}`")),
            None => (default, format!("no host matches `{name}`, so the default host")),
        },
    }
}

/// The up to three routes of the same kind that are most like a path.
fn closest_paths<'a>(host: &'a Host, path: &str) -> Vec<&'a str> {
    let alike = host.routes.iter().filter(|route| route.path.bytes().next() == path.bytes().next());
    let mut paths: Vec<_> = alike
        .map(|route| (strsim::damerau_levenshtein(&route.parsed_path().fixed, path), route.path.as_str()))
        .collect();
    paths.sort_unstable();
    paths.into_iter().take(3).map(|(_, path)| path).collect()
}

impl Answer<'_> {
    fn text(&self) -> String {
        let mut lines = vec![
            format!("server  {} on port {}", title(self.server), self.server.port),
            format!("host    {} ({})", self.host.name, self.because),
        ];
        lines.extend(self.tried.iter().map(|(route, matches)| {
            format!("tried   {}: {}", route.path, verdict(&route.path, route.reversed, *matches))
        }));
        match &self.outcome {
            Outcome::Maintenance => lines.push("answer  503, the host is in maintenance".into()),
            Outcome::Route(route) => {
                lines.push(format!("route   {}", route.path));
                lines.push(format!("target  {} {}", route.target.target_type(), target::essentials(&route.target)));
            }
            Outcome::Slash(route) => {
                lines.push(format!("answer  redirect to {}, a route that needs its last slash", route.path));
            }
            Outcome::Nothing(closest) => {
                lines.push("answer  404, no route matches".into());
                lines.extend(closest.iter().map(|path| format!("close   {path}")));
            }
        }
        lines.iter().map(|line| escape(line)).collect::<Vec<_>>().join("\n")
    }

    fn json(&self) -> Value {
        let tried = self.tried.iter().map(|(route, matches)| {
            json!({"path": route.path, "reversed": route.reversed, "matches": matches, "verdict": verdict(&route.path, route.reversed, *matches)})
        });
        let mut answer = json!({
            "path": self.asked.path,
            "server": {"name": self.server.name, "uuid": self.server.uuid, "port": self.server.port},
            "host": {"name": self.host.name, "matching": self.host.matching_or_name(), "because": self.because},
            "tried": tried.collect::<Vec<_>>(),
        });
        let outcome = match &self.outcome {
            Outcome::Maintenance => json!({"outcome": "maintenance"}),
            Outcome::Route(route) => json!({"outcome": "route", "route": route}),
            Outcome::Slash(route) => json!({"outcome": "redirect", "location": route.path}),
            Outcome::Nothing(closest) => json!({"outcome": "nothing", "closest": closest}),
        };
        if let (Value::Object(answer), Value::Object(outcome)) = (&mut answer, outcome) {
            answer.extend(outcome);
        }
        answer
    }
}

/// What became of a route that was tried: its fixed part fits always, or it would not have been.
fn verdict(route: &str, reversed: bool, matches: bool) -> &'static str {
    match (reversed, route.contains('('), matches) {
        (false, false, _) => "its prefix matches",
        (false, true, true) => "its prefix and its pattern match",
        (false, true, false) => "its prefix matches, its pattern does not",
        (true, false, _) => "its suffix matches",
        (true, true, true) => "its suffix and its pattern match",
        (true, true, false) => "its suffix matches, its pattern does not",
    }
}
