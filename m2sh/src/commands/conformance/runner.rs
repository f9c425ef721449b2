//! Runs suites, as far as they are asked for, and tells what came of them.

use std::fs::File;
use std::io::{self, Write as _};
use std::ops::ControlFlow::{Break, Continue};
use std::path::Path;

use conformance::case::{self, Case};
use conformance::report::{Count, Outcome, Report, Row, count, junit};
use serde_json::json;

use super::interrupt::Interrupt;
use crate::args::Conformance;
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::progress::during;
use crate::show::{Cell, Form, Show, tabbed};

/// What is tried, and what came of it up to now.
pub(super) struct Runner<'a> {
    args: &'a Conformance,
    show: &'a mut Show,
    reports: Vec<Report>,
    interrupt: Interrupt,
    /// Where the results go, too.
    junit: Option<(File, &'a Path)>,
}

impl<'a> Runner<'a> {
    /// # Errors
    /// Nobody could interrupt it, or the results can't be written.
    pub(super) fn new(args: &'a Conformance, show: &'a mut Show) -> Result<Self, Error> {
        let interrupt = Interrupt::listen().map_err(|error| Error::cannot("listen for signals", error))?;
        // Whoever can't write there wants to know it now, and not when all is done.
        let create = |path: &'a Path| match File::create(path) {
            Ok(file) => Ok((file, path)),
            Err(error) => Err(unwritten(path, &error)),
        };
        let junit = args.junit.as_deref().map(create).transpose()?;
        Ok(Self { args, show, reports: Vec::new(), interrupt, junit })
    }

    /// Whether somebody wants it to end.
    pub(super) fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Runs those cases of a suite that are asked for; the subject is made only if there are any.  Behind each that
    /// fails it is given back, for the same one or a new one.
    ///
    /// # Errors
    /// The subject can't be made.
    pub(super) fn suite<S>(
        &mut self,
        suite: &str,
        mut cases: Vec<Case<S>>,
        subject_for: impl FnMut(Option<S>) -> Result<S, Error>,
    ) -> Result<(), Error> {
        let only = &self.args.only;
        cases.retain(|case| only.is_empty() || only.iter().any(|part| case.name.contains(part.as_str())));
        if self.args.list {
            let rows = cases.iter().map(|case| case.skip("it was only to be listed")).collect();
            self.reports.push(Report { suite: suite.to_owned(), rows });
            return Ok(());
        }
        if cases.is_empty() || self.interrupt.has_come() {
            return Ok(());
        }
        let streams = self.show.form() == Form::Lines;
        let mut told = Ok(());
        let report = during(&format!("run the cases of `{suite}`"), || {
            case::run(suite, &cases, subject_for, &mut |row| {
                if streams && told.is_ok() {
                    let line = self.show.line(&tabbed(&cells(suite, row)));
                    told = line.and_then(|()| self.show.flush());
                }
                if told.is_err() || self.interrupt.has_come() { Break(()) } else { Continue(()) }
            })
        })?;
        told?;
        self.reports.push(report);
        Ok(())
    }

    /// Tells what came of all, and gives how m2sh ends.
    ///
    /// # Errors
    /// There is no such case; the output can't be written.
    pub(super) fn finish(self) -> Result<Exit, Error> {
        if self.interrupt.has_come() {
            say("m2sh: interrupted: not all cases were run");
        } else if self.reports.iter().all(|report| report.rows.is_empty()) {
            let only = self.args.only.iter().map(|only| format!("`{only}`")).collect::<Vec<_>>().join(" or ");
            return Err(Error::usage("run a case", format!("no name of a case has {only} in it"))
                .hint("`m2sh conformance -list` lists them all"));
        }
        if self.args.list {
            return self.list();
        }
        if let Some((mut file, path)) = self.junit {
            file.write_all(junit("m2sh conformance", &self.reports).as_bytes())
                .map_err(|error| unwritten(path, &error))?;
        }
        let rows = || self.reports.iter().flat_map(|report| report.rows.iter().map(|row| (report.suite.as_str(), row)));
        match self.show.form() {
            Form::Json => self.show.json(&rows().map(|(suite, row)| object(suite, row)).collect::<Vec<_>>())?,
            Form::Terminal => {
                let cells = rows().map(|(suite, row)| cells(suite, row));
                self.show.table(&["suite", "case", "outcome", "why"], cells.collect::<Vec<_>>())?;
            }
            Form::Lines => {}
        }
        self.show.flush()?;
        let Count { passed, failed, skipped } = count(&self.reports);
        say(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
        let is_well = failed == 0 && !self.interrupt.has_come();
        Ok(if is_well { Exit::Success } else { Exit::Failure })
    }

    fn list(self) -> Result<Exit, Error> {
        let rows = self.reports.iter().flat_map(|report| {
            let suite = report.suite.as_str();
            report.rows.iter().map(move |row| [suite, &row.name, &row.promise, row.source].map(Cell::from).into())
        });
        self.show.table(&["suite", "case", "promise", "source"], rows.collect::<Vec<_>>())?;
        Ok(Exit::Success)
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Error {
    Error::cannot(format!("write `{}`", path.display()), error)
}

fn cells(suite: &str, row: &Row) -> Vec<Cell> {
    [suite, &row.name, row.outcome.word(), row.outcome.why()].map(Cell::from).into()
}

fn object(suite: &str, row: &Row) -> serde_json::Value {
    let why = match &row.outcome {
        Outcome::Passed => None,
        Outcome::Failed(why) | Outcome::Skipped(why) => Some(why),
    };
    json!({
        "suite": suite,
        "case": row.name,
        "promise": row.promise,
        "source": row.source,
        "outcome": row.outcome.word(),
        "why": why,
        "seconds": row.took.as_secs_f64(),
    })
}
