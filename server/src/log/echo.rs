//! The terminal of a server in the foreground: it gets what it takes at once, for the files must not wait
//! until somebody presses Ctrl-Q or a pipe is read.

use std::os::fd::AsFd;
use std::time::Duration;

use super::sink::writable;

/// As much as a pipe takes at once if it takes anything (PIPE_BUF).
const PIECE: usize = 4096;

/// How long it may take nothing before text is left out.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stdout or stderr.
#[derive(Debug)]
pub(super) struct Echo<T> {
    to: T,
    stalled: bool,
}

impl<T: AsFd> Echo<T> {
    pub(super) fn new(to: T) -> Self {
        Self { to, stalled: false }
    }

    /// Writes what fits.
    pub(super) fn write(&mut self, text: &[u8]) {
        for piece in text.chunks(PIECE) {
            self.stalled = !writable(&self.to, if self.stalled { Duration::ZERO } else { PATIENCE });
            // That the terminal has gone is no reason to stop.
            if self.stalled || rustix::io::write(&self.to, piece).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_nobody_reads_is_left_out() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut echo = Echo::new(writer);
        for _ in 0..100 {
            echo.write(&[b'x'; PIECE]);
        }
        assert!(echo.stalled);
        drop(echo);
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        assert!((PIECE..100 * PIECE).contains(&text.len()), "{}", text.len());
    }
}
