//! What the built-in handler knows and answers: a request in, replies out.  Pure.
//!
//! Some wait for a bell, and one reply answers all of them; others watch how many those are.

use mongrel2::handler::Request;
use serde_json::{Map, Value, json};

use super::handler::Answers;

/// Everyone who has asked and not been answered, and how many have been.
#[derive(Debug, Default)]
pub(super) struct Room {
    requests: u64,
    waiting: Vec<Client>,
    watching: Vec<Client>,
    is_closed: bool,
}

/// A connection of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Client {
    server: String,
    id: u64,
}

/// Something to be sent.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    /// To the one who has asked.
    One {
        /// The HTTP status.
        status: u16,
        /// The methods, if it was the wrong one.
        allow: Option<&'static str>,
        /// The answer.
        body: Value,
    },
    /// To several connections of a server, with one message.
    Many {
        /// The server.
        server: String,
        /// Its connections.
        ids: Vec<u64>,
        /// The HTTP status.
        status: u16,
        /// The answer.
        body: Value,
    },
}

impl Reply {
    /// The answer.
    pub(super) fn body(&self) -> &Value {
        match self {
            Self::One { body, .. } | Self::Many { body, .. } => body,
        }
    }
}

impl Answers for Room {
    fn take(&mut self, request: &Request) -> Vec<Reply> {
        let client = Client { server: request.sender.clone(), id: request.id };
        if request.is_disconnect() {
            return self.leave(&client);
        }
        self.requests += 1;
        match (request.path.as_str(), request.header("METHOD").unwrap_or_default()) {
            ("/handler/wait" | "/handler/count", "GET") if self.is_closed => vec![one(503, closing())],
            ("/handler/wait", "GET") => self.wait(client),
            ("/handler/count", "GET") => self.watch(client, request.header("QUERY").unwrap_or_default()),
            ("/handler/ring", "POST") => self.ring(&request.body),
            ("/handler/wait" | "/handler/count", _) => vec![wrong_method("GET")],
            ("/handler/ring", _) => vec![wrong_method("POST")],
            _ => vec![one(200, self.echo(request))],
        }
    }

    fn close(&mut self) -> Vec<Reply> {
        self.is_closed = true;
        let everyone = self.waiting.drain(..).chain(self.watching.drain(..)).collect();
        many(everyone, 503, &closing())
    }
}

impl Room {
    fn wait(&mut self, client: Client) -> Vec<Reply> {
        self.waiting.push(client);
        self.tell_number()
    }

    fn leave(&mut self, client: &Client) -> Vec<Reply> {
        self.watching.retain(|other| other != client);
        let before = self.waiting.len();
        self.waiting.retain(|other| other != client);
        if self.waiting.len() == before { Vec::new() } else { self.tell_number() }
    }

    fn ring(&mut self, message: &[u8]) -> Vec<Reply> {
        let waiting = std::mem::take(&mut self.waiting);
        let number = waiting.len();
        let message = json!({"message": String::from_utf8_lossy(message), "shared_by": number});
        let mut replies = many(waiting, 200, &message);
        replies.push(one(200, json!({"answered": number})));
        if number > 0 {
            replies.extend(self.tell_number());
        }
        replies
    }

    /// Answers once the number is another one than the client has seen.
    fn watch(&mut self, client: Client, query: &str) -> Vec<Reply> {
        let number = self.waiting.len();
        if query.strip_prefix("seen=") != Some(&number.to_string()) {
            return vec![one(200, json!({"waiting": number}))];
        }
        self.watching.push(client);
        Vec::new()
    }

    fn tell_number(&mut self) -> Vec<Reply> {
        many(std::mem::take(&mut self.watching), 200, &json!({"waiting": self.waiting.len()}))
    }

    /// The request as it came.
    fn echo(&self, request: &Request) -> Value {
        let header = |name: &str| request.header(name).unwrap_or_default();
        json!({
            "request": self.requests,
            "method": header("METHOD"),
            "path": request.path,
            "query": header("QUERY"),
            "body": String::from_utf8_lossy(&request.body),
            "headers": headers(request),
        })
    }
}

/// The client's own headers: names in upper case are the server's.
fn headers(request: &Request) -> Map<String, Value> {
    let own = request.headers.iter().filter(|(name, _)| !name.bytes().any(|byte| byte.is_ascii_uppercase()));
    let mut headers = Map::new();
    for (name, value) in own {
        match headers.get_mut(name) {
            Some(Value::String(values)) => *values = format!("{values}, {value}"),
            _ => drop(headers.insert(name.clone(), value.as_str().into())),
        }
    }
    headers
}

fn one(status: u16, body: Value) -> Reply {
    Reply::One { status, allow: None, body }
}

fn wrong_method(allow: &'static str) -> Reply {
    Reply::One { status: 405, allow: Some(allow), body: json!({"error": format!("this takes {allow} only")}) }
}

