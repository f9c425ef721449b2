//! What the page with all demos shows: each with its links, and how its services are at this moment.

use std::path::PathBuf;

use mongrel2::handler::Request;
use procer::client;
use procer::control::protocol::Status;
use serde_json::{Value, json};

use super::super::handler::Answers;
use super::super::room::Reply;
use super::plan::Row;
use super::services::SERVER;

/// Tells about all demos, as often as it is asked.
pub(super) struct Board {
    rows: Vec<Row>,
    profiles: PathBuf,
}

impl Board {
    /// For these demos, run by the procer of that folder of profiles.
    pub(super) fn new(rows: Vec<Row>, profiles: PathBuf) -> Self {
        Self { rows, profiles }
    }
}

impl Answers for Board {
    fn take(&mut self, request: &Request) -> Vec<Reply> {
        match request.header("METHOD").unwrap_or_default() {
            "GET" | "HEAD" => {
                // Without procer nothing is known of them.
                let services = client::services(Some(self.profiles.clone()), Vec::new()).unwrap_or_default();
                vec![Reply::One { status: 200, allow: None, body: told(&self.rows, &services) }]
            }
            // The server itself has something to say.
            "JSON" => Vec::new(),
            _ => {
                let body = json!({"error": "this takes GET only"});
                vec![Reply::One { status: 405, allow: Some("GET, HEAD"), body }]
            }
        }
    }
}

fn told(rows: &[Row], services: &[Status]) -> Value {
    let of = |name: &str| services.iter().find(|service| service.name == name).map(state);
    let demo = |row: &Row| {
        let services: Vec<Value> = row.services().filter_map(of).collect();
        json!({
            "name": row.demo.name,
            "shows": row.demo.shows,
            "program": row.demo.program,
            "link": row.demo.link,
            "commands": row.commands,
            "lack": row.lack.as_ref().map(|lack| json!({"why": lack.why, "hint": lack.hint})),
            "services": services,
        })
    };
    json!({"server": of(SERVER), "demos": rows.iter().map(demo).collect::<Vec<_>>()})
}

fn state(service: &Status) -> Value {
    json!({
        "name": service.name,
        "state": service.state.word(),
        "uptime": service.uptime,
        "restarts": service.restarts,
    })
}

#[cfg(test)]
mod tests {
    use procer::control::protocol::Phase;

    use super::super::demos::DEMOS;
    use super::super::tools::Lack;
    use super::*;

    #[test]
    fn each_demo_is_told_with_its_services() {
        let lack = Lack { why: "PHP has no extension `zmq`".into(), hint: "apt-get install php-zmq".into() };
        let row = |name: &str, lack: Option<Lack>| {
            let demo = DEMOS.iter().find(|demo| demo.name == name).unwrap();
            Row { demo, lack, commands: vec![] }
        };
        let rows = [row("scatter", None), row("php", Some(lack))];
        let service = |name: &str, state| Status {
            name: name.into(),
            state,
            pid: Some(7),
            uptime: Some(1.5),
            restarts: 0,
            wanted: true,
            why: Some("secret".into()),
        };
        let services = [service("scatter-2", Phase::Delayed), service("mongrel2", Phase::Ready)];
        let told = told(&rows, &services);
        let state = |name: &str, state: &str| json!({"name": name, "state": state, "uptime": 1.5, "restarts": 0});
        assert_eq!(told["server"], state("mongrel2", "ready"));
        assert_eq!(told["demos"][0]["services"], json!([state("scatter-2", "delayed")]));
        assert_eq!(told["demos"][0]["lack"], Value::Null);
        assert_eq!(told["demos"][1]["lack"]["hint"], "apt-get install php-zmq");
    }
}
