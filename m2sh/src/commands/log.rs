//! `m2sh log`: the audit log, a line per entry in the form of the manual's section 3.7.

use mongrel2::config::history::Logged;

use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;
use crate::show::{Form, escape};

pub(super) fn run(session: &mut Session) -> Result<Exit, Error> {
    let entries = session.database()?.log().map_err(|error| session.cannot("read the log", error))?;
    match session.show.form() {
        Form::Json => session.show.json(&entries)?,
        Form::Lines | Form::Terminal => entries.iter().try_for_each(|entry| session.show.line(&line(entry)))?,
    }
    Ok(Exit::Success)
}

/// An entry that has a reason shows the reason; the others show the command line.
fn line(entry: &Logged) -> String {
    let Logged { who, what, location, happened_at, how, why, .. } = entry;
    let text = if why.is_empty() || why == "command" { how } else { why };
    escape(&format!("[{}, {who}@{location}, {what}] {text}", happened_at.replacen(' ', "T", 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(how: &str, why: &str, expected: &str) {
        let entry = Logged {
            id: 1,
            who: "mongrel2".into(),
            what: "load".into(),
            location: "zedshaw".into(),
            happened_at: "2010-07-18 04:14:53".into(),
            how: how.into(),
            why: why.into(),
        };
        assert_eq!(line(&entry), format!("[2010-07-18T04:14:53, mongrel2@zedshaw, load] {expected}"));
    }

    #[test]
    fn a_line_is_that_of_the_manual() {
        check("m2sh load -db x", "command", "m2sh load -db x");
        check("m2sh load -db x", "", "m2sh load -db x");
        check("m2sh load -db x -why y", "y", "y");
        check("m2sh", "two\nlines", "two\\nlines");
    }
}
