//! What is asked of a server, in both languages.

use std::fmt;
use std::net::IpAddr;

use super::answer::Failure;
use crate::wire::tnetstring::{self, Value};

/// Every command, and what it does.
pub const COMMANDS: [(&str, &str); 10] = [
    ("stop", "stop the server (SIGINT)"),
    ("reload", "reload the server"),
    ("help", "this command"),
    ("control_stop", "stop control port"),
    ("kill", "kill a connection"),
    ("status", "status, what=['net'|'tasks']"),
    ("terminate", "terminate the server (SIGTERM)"),
    ("time", "the server's time"),
    ("uuid", "the server's uuid"),
    ("info", "information about this server"),
];

/// What requests and answers are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Tnetstrings, for programs.
    Tnetstring,
    /// Words, and JSON as the answer.
    Text,
}

/// What a server is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// List the commands.
    Help,
    /// Stop when the answers in progress are complete.
    Stop,
    /// Take the configuration anew.
    Reload,
    /// Stop at once.
    Terminate,
    /// Close connections.
    Kill(Selector),
    /// End the pinned session of this number: `kill` with `session`.
    KillSession(u64),
    /// Tell what is going on.
    Status(Status),
    /// Tell the time.
    Time,
    /// Tell the server's UUID.
    Uuid,
    /// Tell what runs here.
    Info,
    /// Close the control port.
    ControlStop,
}

/// Which connections are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The one with this id.
    Id(u64),
    /// Those whose last request had this route, by its path.
    Route(String),
    /// Those of this client's address.
    Address(IpAddr),
}

/// What of a server is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its connections.
    Net,
    /// What runs in it.
    Tasks,
    /// Its pinned sessions.
    Sessions,
}

impl Language {
    /// The language of a request.
    pub fn of(request: &[u8]) -> Self {
        if request.first().is_some_and(u8::is_ascii_digit) { Self::Tnetstring } else { Self::Text }
    }
}

/// Reads a request in either language; NUL bytes behind it mean nothing.
///
/// # Errors
/// What is answered to one that can't be used.
pub fn parse_request(request: &[u8]) -> Result<Command, Failure> {
    let end = request.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let request = &request[..end];
    match Language::of(request) {
        Language::Tnetstring => parse_tnetstring(request),
        Language::Text => parse_text(request),
    }
}

/// Renders a request.
pub fn render_request(language: Language, command: &Command) -> Vec<u8> {
    match language {
        Language::Text => command.to_string().into_bytes(),
        Language::Tnetstring => {
            let argument = command.argument().map(|(name, value)| (name.as_bytes().to_vec(), value));
            let mut out = Vec::new();
            let dict = Value::Dict(argument.into_iter().collect());
            tnetstring::render(&mut out, &Value::List(vec![command.name().into(), dict]));
            out
        }
    }
}

fn parse_tnetstring(request: &[u8]) -> Result<Command, Failure> {
    let Ok((value, b"")) = tnetstring::parse(request) else {
        return Err(Failure::INVALID_DATA);
    };
    let Value::List(list) = value else {
        return Err(Failure::INVALID_REQUEST);
    };
    match &list[..] {
        [] => Err(Failure::INVALID_REQUEST),
        // What stands between has never counted.
        [Value::String(name), .., Value::Dict(arguments)] => command(name, arguments),
        _ => Err(Failure::INVALID_DATA),
    }
}

fn command(name: &[u8], arguments: &[(Vec<u8>, Value)]) -> Result<Command, Failure> {
    let argument = |name: &str| arguments.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value);
    match name {
        b"kill" => match ["id", "route", "address", "session"].map(argument) {
            [Some(Value::Integer(id)), None, None, None] => id_of(*id),
            [None, Some(Value::String(route)), None, None] => text_of(route).map(route_of),
            [None, None, Some(Value::String(address)), None] => text_of(address).and_then(address_of),
            [None, None, None, Some(Value::Integer(number))] => session_of(*number),
            _ => Err(Failure::INVALID_ARGUMENT),
        },
        b"status" => match argument("what") {
            Some(Value::String(what)) => status_of(what),
            _ => Err(Failure::INVALID_ARGUMENT),
        },
        _ => plain(name),
    }
}

fn parse_text(request: &[u8]) -> Result<Command, Failure> {
    let request = std::str::from_utf8(request).map_err(|_| Failure::CALLBACK_NOT_FOUND)?.trim();
    let (name, rest) = request.split_once(char::is_whitespace).unwrap_or((request, ""));
    let rest = rest.trim_start();
    match name {
        "kill" => kill(rest),
        "status" => status_of(rest.as_bytes()),
        "control" if rest == "stop" => Ok(Command::ControlStop),
        _ if rest.is_empty() => plain(name.as_bytes()),
        _ => plain(name.as_bytes()).and(Err(Failure::INVALID_ARGUMENT)),
    }
}

