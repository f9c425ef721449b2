//! Which servers a command is about (the manual, section 3.9).
//!
//! `-name`, `-host` and `-uuid` narrow the choice, and `-every` takes all that are left.  Without it exactly
//! one has to be left.  Pure: what to say about a choice that isn't clear goes out as a value.

use std::fmt::Write as _;
use std::path::Path;

use mongrel2::config::{Host, Server, closest};

use crate::args::Which;
use crate::error::Error;
use crate::show::escape;

/// Why it isn't clear which servers are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unclear {
    /// The database has no servers.
    NoServers,
    /// No server has that.
    NoMatch {
        /// The option.
        option: &'static str,
        /// Its value.
        given: String,
        /// What would have matched.
        known: Vec<String>,
    },
    /// Each option matches some server, but no server matches all of them.
    NoCommonMatch,
    /// Several match.
    Ambiguous(Vec<Choice>),
}

/// A server in a list to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    name: String,
    host: String,
    uuid: String,
}

type Field = fn(&Server) -> &str;

/// The chosen servers, as indices.
///
/// # Errors
/// The choice is not clear.
pub fn select(servers: &[Server], which: &Which) -> Result<Vec<usize>, Unclear> {
    let criteria: [(&'static str, &Option<String>, Field); 3] = [
        ("name", &which.name, |server| &server.name),
        ("host", &which.host, |server| &server.default_host),
        ("uuid", &which.uuid, |server| &server.uuid),
    ];
    if servers.is_empty() {
        return Err(Unclear::NoServers);
    }
    let mut left: Vec<usize> = (0..servers.len()).collect();
    for (option, given, field) in criteria {
        let Some(given) = given else { continue };
        if !servers.iter().any(|server| field(server) == given) {
            let known = servers.iter().map(|server| field(server).to_owned()).collect();
            return Err(Unclear::NoMatch { option, given: given.clone(), known });
        }
        left.retain(|index| field(&servers[*index]) == given);
    }
    match left.len() {
        0 => Err(Unclear::NoCommonMatch),
        1 => Ok(left),
        _ if which.every => Ok(left),
        _ => Err(Unclear::Ambiguous(left.into_iter().map(|index| choice(&servers[index])).collect())),
    }
}

/// The hosts of servers, each with its server; only those of that name, if one is given.
///
/// # Errors
/// No server has such a host.
pub fn hosts<'a>(servers: &'a [Server], name: Option<&str>) -> Result<Vec<(&'a Server, &'a Host)>, Error> {
    let all = || servers.iter().flat_map(|server| server.hosts.iter().map(move |host| (server, host)));
    let chosen: Vec<_> = all().filter(|(_, host)| name.is_none_or(|name| host.name == name)).collect();
    match name {
        Some(name) if chosen.is_empty() => {
            let error = Error::cannot("tell which host to show", format!("the server has no host `{name}`"));
            Err(no_match_hint(error, "host", name, all().map(|(_, host)| host.name.clone()).collect()))
        }
        _ => Ok(chosen),
    }
}

fn choice(server: &Server) -> Choice {
    Choice { name: escape(&server.name), host: escape(&server.default_host), uuid: escape(&server.uuid) }
}

impl Unclear {
    /// What to tell an operator who wanted to `verb` servers of the database `db`.
    pub fn into_error(self, verb: &str, db: &Path) -> Error {
        let doing = format!("tell which server to {verb}");
        let db = db.display();
        match self {
            Self::NoServers => Error::cannot(doing, format!("there is none in `{db}`"))
                .hint(format!("load a configuration with `m2sh load -db {db}`")),
            Self::NoCommonMatch => Error::cannot(doing, format!("no server in `{db}` has all of that"))
                .hint(format!("see them with `m2sh servers -db {db}`")),
            Self::NoMatch { option, given, known } => {
                let error = Error::cannot(doing, format!("no server in `{db}` has the {option} `{given}`"));
                no_match_hint(error, option, &given, known)
            }
            Self::Ambiguous(found) => Error::listed(ambiguous(verb, &found)),
        }
    }
}

fn no_match_hint(error: Error, option: &str, given: &str, mut known: Vec<String>) -> Error {
    known.sort();
    known.dedup();
    let meant = closest(given, known.iter().map(String::as_str)).map(|meant| format!("did you mean `{meant}`?"));
    let error = meant.into_iter().fold(error, Error::hint);
    error.hint(format!("every {option} that there is: `{}`", known.join("`, `")))
}

/// The list of the manual's section 3.9.
fn ambiguous(verb: &str, found: &[Choice]) -> String {
    let mut text = format!("Not sure which server to {verb}, what I found:\nNAME HOST UUID\n--------------\n");
    for Choice { name, host, uuid } in found {
        writeln!(text, "{name} {host} {uuid}").expect("a string takes everything");
    }
    format!("{text}* Use -every to {verb} them all.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, host: &str, uuid: &str) -> Server {
        Server { name: name.into(), default_host: host.into(), uuid: uuid.into(), ..Server::default() }
    }

    fn check(option: &str, value: &str, every: bool, expected: Result<&[usize], &str>) {
        let servers = [server("a", "localhost", "1"), server("b", "localhost", "2"), server("b", "example.com", "3")];
        let given = |name: &str| option.split(' ').any(|word| word == name).then(|| value.to_owned());
        let which = Which { every, name: given("name"), host: given("host"), uuid: given("uuid") };
        let found = select(&servers, &which).map_err(|unclear| match unclear {
            Unclear::Ambiguous(found) => found.iter().map(|found| found.uuid.as_str()).collect::<Vec<_>>().join(" "),
            Unclear::NoMatch { option, .. } => format!("no {option}"),
            Unclear::NoServers => "no servers".into(),
            Unclear::NoCommonMatch => "nothing in common".into(),
        });
        assert_eq!(found, expected.map(<[usize]>::to_vec).map_err(str::to_owned), "{option} {value}");
    }

    #[test]
    fn options_narrow_the_choice() {
        check("name", "a", false, Ok(&[0]));
        check("uuid", "3", false, Ok(&[2]));
        check("host", "example.com", false, Ok(&[2]));
        check("name", "c", false, Err("no name"));
        check("", "", false, Err("1 2 3"));
        check("name", "b", false, Err("2 3"));
        check("name", "b", true, Ok(&[1, 2]));
        check("", "", true, Ok(&[0, 1, 2]));
    }

    #[test]
    fn one_server_needs_no_option_and_none_has_none() {
        assert_eq!(select(&[server("a", "b", "c")], &Which::default()), Ok(vec![0]));
        assert_eq!(select(&[], &Which { every: true, ..Which::default() }), Err(Unclear::NoServers));
    }

    #[test]
    fn all_options_count() {
        let servers = [server("a", "x", "1"), server("b", "y", "2")];
        let which = Which { name: Some("a".into()), host: Some("y".into()), ..Which::default() };
        assert_eq!(select(&servers, &which), Err(Unclear::NoCommonMatch));
    }

    #[test]
    fn the_list_is_that_of_the_manual() {
        let found = [choice(&server("localhost", "localhost", "3d815ade")), choice(&server("b", "localhost", "9f0c"))];
        let expected = "Not sure which server to run, what I found:\nNAME HOST UUID\n--------------\n\
                        localhost localhost 3d815ade\nb localhost 9f0c\n* Use -every to run them all.";
        assert_eq!(ambiguous("run", &found), expected);
    }
}
