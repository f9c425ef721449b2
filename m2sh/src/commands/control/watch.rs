//! `watch COMMAND`: asks the same thing again and again.  A terminal shows the newest answer; a pipe gets one after the other.
//!
//! It never ends by itself: Ctrl-C ends the program, which is one of its own below a prompt.

use std::thread::sleep;
use std::time::Duration;

use mongrel2::wire::control::Command;

use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;
use crate::show::Form;

use super::Talk;

/// Puts the cursor home, and erases what is behind it: ECMA-48, sections 8.3.21 and 8.3.39.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Asks, until it is interrupted or nobody reads it any more.
pub(super) fn run(
    talk: &Talk<'_>,
    interval: Duration,
    command: &Command,
    session: &mut Session,
) -> Result<Exit, Error> {
    let mut is_first = true;
    loop {
        match session.show.form() {
            Form::Terminal => {
                let now = chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC");
                session.show.line(&format!("{CLEAR}Every {} s: {command}   {now}", interval.as_secs_f64()))?;
            }
            Form::Lines if !is_first => session.show.line("")?,
            Form::Lines | Form::Json => {}
        }
        session.show.flush()?;
        // A server that is not there now may be there the next time.
        talk.once(command, session)?;
        session.show.flush()?;
        is_first = false;
        sleep(interval);
    }
}
