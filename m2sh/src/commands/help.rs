//! `m2sh help`: what there is, or what one command does; `help -on load`, `help -for load`, `help load`.

use mongrel2::config::closest;
use serde_json::json;

use crate::args::{self, Help};
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;

pub(super) fn run(args: &Help, session: &mut Session) -> Result<Exit, Error> {
    let topic = [&args.topic, &args.on, &args.topic_for].into_iter().flatten().next().map(String::as_str);
    let text = args::help(topic).ok_or_else(|| unknown(topic.unwrap_or_default()))?;
    session.show.either(text.trim_end(), &json!({"help": text}))?;
    Ok(Exit::Success)
}

fn unknown(topic: &str) -> Error {
    let commands = args::commands();
    let error = Error::usage(format!("explain `{topic}`"), "m2sh has no such command");
    match closest(topic, commands.iter().map(String::as_str)) {
        Some(meant) => error.hint(format!("did you mean `m2sh help {meant}`?")),
        None => error.hint("`m2sh help` lists the commands"),
    }
}