fn closing() -> Value {
    json!({"error": "the demo is ending"})
}

/// One reply for each server.
fn many(mut clients: Vec<Client>, status: u16, body: &Value) -> Vec<Reply> {
    clients.sort_by(|a, b| a.server.cmp(&b.server));
    let groups = clients.chunk_by(|a, b| a.server == b.server);
    let reply = |group: &[Client]| Reply::Many {
        server: group[0].server.clone(),
        ids: group.iter().map(|client| client.id).collect(),
        status,
        body: body.clone(),
    };
    groups.map(reply).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `GET /path?query body` from a connection of the server `s`.
    fn request(id: u64, line: &str) -> Request {
        let mut words = line.splitn(3, ' ');
        let method = words.next().unwrap();
        let (path, query) = words.next().unwrap().split_once('?').unwrap_or((line.split(' ').nth(1).unwrap(), ""));
        let headers = [("METHOD", method), ("QUERY", query), ("accept", "a"), ("accept", "b")];
        Request {
            sender: "s".into(),
            id,
            path: path.into(),
            headers: headers.map(|(name, value)| (name.into(), value.into())).to_vec(),
            body: words.next().unwrap_or_default().into(),
        }
    }

    fn check(room: &mut Room, id: u64, line: &str, expected: &[&str]) {
        let replies = room.take(&request(id, line));
        let told: Vec<String> = replies.iter().map(told).collect();
        assert_eq!(told, expected, "{line}");
    }

    fn told(reply: &Reply) -> String {
        match reply {
            Reply::One { status, allow, body } => format!("{status}{} {body}", allow.unwrap_or_default()),
            Reply::Many { server, ids, status, body } => format!("{server}{ids:?} {status} {body}"),
        }
    }

    const GONE: &str = r#"JSON @* {"type":"disconnect"}"#;

    #[test]
    fn a_request_comes_back_as_it_was_seen() {
        let echo = |number, path, body| {
            format!(
                r#"200 {{"request":{number},"method":"PUT","path":"{path}","query":"x=1","body":"{body}","headers":{{"accept":"a, b"}}}}"#
            )
        };
        let mut room = Room::default();
        check(&mut room, 1, "PUT /handler?x=1 hi there", &[&echo(1, "/handler", "hi there")]);
        check(&mut room, 2, "PUT /users/42?x=1", &[&echo(2, "/users/42", "")]);
    }

    #[test]
    fn one_ring_answers_all_who_wait() {
        let mut room = Room::default();
        check(&mut room, 1, "GET /handler/wait", &[]);
        check(&mut room, 2, "GET /handler/wait", &[]);
        let rung = [r#"s[1, 2] 200 {"message":"tea","shared_by":2}"#, r#"200 {"answered":2}"#];
        check(&mut room, 3, "POST /handler/ring tea", &rung);
        check(&mut room, 3, "POST /handler/ring tea", &[r#"200 {"answered":0}"#]);
    }

    #[test]
    fn who_watches_hears_of_each_change() {
        let mut room = Room::default();
        check(&mut room, 9, "GET /handler/count", &[r#"200 {"waiting":0}"#]);
        check(&mut room, 9, "GET /handler/count?seen=0", &[]);
        check(&mut room, 1, "GET /handler/wait", &[r#"s[9] 200 {"waiting":1}"#]);
        check(&mut room, 9, "GET /handler/count?seen=1", &[]);
        check(&mut room, 1, GONE, &[r#"s[9] 200 {"waiting":0}"#]);
        check(&mut room, 9, "GET /handler/count?seen=1", &[r#"200 {"waiting":0}"#]);
    }

    #[test]
    fn who_leaves_is_answered_no_more() {
        let mut room = Room::default();
        check(&mut room, 1, "GET /handler/wait", &[]);
        check(&mut room, 2, "GET /handler/count?seen=1", &[]);
        check(&mut room, 2, GONE, &[]);
        check(&mut room, 1, GONE, &[]);
        check(&mut room, 3, "POST /handler/ring x", &[r#"200 {"answered":0}"#]);
    }

    #[test]
    fn the_wrong_method_is_told_the_right_one() {
        let mut room = Room::default();
        check(&mut room, 1, "HEAD /handler/wait", &[r#"405GET {"error":"this takes GET only"}"#]);
        check(&mut room, 1, "GET /handler/ring", &[r#"405POST {"error":"this takes POST only"}"#]);
    }

    #[test]
    fn nobody_waits_in_a_closed_room() {
        let mut room = Room::default();
        check(&mut room, 1, "GET /handler/wait", &[]);
        check(&mut room, 2, "GET /handler/count?seen=1", &[]);
        let told: Vec<String> = room.close().iter().map(told).collect();
        assert_eq!(told, [r#"s[1, 2] 503 {"error":"the demo is ending"}"#]);
        check(&mut room, 1, "GET /handler/wait", &[r#"503 {"error":"the demo is ending"}"#]);
    }
}
