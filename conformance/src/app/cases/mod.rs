//! What is promised of hosts of applications.
//!
//! Behind each case another client is answered: whatever has happened, nobody else has noticed.

mod answers;
mod bodies;
mod connections;
mod cut;
mod events;
mod failures;
mod filters;
mod requests;
mod run;
mod stop;
mod together;
mod websocket;

use super::host::{Host, Place, hello};
use crate::case::Case;
use crate::check::Verdict;
use run::Run;

/// The manual's section on applications.
const MANUAL: &str = "manual.md, In Rust";

/// All cases for a host in this place.
pub fn cases(place: Place) -> Vec<Case<Host>> {
    let groups = [
        requests::cases(),
        answers::cases(),
        connections::cases(),
        bodies::cases(place),
        failures::cases(),
        cut::cases(),
        websocket::cases(),
        together::cases(),
        filters::cases(),
        events::cases(),
        stop::cases(),
    ];
    groups.into_iter().flatten().collect()
}

/// A case that is tried in a run of its own.
fn case(
    name: (&str, &str),
    promise: impl Into<String>,
    source: &'static str,
    trial: impl Fn(&Run<'_>) -> Verdict + Send + Sync + 'static,
) -> Case<Host> {
    Case::new(name, promise, source, move |host| {
        trial(&Run::of(host))?;
        hello(host.address, host.patience).map_err(|problem| problem.when("another client, afterwards"))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        for place in Place::ALL {
            let cases = cases(place);
            let names: HashSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
            assert_eq!(names.len(), cases.len());
        }
    }
}
