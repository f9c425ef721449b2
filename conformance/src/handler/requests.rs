//! What a library understands of what comes, which the handler tells in reply to `/request`.

use mongrel2::config::Protocol;
use serde_json::{Value, json};

use super::message::{Message, UUID, json as parsed};
use super::subject::Subject;
use super::{BYTES, Plain, Spoken};
use crate::case::Case;
use crate::check::{Problem, Verdict, equal, holds};

const SPOKEN: &[Spoken] = &[
    ("get", "Server, id, path, method and headers are those of the message.", get),
    ("post", "A body has all its bytes.", post),
    ("repeated", "Of a header that came several times all values are there, in their order.", repeated),
    ("names", "Names of headers are only names, and a client's `method` is not the server's `METHOD`.", names),
    ("text", "A value with quotes, backslashes, control characters and UTF-8 is that text.", text),
    ("bytes", "A value that is no UTF-8 keeps nobody from answering.", bytes),
    ("news", "Names of the server's that nobody knows yet change nothing.", news),
    ("websocket", "The message of a WebSocket has its flags.", websocket),
    ("socket", "The message of a JSON socket is the value that the client has sent.", socket),
];

const PLAIN: &[Plain] = &[
    ("latin", "A byte that is no UTF-8 comes in JSON as the character of that number.", latin),
    ("nesting", "A message of a JSON socket that nests deep ends no handler.", nesting),
    ("broken", "A message of a JSON socket that is no JSON ends no handler.", broken),
];

pub(super) fn cases() -> Vec<Case<Subject>> {
    let plain = super::plain("requests", "protocol.md, 3", PLAIN);
    super::spoken("requests", "protocol.md, 3", SPOKEN).into_iter().chain(plain).collect()
}

/// What the handler has understood.
struct Understood(Value);

impl Understood {
    fn of(subject: &Subject, message: &Message<'_>) -> Verdict<Self> {
        parsed(&subject.ask(message)?).map(Self)
    }

    fn is(&self, name: &str, wanted: &Value) -> Verdict {
        equal(format!("`{name}`"), &self.0[name], wanted)
    }

    fn header(&self, name: &str, wanted: &str) -> Verdict {
        equal(format!("the header `{name}`"), &self.0["headers"][name], &json!(wanted))
    }

    /// A list, or joined in one of these ways.
    fn headers(&self, name: &str, wanted: &[&str], joined: &[&str]) -> Verdict {
        let found = &self.0["headers"][name];
        let is_good = *found == json!(wanted) || joined.iter().any(|comma| *found == json!(wanted.join(comma)));
        holds(is_good, || format!("the header `{name}` is {found}, wanted {wanted:?}"))
    }
}

fn get(subject: &Subject, protocol: Protocol) -> Verdict {
    let message = Message::get("/request").with(protocol).id(4711).server("QUERY", "a=b%20c").header("x-a", "1");
    let found = Understood::of(subject, &message)?;
    found.is("server", &json!(UUID))?;
    // Some languages have no numbers for all ids.
    let id = &found.0["id"];
    holds(*id == json!("4711") || *id == json!(4711), || format!("`id` is {id}, wanted 4711"))?;
    found.is("path", &json!("/request"))?;
    found.is("method", &json!("GET"))?;
    found.is("bytes", &json!(0))?;
    [("METHOD", "GET"), ("QUERY", "a=b%20c"), ("PATH", "/request"), ("x-a", "1")]
        .into_iter()
        .try_for_each(|(name, value)| found.header(name, value))
}

fn post(subject: &Subject, protocol: Protocol) -> Verdict {
    let found = Understood::of(subject, &Message::post("/request", &BYTES).with(protocol))?;
    found.is("method", &json!("POST"))?;
    found.is("bytes", &json!(256))
}

fn repeated(subject: &Subject, protocol: Protocol) -> Verdict {
    let message = Message::get("/request").with(protocol).header("cookie", "a=1").header("x-a", "one");
    let found = Understood::of(subject, &message.header("cookie", "b=2").header("x-a", "two"))?;
    found.headers("cookie", &["a=1", "b=2"], &["; "])?;
    found.headers("x-a", &["one", "two"], &[", ", ","])
}

fn names(subject: &Subject, protocol: Protocol) -> Verdict {
    let names = ["method", "path", "__proto__", "constructor", "7", "length"];
    let message =
        names.iter().fold(Message::get("/request").with(protocol), |message, name| message.header(name, name));
    let found = Understood::of(subject, &message)?;
    found.is("method", &json!("GET"))?;
    found.is("path", &json!("/request"))?;
    names.into_iter().try_for_each(|name| found.header(name, name))
}

fn text(subject: &Subject, protocol: Protocol) -> Verdict {
    let value = "\"grün\" \\ 緑\t🟢\u{1}\u{7f}'{}[],:";
    Understood::of(subject, &Message::get("/request").with(protocol).header("x-a", value))?.header("x-a", value)
}

fn bytes(subject: &Subject, protocol: Protocol) -> Verdict {
    let found = Understood::of(subject, &Message::get("/request").with(protocol).header("x-a", b"gr\xfcn \xff\0"))?;
    let value = &found.0["headers"]["x-a"];
    holds(value.is_string(), || format!("the header `x-a` is {value}, wanted a text"))
}

fn latin(subject: &Subject) -> Verdict {
    Understood::of(subject, &Message::get("/request").header("x-a", b"gr\xfcn"))?.header("x-a", "grün")
}

fn news(subject: &Subject, protocol: Protocol) -> Verdict {
    let message = Message::get("/request").with(protocol).server("SOMETHING_NEW", "7").header("x-a", "1");
    let found = Understood::of(subject, &message)?;
    found.is("method", &json!("GET"))?;
    found.header("x-a", "1")
}

fn websocket(subject: &Subject, protocol: Protocol) -> Verdict {
    let message = Message::of("WEBSOCKET", "/request", "grün").with(protocol).header("host", "x");
    let found = Understood::of(subject, &message.server("FLAGS", "0x81"))?;
    found.is("method", &json!("WEBSOCKET"))?;
    found.is("bytes", &json!(5))?;
    found.header("FLAGS", "0x81")
}

fn socket(subject: &Subject, protocol: Protocol) -> Verdict {
    let values = [
        json!({"a": [1, -2, 0.5, true, false, null, "grün, 緑, 🟢 \"\\\n/"], "": {"b": {}}}),
        json!([]),
        json!("text"),
        json!(null),
        json!(0),
        json!({"__proto__": 1, "type": "join"}),
        json!({"\0a": [1], "b": {"\0": "c"}}),
    ];
    values.iter().try_for_each(|value| {
        let found = subject.ask(&Message::of("JSON", "@json", &value.to_string()).with(protocol))?;
        equal("what the client gets", &parsed(&found)?, value)
    })
}

fn nesting(subject: &Subject) -> Verdict {
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    subject.survives(&Message::of("JSON", "@json", &deep), &[deep.as_bytes()])
}

fn broken(subject: &Subject) -> Verdict {
    ["", "{", "{\"a\":}", "nonsense", "\u{feff}{}", "[1,]"].into_iter().try_for_each(|body| {
        let message = Message::of("JSON", "@json", body);
        // Whoever reads more than JSON has it as something: what that is nobody has promised.
        let lenient: [&[u8]; 4] = [b"{}", b"[1]", b"null", b"[1,null]"];
        subject.survives(&message, &lenient).map_err(|problem: Problem| problem.when(format!("`{body}`")))
    })
}
