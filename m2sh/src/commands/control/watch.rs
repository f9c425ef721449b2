//! `watch COMMAND`: asks the same thing again and again.  A terminal shows the newest answer; a pipe gets one after the other.
//!
//! It never ends by itself: Ctrl-C ends the program, which is one of its own below a prompt.

use std::io::{self, Stdout, Write};
use std::thread::sleep;
use std::time::Duration;

use mongrel2::wire::control::Command;
use rustix::termios::tcgetwinsize;

use crate::error::Error;
use crate::exit::Exit;
use crate::session::Session;
use crate::show::{Form, Show};

use super::Talk;

/// Puts the cursor home, and erases what is behind it: ECMA-48, sections 8.3.21 and 8.3.39.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// What a terminal has room for: the lines behind that are dropped, as they would push the first ones out.
struct Window<W> {
    out: W,
    left: usize,
}

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
                session.show = Show::new(Form::Terminal, Window::whole());
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

impl Window<Stdout> {
    fn whole() -> Self {
        let rows = tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_row));
        // The cursor stands in the last row.
        Self { out: io::stdout(), left: if rows == 0 { usize::MAX } else { rows - 1 } }
    }
}

impl<W: Write> Write for Window<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut shown = 0;
        while self.left > 0 && shown < bytes.len() {
            let end = bytes[shown..].iter().position(|byte| *byte == b'\n');
            self.left -= usize::from(end.is_some());
            shown = end.map_or(bytes.len(), |end| shown + end + 1);
        }
        self.out.write_all(&bytes[..shown])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_are_shown() {
        for (left, expected) in [(0, ""), (1, "a\n"), (2, "a\nb\n"), (3, "a\nb\nc"), (9, "a\nb\nc")] {
            let mut window = Window { out: Vec::new(), left };
            for text in ["a", "\nb\n", "c"] {
                window.write_all(text.as_bytes()).unwrap();
            }
            assert_eq!(String::from_utf8(window.out).unwrap(), expected, "{left}");
        }
    }
}
