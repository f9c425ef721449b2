//! What servers have counted under each generation of the configuration, from one deployment to the next.
//!
//! Pure: what the database knows comes in.  A generation is compared with the one that the same server has served before,
//! as [`Summary`] judges.

use std::collections::BTreeMap;

use mongrel2::config::history::Logged;
use mongrel2::config::store::generations::Generation;
use mongrel2::config::store::statistics::{Statistic, name};
use mongrel2::summary::Summary;
use serde::Serialize;

/// A generation, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Its number.
    pub generation: i64,
    /// The entry of the log that made it, if that is known.
    pub logged: Option<Logged>,
    /// The servers that have counted something under it, by UUID.
    pub served: Vec<Served>,
}

/// What a server has counted under one generation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Served {
    /// The server's UUID.
    pub uuid: String,
    /// Seconds; its number is that of the requests.
    pub latency: Summary,
    /// 1 for each request that ended in an error, 0 for each other.
    pub errors: Summary,
    /// Bytes of the answers.
    pub bytes: Summary,
    /// Starts of the server.
    pub starts: u64,
    /// What is worse than before.
    pub worse: Vec<Worse>,
}

/// What can get worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Worse {
    /// The share of requests that end in an error.
    Errors,
    /// The mean of the latency.
    Latency,
}

impl Worse {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Latency => "latency",
        }
    }
}

/// All generations, the oldest first.  One that has left the table and was counted under is there too.
pub fn deployments(generations: Vec<Generation>, statistics: &[Statistic]) -> Vec<Deployment> {
    let mut served: BTreeMap<i64, BTreeMap<&str, Served>> = BTreeMap::new();
    for statistic in statistics {
        let of_generation = served.entry(statistic.generation).or_default();
        of_generation.entry(&statistic.server).or_default().add(statistic);
    }
    let mut logged: BTreeMap<i64, Option<Logged>> = served.keys().map(|generation| (*generation, None)).collect();
    logged.extend(generations.into_iter().map(|generation| (generation.id, generation.logged)));
    let mut before: BTreeMap<String, Served> = BTreeMap::new();
    let deployment = |(generation, logged)| {
        let mut served: Vec<Served> = served.remove(&generation).unwrap_or_default().into_values().collect();
        served.iter_mut().for_each(|served| served.judge(&mut before));
        Deployment { generation, logged, served }
    };
    logged.into_iter().map(deployment).collect()
}

impl Served {
    fn add(&mut self, statistic: &Statistic) {
        self.uuid.clone_from(&statistic.server);
        match statistic.name.as_str() {
            name::LATENCY => self.latency.merge(&statistic.summary),
            name::ERRORS => self.errors.merge(&statistic.summary),
            name::BYTES => self.bytes.merge(&statistic.summary),
            name::STARTS => self.starts += statistic.summary.n,
            _ => {}
        }
    }

    /// Compares it with the last one of the same server that had requests.
    fn judge(&mut self, before: &mut BTreeMap<String, Self>) {
        if self.latency.n == 0 {
            return;
        }
        if let Some(before) = before.get(&self.uuid) {
            let errors = self.errors.share_has_risen_from(&before.errors).then_some(Worse::Errors);
            let latency = self.latency.has_risen_from(&before.latency).then_some(Worse::Latency);
            self.worse = errors.into_iter().chain(latency).collect();
        }
        before.insert(self.uuid.clone(), self.clone());
    }
}

#[cfg(test)]
mod tests {
    use mongrel2::config::store::statistics::Subject;

    use super::*;

    fn statistic(generation: i64, server: &str, name: &str, summary: Summary) -> Statistic {
        let (first_at, last_at) = Default::default();
        Statistic {
            generation,
            server: server.into(),
            subject: Subject::Server,
            name: name.into(),
            summary,
            first_at,
            last_at,
        }
    }

    fn generation(id: i64) -> Generation {
        Generation { id, digest: String::new(), kept: true, logged: None }
    }

    #[test]
    fn each_is_compared_with_what_the_server_served_before() {
        let seconds =
            |generation, server, seconds| statistic(generation, server, name::LATENCY, Summary::repeated(seconds, 100));
        let errors = |generation, number: u64| {
            let mut summary = Summary::repeated(1.0, number);
            summary.merge(&Summary::repeated(0.0, 100 - number));
            statistic(generation, "a", name::ERRORS, summary)
        };
        let statistics = [
            seconds(1, "a", 0.1),
            errors(1, 0),
            seconds(1, "b", 0.1),
            statistic(2, "a", name::STARTS, Summary::repeated(1.0, 2)),
            seconds(3, "a", 0.2),
            errors(3, 50),
            seconds(3, "b", 0.1),
            seconds(4, "a", 0.2),
            errors(4, 50),
        ];
        let found = deployments([1, 2, 3].map(generation).into(), &statistics);
        let told: Vec<_> = found
            .iter()
            .flat_map(|deployment| deployment.served.iter().map(|served| (deployment.generation, served)))
            .map(|(generation, served)| (generation, served.uuid.as_str(), &served.worse[..]))
            .collect();
        let worse = [Worse::Errors, Worse::Latency];
        let nothing = &[][..];
        let expected = [
            (1, "a", nothing),
            (1, "b", nothing),
            (2, "a", nothing),
            (3, "a", &worse),
            (3, "b", nothing),
            (4, "a", nothing),
        ];
        assert_eq!(told, expected);
        assert_eq!((found[1].served[0].starts, found[1].served[0].latency.n), (2, 0));
    }

    #[test]
    fn a_generation_that_nobody_served_is_there() {
        let found = deployments(vec![generation(7)], &[]);
        assert_eq!((found.len(), found[0].generation, found[0].served.len()), (1, 7, 0));
    }
}