/// What is behind `kill`: an id, `route PATH`, `address IP` or `session NUMBER`.
fn kill(rest: &str) -> Result<Command, Failure> {
    let number = |text: &str| text.parse().map_err(|_| Failure::INVALID_ARGUMENT);
    match rest.split_once(char::is_whitespace) {
        None => number(rest).and_then(id_of),
        Some(("route", path)) => Ok(route_of(path.trim_start())),
        Some(("address", address)) => address_of(address.trim_start()),
        Some(("session", text)) => number(text.trim_start()).and_then(session_of),
        Some(_) => Err(Failure::INVALID_ARGUMENT),
    }
}

fn id_of(id: i64) -> Result<Command, Failure> {
    unsigned(id).map(|id| Command::Kill(Selector::Id(id)))
}

fn session_of(number: i64) -> Result<Command, Failure> {
    unsigned(number).map(Command::KillSession)
}

fn route_of(path: &str) -> Command {
    Command::Kill(Selector::Route(path.to_owned()))
}

fn unsigned(number: i64) -> Result<u64, Failure> {
    u64::try_from(number).map_err(|_| Failure::INVALID_ARGUMENT)
}

fn text_of(bytes: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(bytes).map_err(|_| Failure::INVALID_ARGUMENT)
}

fn address_of(text: &str) -> Result<Command, Failure> {
    let address: IpAddr = text.parse().map_err(|_| Failure::INVALID_ARGUMENT)?;
    Ok(Command::Kill(Selector::Address(address.to_canonical())))
}

fn status_of(what: &[u8]) -> Result<Command, Failure> {
    match what {
        b"net" => Ok(Command::Status(Status::Net)),
        b"tasks" => Ok(Command::Status(Status::Tasks)),
        b"sessions" => Ok(Command::Status(Status::Sessions)),
        _ => Err(Failure::WHAT),
    }
}

/// The commands that take no argument.
fn plain(name: &[u8]) -> Result<Command, Failure> {
    Ok(match name {
        b"help" => Command::Help,
        b"stop" => Command::Stop,
        b"reload" => Command::Reload,
        b"terminate" => Command::Terminate,
        b"time" => Command::Time,
        b"uuid" => Command::Uuid,
        b"info" => Command::Info,
        b"control_stop" => Command::ControlStop,
        _ => return Err(Failure::CALLBACK_NOT_FOUND),
    })
}

impl Command {
    /// Its name among [`COMMANDS`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::Help => "help",
            Self::Stop => "stop",
            Self::Reload => "reload",
            Self::Terminate => "terminate",
            Self::Kill(_) | Self::KillSession(_) => "kill",
            Self::Status(_) => "status",
            Self::Time => "time",
            Self::Uuid => "uuid",
            Self::Info => "info",
            Self::ControlStop => "control_stop",
        }
    }

    fn argument(&self) -> Option<(&'static str, Value)> {
        Some(match self {
            Self::Kill(Selector::Id(id)) => ("id", Value::from(*id)),
            Self::Kill(Selector::Route(path)) => ("route", path.as_str().into()),
            Self::Kill(Selector::Address(address)) => ("address", address.to_string().as_str().into()),
            Self::KillSession(number) => ("session", Value::from(*number)),
            Self::Status(status) => ("what", status.name().into()),
            _ => return None,
        })
    }
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Tasks => "tasks",
            Self::Sessions => "sessions",
        }
    }
}

