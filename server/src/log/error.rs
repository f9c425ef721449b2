//! What is said with `tracing`, as lines of the error log.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use chrono::Utc;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use super::writer::{Log, Message};

/// One line of the error log: time, level, text without control characters.
pub(super) fn line(level: &Level, text: &str) -> Vec<u8> {
    let time = Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
    let mut line = format!("{time} [{level}] ").into_bytes();
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default().map(|escaped| escaped as u8));
        } else {
            line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    line.push(b'\n');
    line
}

/// `error_log_level`: the most talkative level that is written.
static MAX_LEVEL: AtomicU8 = AtomicU8::new(2);

/// Sets `error_log_level`: 0 errors, 1 warnings, 2 information, 3 debugging.
pub(crate) fn set_level(level: i64) {
    MAX_LEVEL.store(u8::try_from(level).unwrap_or(2), Ordering::Relaxed);
}

/// Sends everything that is said with `tracing` in this process to the error log.
pub(crate) fn install(log: &Log) {
    // There is one server in a process, so that this can't fail.
    let _ = tracing::subscriber::set_global_default(ErrorLog(log.clone()));
}

struct ErrorLog(Log);

impl Subscriber for ErrorLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = match *metadata.level() {
            Level::ERROR => 0,
            Level::WARN => 1,
            Level::INFO => 2,
            Level::DEBUG => 3,
            Level::TRACE => return false,
        };
        metadata.target().starts_with("mongrel2") && level <= MAX_LEVEL.load(Ordering::Relaxed)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.hand_over(Message::Error(line(event.metadata().level(), &text.0)));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The message of an event, and its fields behind it as `name=value`.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write;
        let written = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("a String takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_make_lines() {
        let line = String::from_utf8(line(&Level::WARN, "a\nb\u{1b}[31m")).unwrap();
        assert!(line.ends_with(" [WARN] a\\nb\\u{1b}[31m\n"), "{line}");
    }
}
