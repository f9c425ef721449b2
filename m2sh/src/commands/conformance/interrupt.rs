//! Ctrl-C: the case that is being run is the last one, and what was started ends in good order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::commands::crew::signals;

/// Whether somebody wants it to end.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for signals, on a thread that ends with the program.  The second one ends it at once.
    ///
    /// # Errors
    /// There is no thread to be had, or no signals.
    pub(super) fn listen() -> io::Result<Self> {
        let interrupt = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = runtime.block_on(async { signals() })?;
        let has_come = Arc::clone(&interrupt.0);
        thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async {
                while let Some(signal) = signals.recv().await {
                    if has_come.swap(true, Ordering::Relaxed) {
                        std::process::exit(128 + signal.as_raw());
                    }
                }
            });
        })?;
        Ok(interrupt)
    }

    /// Whether one has come.
    pub(super) fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