/// As it is written in words.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(Selector::Id(id)) => write!(f, "kill {id}"),
            Self::Kill(Selector::Route(path)) => write!(f, "kill route {path}"),
            Self::Kill(Selector::Address(address)) => write!(f, "kill address {address}"),
            Self::KillSession(number) => write!(f, "kill session {number}"),
            Self::Status(status) => write!(f, "status {}", status.name()),
            Self::ControlStop => f.write_str("control stop"),
            _ => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words() {
        for (request, expected) in [
            ("status net", Ok(Command::Status(Status::Net))),
            ("  status \t tasks\r\n", Ok(Command::Status(Status::Tasks))),
            ("status sessions", Ok(Command::Status(Status::Sessions))),
            ("control stop", Ok(Command::ControlStop)),
            ("control_stop", Ok(Command::ControlStop)),
            ("kill 19", Ok(Command::Kill(Selector::Id(19)))),
            ("kill route /a b/(.*)", Ok(Command::Kill(Selector::Route("/a b/(.*)".into())))),
            ("kill address ::ffff:127.0.0.1", Ok(Command::Kill(Selector::Address([127, 0, 0, 1].into())))),
            ("kill session 12", Ok(Command::KillSession(12))),
            ("", Err(Failure::CALLBACK_NOT_FOUND)),
            ("frob", Err(Failure::CALLBACK_NOT_FOUND)),
            ("frob it", Err(Failure::CALLBACK_NOT_FOUND)),
            ("STATUS NET", Err(Failure::CALLBACK_NOT_FOUND)),
            ("control", Err(Failure::CALLBACK_NOT_FOUND)),
            ("control start", Err(Failure::CALLBACK_NOT_FOUND)),
            ("stop it", Err(Failure::INVALID_ARGUMENT)),
            ("status", Err(Failure::WHAT)),
            ("status nope", Err(Failure::WHAT)),
            ("kill", Err(Failure::INVALID_ARGUMENT)),
            ("kill -1", Err(Failure::INVALID_ARGUMENT)),
            ("kill everyone", Err(Failure::INVALID_ARGUMENT)),
            ("kill address nowhere", Err(Failure::INVALID_ARGUMENT)),
            ("kill session", Err(Failure::INVALID_ARGUMENT)),
            ("kill session -1", Err(Failure::INVALID_ARGUMENT)),
            ("kill session all", Err(Failure::INVALID_ARGUMENT)),
            ("kill host localhost", Err(Failure::INVALID_ARGUMENT)),
        ] {
            assert_eq!(parse_request(request.as_bytes()), expected, "{request:?}");
            assert_eq!(parse_request(format!("{request}\0").as_bytes()), expected, "{request:?}");
        }
        assert_eq!(parse_request(b"\xff"), Err(Failure::CALLBACK_NOT_FOUND));
    }

    #[test]
    fn tnetstrings() {
        for (request, expected) in [
            ("10:4:help,0:}]", Ok(Command::Help)),
            ("10:4:help,0:}]\0", Ok(Command::Help)),
            ("13:4:help,0:~0:}]", Ok(Command::Help)),
            ("24:4:kill,13:2:id,5:12345#}]", Ok(Command::Kill(Selector::Id(12345)))),
            ("5:hello,", Err(Failure::INVALID_REQUEST)),
            ("0:]", Err(Failure::INVALID_REQUEST)),
            ("7:4:help,]", Err(Failure::INVALID_DATA)),
            ("11:4:help,1:1#]", Err(Failure::INVALID_DATA)),
            ("7:1:1#0:}]", Err(Failure::INVALID_DATA)),
            ("10:4:help,0:}]x", Err(Failure::INVALID_DATA)),
            ("10:4:help,0:}", Err(Failure::INVALID_DATA)),
            ("1", Err(Failure::INVALID_DATA)),
            ("10:4:frob,0:}]", Err(Failure::CALLBACK_NOT_FOUND)),
            ("12:6:status,0:}]", Err(Failure::INVALID_ARGUMENT)),
            ("24:6:status,11:4:what,1:1#}]", Err(Failure::INVALID_ARGUMENT)),
            ("27:6:status,14:4:what,4:nope,}]", Err(Failure::WHAT)),
            ("10:4:kill,0:}]", Err(Failure::INVALID_ARGUMENT)),
            ("21:4:kill,10:2:id,2:19,}]", Err(Failure::INVALID_ARGUMENT)),
            ("21:4:kill,10:2:id,2:-1#}]", Err(Failure::INVALID_ARGUMENT)),
            ("34:4:kill,23:2:id,2:19#5:route,2:/a,}]", Err(Failure::INVALID_ARGUMENT)),
            ("26:4:kill,15:7:session,2:12#}]", Ok(Command::KillSession(12))),
            ("26:4:kill,15:7:session,2:-1#}]", Err(Failure::INVALID_ARGUMENT)),
            ("36:4:kill,25:2:id,2:12#7:session,2:12#}]", Err(Failure::INVALID_ARGUMENT)),
            ("27:4:kill,16:7:address,3:???,}]", Err(Failure::INVALID_ARGUMENT)),
        ] {
            assert_eq!(parse_request(request.as_bytes()), expected, "{request:?}");
        }
    }

    #[test]
    fn every_command_is_listed() {
        for (name, _) in COMMANDS {
            match parse_request(name.as_bytes()) {
                Ok(command) => assert_eq!(command.name(), name),
                Err(failure) => assert_ne!(failure, Failure::CALLBACK_NOT_FOUND, "{name}"),
            }
        }
    }

    fn commands() -> impl Strategy<Value = Command> {
        prop_oneof![
            Just(Command::Help),
            Just(Command::Stop),
            Just(Command::Reload),
            Just(Command::Terminate),
            (0..=i64::MAX as u64).prop_map(|id| Command::Kill(Selector::Id(id))),
            "[^\\s\0]([^\0\n]{0,20}[^\\s\0])?".prop_map(|path| Command::Kill(Selector::Route(path))),
            any::<IpAddr>().prop_map(|address| Command::Kill(Selector::Address(address.to_canonical()))),
            Just(Command::Status(Status::Net)),
            Just(Command::Status(Status::Tasks)),
            Just(Command::Status(Status::Sessions)),
            (0..=i64::MAX as u64).prop_map(Command::KillSession),
            Just(Command::Time),
            Just(Command::Uuid),
            Just(Command::Info),
            Just(Command::ControlStop),
        ]
    }

    proptest! {
        #[test]
        fn there_and_back(command in commands()) {
            for language in [Language::Tnetstring, Language::Text] {
                let request = render_request(language, &command);
                prop_assert_eq!(Language::of(&request), language);
                prop_assert_eq!(parse_request(&request), Ok(command.clone()));
            }
        }

        #[test]
        fn never_panics(request in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse_request(&request);
        }
    }
}
