//! What came of the cases of a suite, for people and for programs that collect results of tests.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

/// How a case has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The promise is kept.
    Passed,
    /// It isn't: why.
    Failed(String),
    /// It could not be tried: what is missing.
    Skipped(String),
}

impl Outcome {
    /// In one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Why it hasn't passed; empty if it has.
    pub fn why(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::Failed(why) | Self::Skipped(why) => why,
        }
    }
}

/// A case that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What is promised.
    pub promise: String,
    /// Where.
    pub source: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// All cases of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What was tried: `server`, `handler`, …
    pub suite: String,
    /// One after the other.
    pub rows: Vec<Row>,
}

/// How many have ended in which way.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Kept promises.
    pub passed: usize,
    /// Broken ones.
    pub failed: usize,
    /// Those not tried.
    pub skipped: usize,
}

/// Counts the rows of several reports.
pub fn count(reports: &[Report]) -> Count {
    let mut count = Count::default();
    for row in reports.iter().flat_map(|report| &report.rows) {
        match row.outcome {
            Outcome::Passed => count.passed += 1,
            Outcome::Failed(_) => count.failed += 1,
            Outcome::Skipped(_) => count.skipped += 1,
        }
    }
    count
}

/// The reports in the XML of JUnit, which most services that run tests can read.
pub fn junit(name: &str, reports: &[Report]) -> String {
    let mut all = quick_junit::Report::new(name);
    all.add_test_suites(reports.iter().map(suite));
    all.to_string().expect("it is written to memory")
}

fn suite(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new(report.suite.as_str());
    suite.set_time(report.rows.iter().map(|row| row.took).sum());
    suite.add_test_cases(report.rows.iter().map(|row| {
        let mut case = TestCase::new(row.name.as_str(), status(row));
        case.set_classname(report.suite.as_str()).set_time(row.took);
        case
    }));
    suite
}

fn status(row: &Row) -> TestCaseStatus {
    let mut status = match row.outcome {
        Outcome::Passed => return TestCaseStatus::success(),
        Outcome::Failed(_) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Skipped(_) => TestCaseStatus::skipped(),
    };
    status.set_message(row.outcome.why());
    if let Outcome::Failed(_) = row.outcome {
        status.set_description(format!("{} ({}): {}", row.promise, row.source, row.outcome.why()));
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let row = |name: &str, outcome| Row {
            name: name.into(),
            promise: "It does.".into(),
            source: "protocol, 1",
            outcome,
            took: Duration::from_millis(1500),
        };
        let rows = vec![
            row("a/good", Outcome::Passed),
            row("a/bad", Outcome::Failed("it is <7> & \u{1}".into())),
            row("a/missing", Outcome::Skipped("no legs".into())),
        ];
        Report { suite: "server".into(), rows }
    }

    #[test]
    fn rows_are_counted() {
        assert_eq!(count(&[report(), report()]), Count { passed: 2, failed: 2, skipped: 2 });
    }

    #[test]
    fn junit_has_each_case() {
        let xml = junit("conformance", &[report()]);
        let expected = [
            r#"<testsuites name="conformance" tests="3" skipped="1" failures="1" errors="0">"#,
            r#"<testsuite name="server" tests="3" skipped="1" errors="0" failures="1" time="4.500">"#,
            r#"<testcase name="a/good" classname="server" time="1.500"/>"#,
            r#"<failure message="it is &lt;7&gt; &amp; ">It does. (protocol, 1): it is &lt;7&gt; &amp; </failure>"#,
            r#"<skipped message="no legs"/>"#,
        ];
        for part in expected {
            assert!(xml.contains(part), "no `{part}` in:\n{xml}");
        }
    }
}
