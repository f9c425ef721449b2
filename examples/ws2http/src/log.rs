//! What is said on stderr: lines with a time and a level, in no colour, as they end up in files.

use tracing_subscriber::filter::LevelFilter;

use crate::args::Level;

/// Has everything of that level and above said.
pub(crate) fn install(level: Level) {
    let filter = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let lines = tracing_subscriber::fmt().with_max_level(filter).with_writer(std::io::stderr).with_ansi(false);
    // Who runs it as a part of another program may listen already.
    let _ = lines.with_target(false).try_init();
}
