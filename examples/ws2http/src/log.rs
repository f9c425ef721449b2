//! What is said on stderr: lines with a time and a level, in no colour, as they end up in files.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::Level;

/// Has everything of that level and above said, of ours and of the library's for handlers.
pub(crate) fn install(level: Level) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    let ours = Targets::new().with_targets([("ws2http", level), ("mongrel2", level)]);
    // Who runs it as a part of another program may listen already.
    let _ = tracing_subscriber::registry().with(lines).with(ours).try_init();
}
