//! `m2sh completions`: the script that makes a shell ask `m2sh complete` what may be typed next.

use serde_json::json;

use crate::args::{Completions, Shell};
use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;

pub(super) fn run(args: &Completions, session: &mut Session) -> Result<Exit, Error> {
    let script = match args.shell {
        Shell::Bash => include_str!("completions/m2sh.bash"),
        Shell::Zsh => include_str!("completions/m2sh.zsh"),
        Shell::Fish => include_str!("completions/m2sh.fish"),
        Shell::Elvish => include_str!("completions/m2sh.elv"),
        Shell::Powershell => include_str!("completions/m2sh.ps1"),
    };
    session.show.either(script.trim_end(), &json!({ "script": script }))?;
    Ok(Exit::Success)
}
