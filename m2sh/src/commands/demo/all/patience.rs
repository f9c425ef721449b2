//! Waiting for what takes long, until it is done or somebody sends a signal.

use rustix::process::Signal;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::commands::crew;
use crate::error::Error;
use crate::progress::during;

/// Who waits.
pub(super) struct Patience {
    runtime: Runtime,
    signals: UnboundedReceiver<Signal>,
}

impl Patience {
    /// From here on signals are heard.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new() -> Result<Self, Error> {
        let cannot = |error| Error::cannot("listen for signals", error);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let signals = runtime.block_on(async { crew::signals() }).map_err(cannot)?;
        Ok(Self { runtime, signals })
    }

    /// Waits for something; `None` if a signal comes first.  `doing` fits behind "cannot".
    pub(super) fn unless_signalled<T>(&mut self, doing: &str, work: impl Future<Output = T>) -> Option<T> {
        during(doing, || self.silently(work))
    }

    /// The same for what may take days.
    pub(super) fn silently<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let Self { runtime, signals } = self;
        runtime.block_on(async {
            tokio::select! {
                done = work => Some(done),
                _ = signals.recv() => None,
            }
        })
    }

    /// Waits for something, and does something else for each signal until it is done.
    pub(super) fn with_each_signal<T>(
        &mut self,
        doing: &str,
        work: impl Future<Output = T>,
        hurry: impl AsyncFn(),
    ) -> T {
        let Self { runtime, signals } = self;
        let work = async {
            tokio::pin!(work);
            loop {
                tokio::select! {
                    done = &mut work => return done,
                    _ = signals.recv() => hurry().await,
                }
            }
        };
        during(doing, || runtime.block_on(work))
    }
}
