//! What takes longer than a second says on the terminal that it goes on, in a line that vanishes when it is over.
//!
//! Nothing of it ever reaches a pipe or a file.  Who writes to stderr meanwhile does so by [`aside`].

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::termios::tcgetwinsize;

use crate::show::escape;

/// What is over sooner says nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line is drawn.
const TICK: Duration = Duration::from_millis(100);

/// What turns at its beginning.
const FRAMES: [char; 8] = ['⣾', '⣽', '⣻', '⢿', '⡿', '⣟', '⣯', '⣷'];

/// The columns of a terminal that doesn't tell.
const WIDTH: usize = 80;

/// The line: a process has one terminal.
static LINE: Mutex<Line> = Mutex::new(Line { is_taken: false, is_shown: false });

/// What has become of the line.
struct Line {
    /// Somebody is responsible for it.
    is_taken: bool,
    /// There is something in it.
    is_shown: bool,
}

/// Does something that may take long; `doing` fits behind "cannot".
pub fn during<T>(doing: &str, work: impl FnOnce() -> T) -> T {
    if !is_possible() || std::mem::replace(&mut line().is_taken, true) {
        return work();
    }
    let done = shown_during(doing, work);
    line().is_taken = false;
    done
}

fn shown_during<T>(doing: &str, work: impl FnOnce() -> T) -> T {
    let (end, ended) = channel::<()>();
    thread::scope(|scope| {
        // Without a thread to be had it is done in silence.
        let _ = thread::Builder::new().spawn_scoped(scope, move || turn(&escape(doing), &ended));
        let done = work();
        drop(end);
        done
    })
}

/// Writes something to stderr where the line may be, which is drawn anew below.
pub fn aside<T>(write: impl FnOnce() -> T) -> T {
    let mut line = line();
    line.clear();
    write()
}

fn is_possible() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Draws the line until the other end of the channel is gone.
fn turn(doing: &str, ended: &Receiver<()>) {
    let begun = Instant::now();
    let mut pause = PATIENCE;
    for frame in FRAMES.into_iter().cycle() {
        if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            break;
        }
        pause = TICK;
        line().draw(&format!("{frame} {doing} ({} s)", begun.elapsed().as_secs()));
    }
    line().clear();
}

fn line() -> MutexGuard<'static, Line> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    fn draw(&mut self, text: &str) {
        self.is_shown = write(&format!("\r{}\u{1b}[K", cut(text, width())));
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            write("\r\u{1b}[K");
        }
    }
}

/// That stderr is gone is no reason to stop.
fn write(text: &str) -> bool {
    let mut stderr = io::stderr().lock();
    stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()).is_ok()
}

fn width() -> usize {
    let columns = tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { WIDTH } else { columns }
}

/// So much of a line as does not reach the last column, where it might go on in the next one.
fn cut(line: &str, width: usize) -> String {
    let room = width.saturating_sub(1);
    if line.chars().count() <= room {
        return line.to_owned();
    }
    line.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_never_reaches_the_last_column() {
        for (width, expected) in [(7, "abcdef"), (6, "abcd…"), (2, "…"), (100, "abcdef")] {
            assert_eq!(cut("abcdef", width), expected, "{width}");
        }
    }

    #[test]
    fn what_is_done_is_given_back() {
        assert_eq!(during("count", || 7), 7);
        assert_eq!(aside(|| 8), 8);
    }
}
