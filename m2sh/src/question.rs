//! A question to whoever sits at the terminal.

use std::io::{self, IsTerminal as _, Write as _};

/// Whether somebody is there who could answer.
pub fn is_possible() -> bool {
    io::stdin().is_terminal()
}

/// Asks on stderr, and reads a line; anything but `y` or `yes` is a no.
///
/// # Errors
/// The answer can't be read.
pub fn agrees(question: &str) -> io::Result<bool> {
    let mut stderr = io::stderr();
    // Where nobody sees the question, nobody says yes.
    let _ = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
