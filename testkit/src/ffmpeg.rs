//! What makes sounds, and hears them.

use std::process::Command;

use crate::setup;

/// ffmpeg, which comes with ffprobe; `None` where there is none.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn ffmpeg() -> Option<Command> {
    setup::or_skip("ffmpeg", setup::run(Command::new("ffmpeg").arg("-version")))?;
    Some(Command::new("ffmpeg"))
}
