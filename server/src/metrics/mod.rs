//! Metrics: what the server has counted since its start, in Prometheus' text format, fetched by HTTP where the setting
//! `metrics.listen` says.
//!
//! The page is made from [`Facts`] by a pure function.  Its labels are names in the configuration, statuses and fixed
//! words, so that no client can make it longer.

mod endpoint;
mod text;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use self::text::{Kind, Page};
use crate::statistics::{BOUNDS, Count, Name, Reloads};

pub(crate) use self::endpoint::{Change, Endpoint, bind};

/// What the page says.
pub(crate) struct Facts<'a> {
    /// By host and route.
    pub(crate) counts: &'a BTreeMap<Name, Count>,
    /// The connections there are, by kind.
    pub(crate) connections: BTreeMap<&'static str, u64>,
    /// How many connections have been accepted.
    pub(crate) accepted: u64,
    /// How many messages wait, by `send_spec`.
    pub(crate) queues: Vec<(String, usize)>,
    pub(crate) reloads: Reloads,
    /// The generation of the configuration.
    pub(crate) generation: i64,
    /// When the server was started.
    pub(crate) started: SystemTime,
}

/// The page.
pub(crate) fn page(facts: &Facts<'_>) -> String {
    let mut page = Page::default();
    requests(&mut page, facts.counts);
    durations(&mut page, facts.counts);
    response_bytes(&mut page, facts.counts);
    connections(&mut page, facts);
    server(&mut page, facts);
    page.finish()
}

fn requests(page: &mut Page, counts: &BTreeMap<Name, Count>) {
    let mut family = page.family(Kind::Counter, "mongrel2_requests_total", "Answered requests.");
    for ((host, route), count) in counts {
        let mut statuses = count.statuses.clone();
        statuses.sort_unstable();
        for (status, count) in statuses {
            family.sample(&[("host", host), ("route", route), ("status", &status.to_string())], count);
        }
    }
}

fn durations(page: &mut Page, counts: &BTreeMap<Name, Count>) {
    let help = "Seconds from when the head of a request had been read until its answer was written.";
    let mut family = page.family(Kind::Histogram, "mongrel2_request_duration_seconds", help);
    for ((host, route), count) in counts {
        let bounds = BOUNDS.iter().map(|bound| (*bound as f64 / 1e9).to_string()).chain(["+Inf".to_owned()]);
        let mut so_far = 0;
        for (bound, bucket) in bounds.zip(count.buckets) {
            so_far += bucket;
            family.part("_bucket", &[("host", host), ("route", route), ("le", &bound)], so_far);
        }
        family.part("_sum", &[("host", host), ("route", route)], count.latency.sum);
        family.part("_count", &[("host", host), ("route", route)], count.latency.n);
    }
}

fn response_bytes(page: &mut Page, counts: &BTreeMap<Name, Count>) {
    let mut family = page.family(Kind::Counter, "mongrel2_response_bytes_total", "Bytes of the answers' bodies.");
    for ((host, route), count) in counts {
        family.sample(&[("host", host), ("route", route)], count.bytes.sum);
    }
}

fn connections(page: &mut Page, facts: &Facts<'_>) {
    let mut family = page.family(Kind::Gauge, "mongrel2_connections", "Connections of clients.");
    for (kind, count) in &facts.connections {
        family.sample(&[("kind", kind)], *count);
    }
    let mut family =
        page.family(Kind::Counter, "mongrel2_connections_accepted_total", "Connections that have been accepted.");
    family.sample(&[], facts.accepted);
    let help = "Messages that wait for a handler to take them.";
    let mut family = page.family(Kind::Gauge, "mongrel2_handler_queue_length", help);
    for (spec, waiting) in &facts.queues {
        family.sample(&[("send_spec", spec)], *waiting);
    }
}

fn server(page: &mut Page, facts: &Facts<'_>) {
    let Facts { reloads, generation, started, .. } = facts;
    let mut family = page.family(Kind::Counter, "mongrel2_reloads_total", "Reloads of the configuration.");
    family.sample(&[("result", "ok")], reloads.ok);
    family.sample(&[("result", "failed")], reloads.failed);
    let help = "When a configuration was last taken, at the start or at a reload.";
    let mut family = page.family(Kind::Gauge, "mongrel2_configuration_loaded_timestamp_seconds", help);
    family.sample(&[], seconds(reloads.last.unwrap_or(*started)));
    let help = "The generation of the configuration in force.";
    page.family(Kind::Gauge, "mongrel2_configuration_generation", help).sample(&[], generation);
    let help = "The version of the server.";
    let mut family = page.family(Kind::Gauge, "mongrel2_build_info", help);
    family.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family(Kind::Gauge, "process_start_time_seconds", "When the server was started.")
        .sample(&[], seconds(*started));
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
