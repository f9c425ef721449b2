//! Ctrl-C: the case that is being run is the last one, and what was started ends in good order.  Who can't wait for that
//! presses it again: what runs then is killed, which ends the case.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::commands::crew::signals;

/// Whether somebody wants it to end, and whom that concerns.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupt(Arc<State>);

#[derive(Debug, Default)]
struct State {
    has_come: AtomicBool,
    /// The process groups of what runs.
    groups: Mutex<BTreeSet<i32>>,
}

impl Interrupt {
    /// Listens for signals, on a thread that ends with the program.
    ///
    /// # Errors
    /// There is no thread to be had, or no signals.
    pub(super) fn listen() -> io::Result<Self> {
        let interrupt = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = runtime.block_on(async { signals() })?;
        let here = interrupt.clone();
        thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async {
                while signals.recv().await.is_some() {
                    if here.0.has_come.swap(true, Ordering::Relaxed) {
                        here.kill();
                    }
                }
            });
        })?;
        Ok(interrupt)
    }

    /// Whether one has come.
    pub(super) fn has_come(&self) -> bool {
        self.0.has_come.load(Ordering::Relaxed)
    }

    /// Has a process group killed when the second one comes.
    pub(super) fn concerns(&self, group: Pid) {
        self.groups().insert(group.as_raw_nonzero().get());
    }

    /// No more; whoever leads it has not been waited for yet, so that its number is nobody else's.
    pub(super) fn concerns_no_more(&self, group: Pid) {
        self.groups().remove(&group.as_raw_nonzero().get());
    }

    fn kill(&self) {
        let groups = self.groups();
        // They may have ended by now.
        groups.iter().filter_map(|group| Pid::from_raw(*group)).for_each(|group| {
            let _ = kill_process_group(group, Signal::KILL);
        });
    }

    fn groups(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.0.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
