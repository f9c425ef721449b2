//! A case: what is promised, where that is written, and how it is tried on a subject; and running many of them.
//!
//! A case fails alone: one that panics is told as failed, and the next one is run.

use std::any::Any;
use std::fmt::Display;
use std::ops::ControlFlow;
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

    /// The same case, which tells if it fails what else is known of the subject then.
    #[must_use]
    pub fn explained(self, explain: impl Fn(&S) -> Option<String> + Send + Sync + 'static) -> Self
    where
        S: 'static,
    {
        let trial = self.trial;
        let explained = move |subject: &S| {
            trial(subject).map_err(|problem| match (problem, explain(subject)) {
                (Problem::Wrong(why), Some(known)) => Problem::Wrong(format!("{why}; {known}")),
                (problem, _) => problem,
            })
        };
        Self { trial: Box::new(explained), ..self }
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
///
/// `subject_for` gives what the first one is tried on; and behind each that fails it gets that, to give it back or something
/// new: who has broken a promise may be in any state.  What is told may say that it was the last one.
///
/// # Errors
/// There is nothing to try the first one on.  Without it later the cases that are left have failed.
pub fn run<S, E: Display>(
    suite: &str,
    cases: &[Case<S>],
    mut subject_for: impl FnMut(Option<S>) -> Result<S, E>,
    told: &mut dyn FnMut(&Row) -> ControlFlow<()>,
) -> Result<Report, E> {
    let mut subject = Ok(subject_for(None)?);
    let mut rows = Vec::with_capacity(cases.len());
    for case in cases {
        let row = match &subject {
            Ok(subject) => case.run(subject),
            Err(error) => case.row(Outcome::Failed(format!("it can't be tried any more: {error}")), Duration::ZERO),
        };
        let flow = told(&row);
        if flow.is_break() {
            rows.push(row);
            break;
        }
        if matches!(row.outcome, Outcome::Failed(_)) {
            subject = subject.and_then(|subject| subject_for(Some(subject)));
        }
        rows.push(row);
    }
    Ok(Report { suite: suite.to_owned(), rows })
}

/// What a panic has said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("nothing more is known")
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow::Continue;

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
        let (mut names, mut made) = (Vec::new(), 0);
        let make = |_| {
            made += 1;
            Ok::<_, String>(7)
        };
        let report = run("all", &cases, make, &mut |row| {
            names.push(row.name.clone());
            Continue(())
        })
        .unwrap();
        assert_eq!(names, ["a/good", "a/bad", "a/missing", "a/broken"]);
        assert_eq!(made, 3, "behind each that fails there is a new one");
        let outcomes: Vec<_> = report.rows.iter().map(|row| row.outcome.clone()).collect();
        let expected = [
            Outcome::Passed,
            Outcome::Failed("the subject is 7, wanted 8".into()),
            Outcome::Skipped("it has no legs".into()),
            Outcome::Failed("the case itself has panicked: no idea".into()),
        ];
        assert_eq!(outcomes, expected);
    }

    #[test]
    fn without_a_subject_the_rest_fails() {
        let case = |name| Case::new(("a", name), "it does", "nowhere", |_: &u8| equal("it", 1, 2));
        let mut left = 1;
        let make = |_| {
            left -= 1;
            if left == 0 { Ok(7) } else { Err("no legs") }
        };
        let report =
            run("all", &[case("one"), case("two").explained(|_| Some("so".into()))], make, &mut |_| Continue(()))
                .unwrap();
        let why: Vec<_> = report.rows.iter().map(|row| row.outcome.why()).collect();
        assert_eq!(why, ["it is 1, wanted 2", "it can't be tried any more: no legs"]);
        let explained = case("two").explained(|_| Some("so is it".into()));
        assert_eq!(explained.run(&7).outcome.why(), "it is 1, wanted 2; so is it");
        let last = run("all", &[case("one"), case("two")], |_| Ok::<_, String>(7), &mut |_| ControlFlow::Break(()));
        assert_eq!(last.unwrap().rows.len(), 1);
        assert!(run("all", &[case("one")], |_| Err("no legs"), &mut |_| Continue(())).is_err());
    }
}
