//! Filters around an application.

use super::{MANUAL, case, failures};
use crate::app::host::{Host, header};
use crate::case::Case;
use crate::check::equal;

pub(super) fn cases() -> Vec<Case<Host>> {
    let mut cases: Vec<_> = [("error", "A filter that fails"), ("panic", "A filter that crashes")]
        .into_iter()
        .flat_map(|(name, who)| failures::pair("filters", name, &format!("/filter/{name}"), who))
        .collect();
    cases.extend([
        case(("filters", "length"), "A filter may keep a body to tell its length in the head.", MANUAL, |run| {
            let answer = run.get("/filter/length")?;
            answer.expect(200, "one two three")?;
            equal("`content-length`", header(&answer, "content-length")?, Some("13"))?;
            equal("`transfer-encoding`", header(&answer, "transfer-encoding")?, None)
        }),
        case(("filters", "length-http-1.0"), "The same for HTTP/1.0.", MANUAL, |run| {
            let answer = run.ask("GET /filter/length HTTP/1.0", "", "")?;
            answer.expect(200, "one two three")?;
            equal("`content-length`", header(&answer, "content-length")?, Some("13"))
        }),
        case(("filters", "head"), "Through a filter HEAD has no body.", MANUAL, |run| {
            let answer = run.ask("HEAD /filter/length HTTP/1.1", "", "")?;
            answer.expect(200, "")?;
            equal("whether a length of 0 is told", answer.header("content-length") == Some("0"), false)
        }),
        case(("filters", "changes"), "A filter may change head and body while they pass.", MANUAL, |run| {
            let answer = run.get("/filter/loud")?;
            answer.expect(200, "ONE TWO THREE")?;
            equal("`x-filter`", header(&answer, "x-filter")?, Some("loud"))
        }),
    ]);
    cases
}
