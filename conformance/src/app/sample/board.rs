//! What the sample has said, and what may go on: for each run of a case on its own, so that many may use the same host.
//!
//! Bounded: whoever makes up runs drives out the oldest, and a run that says too much is not heard to its end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// How many runs are remembered.
const MAX_RUNS: usize = 1000;

/// How many lines of each.
const MAX_LINES: usize = 100;

/// The longest name of a run; longer ones are taken for none.
const MAX_NAME: usize = 64;

/// How long who asks may have to wait for an answer, after which it may ask again.
const WAIT: Duration = Duration::from_secs(1);

/// All runs, the newest last.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<VecDeque<(String, Arc<Run>)>>);

/// A run.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// What the application says.
    pub(super) said: Lines,
    /// How its requests have ended, as the events around it tell.
    pub(super) ended: Lines,
    /// Lets what waits go on.
    pub(super) go: Notify,
}

/// Lines that somebody may wait for.
#[derive(Debug, Default)]
pub(super) struct Lines(watch::Sender<Vec<String>>);

impl Board {
    /// The run that a query names by `run=`; requests that name none share one.
    pub(super) fn run(&self, query: &str) -> Arc<Run> {
        let name = value(query, "run").filter(|name| name.len() <= MAX_NAME).unwrap_or_default();
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, run)) = runs.iter().find(|(known, _)| known == name) {
            return Arc::clone(run);
        }
        if runs.len() == MAX_RUNS {
            runs.pop_front();
        }
        let run = Arc::<Run>::default();
        runs.push_back((name.to_owned(), Arc::clone(&run)));
        run
    }
}

/// The value of a name in a query, as it stands there.
pub(super) fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

impl Lines {
    pub(super) fn push(&self, line: String) {
        self.0.send_modify(|lines| {
            if lines.len() < MAX_LINES {
                lines.push(line);
            }
        });
    }

    /// All lines, as soon as one is wanted, or after a while.
    pub(super) async fn once(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        let mut lines = self.0.subscribe();
        let wanted = lines.wait_for(|lines| lines.iter().any(|line| is_wanted(line)));
        // In both cases what is there now is told.
        let _ = tokio::time::timeout(WAIT, wanted).await;
        self.0.borrow().iter().map(|line| format!("{line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_run_hears_its_own() {
        let board = Board::default();
        board.run("a&run=1").said.push("one".into());
        board.run("run=2&b").said.push("two".into());
        assert_eq!(board.run("run=1").said.once(|line| line == "one").await, "one\n");
        let run = board.run("run=2");
        let (lines, ()) = tokio::join!(run.said.once(|line| line == "more"), async { run.said.push("more".into()) });
        assert_eq!(lines, "two\nmore\n");
    }

    #[test]
    fn memory_is_bounded() {
        let board = Board::default();
        (0..3 * MAX_RUNS).for_each(|number| drop(board.run(&format!("run={number}"))));
        assert_eq!(board.0.lock().unwrap().len(), MAX_RUNS);
        let run = board.run("run=7");
        (0..3 * MAX_LINES).for_each(|_| run.said.push("again".into()));
        assert_eq!(run.said.0.borrow().len(), MAX_LINES);
        let long = format!("run={}", "x".repeat(MAX_NAME + 1));
        assert!(Arc::ptr_eq(&board.run(&long), &board.run("")), "it has no name");
    }
}
