//! What is said at a server's control port (the manual, section 7), in two languages.
//!
//! Programs send a tnetstring, `[name, {argument: value}]`, and get a dictionary: a table with `headers` and `rows`, or
//! `code` and `error`.  Whoever types sends words, and gets JSON.  The first byte tells which: a size is a digit.

mod answer;
mod command;

pub use answer::{Answer, AnswerError, Failure, Table, parse_answer, render_answer};
pub use command::{COMMANDS, Command, Language, Selector, Status, parse_request, render_request};
