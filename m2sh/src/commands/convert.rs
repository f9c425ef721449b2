//! `m2sh convert`: from the language of the original to a Rhai script that loads to the same.

use super::{export, load};
use crate::args::Convert;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::script::{print, run_original};
use crate::session::Session;

pub(super) fn run(args: &Convert, session: &mut Session) -> Result<Exit, Error> {
    let (outcome, head) = match run_original(&args.config) {
        Ok(converted) => converted,
        Err(troubles) => return load::refuse(&troubles, session).map(|()| Exit::Failure),
    };
    if !outcome.notes.is_empty() {
        say(&outcome.notes.to_string());
    }
    let script = print(outcome.checked.written(), head.iter().map(String::as_str));
    export::deliver(&script, &args.config, &args.output, session)
}
