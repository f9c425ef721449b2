//! A case: what is promised, where that is written, and how it is tried on a subject; and running many of them.
//!
//! A case fails alone: one that panics is told as failed, and the next one is run.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::check::{Problem, Verdict};
use crate::report::{Outcome, Report, Row};

/// What is done to a subject to see whether a promise holds.
type Trial<S> = Box<dyn Fn(&S) -> Verdict + Send + Sync>;

/// A promise about subjects of a kind.
pub struct Case<S> {
    /// What it is about, and its name there, `requests/query`: unique.
    pub name: String,
    /// The promise, as a sentence.
    pub promise: String,
    /// Where it is written: a document and its section.
    pub source: &'static str,
    trial: Trial<S>,
}

impl<S> Case<S> {
    /// A case of a group.
    pub fn new(
        (group, name): (&str, &str),
        promise: impl Into<String>,
        source: &'static str,
        trial: impl Fn(&S) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self { name: format!("{group}/{name}"), promise: promise.into(), source, trial: Box::new(trial) }
    }

    /// The same case for a subject that has such a one in it.
    pub fn on<T>(self, part: impl Fn(&T) -> &S + Send + Sync + 'static) -> Case<T>
    where
        S: 'static,
    {
        let Self { name, promise, source, trial } = self;
        Case { name, promise, source, trial: Box::new(move |subject| trial(part(subject))) }
    }

    /// Tries it.
    pub fn run(&self, subject: &S) -> Row {
        let began = Instant::now();
        let outcome = match catch_unwind(AssertUnwindSafe(|| (self.trial)(subject))) {
            Ok(Ok(())) => Outcome::Passed,
            Ok(Err(Problem::Wrong(why))) => Outcome::Failed(why),
            Ok(Err(Problem::Missing(what))) => Outcome::Skipped(what),
            Err(panic) => Outcome::Failed(format!("the case itself has panicked: {}", said(&*panic))),
        };
        self.row(outcome, began.elapsed())
    }

    /// That it can't be tried.
    pub fn skip(&self, why: impl Into<String>) -> Row {
        self.row(Outcome::Skipped(why.into()), Duration::ZERO)
    }

    fn row(&self, outcome: Outcome, took: Duration) -> Row {
        Row { name: self.name.clone(), promise: self.promise.clone(), source: self.source, outcome, took }
    }
}

impl<S> std::fmt::Debug for Case<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Tries cases one after the other, and tells each as soon as it is known.
pub fn run<S>(suite: &str, cases: &[Case<S>], subject: &S, told: &mut dyn FnMut(&Row)) -> Report {
    let rows = cases.iter().map(|case| {
        let row = case.run(subject);
        told(&row);
        row
    });
    Report { suite: suite.to_owned(), rows: rows.collect() }
}

/// What a panic has said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("nothing more is known")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::equal;

    #[test]
    fn each_case_ends_in_its_own_way() {
        let case = |name, trial: fn(&u8) -> Verdict| Case::new(("a", name), "it does", "nowhere", trial);
        let cases = [
            case("good", |subject| equal("the subject", subject, &7)),
            case("bad", |subject| equal("the subject", subject, &8)),
            case("missing", |_| Err(Problem::Missing("it has no legs".into()))),
            case("broken", |_| panic!("no {}", "idea")),
        ];
        let mut names = Vec::new();
        let report = run("all", &cases, &7, &mut |row| names.push(row.name.clone()));
        assert_eq!(names, ["a/good", "a/bad", "a/missing", "a/broken"]);
        let outcomes: Vec<_> = report.rows.iter().map(|row| row.outcome.clone()).collect();
        let expected = [
            Outcome::Passed,
            Outcome::Failed("the subject is 7, wanted 8".into()),
            Outcome::Skipped("it has no legs".into()),
            Outcome::Failed("the case itself has panicked: no idea".into()),
        ];
        assert_eq!(outcomes, expected);
    }
}
