//! A case that is being tried on a host: what it asks, and what it hears of the application.

use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::app::host::{Host, header};
use crate::check::{Problem, Verdict, equal};
use crate::client::{Answer, Client, Socket};

/// Between two questions of what has been said.
const PAUSE: Duration = Duration::from_millis(10);

/// A run.
pub(super) struct Run<'a> {
    pub(super) host: &'a Host,
    name: String,
}

impl<'a> Run<'a> {
    pub(super) fn of(host: &'a Host) -> Self {
        Self { host, name: Uuid::new_v4().simple().to_string() }
    }

    /// A path with the run's name.
    pub(super) fn path(&self, path: &str) -> String {
        format!("{path}?run={}", self.name)
    }

    /// A connection.
    pub(super) fn client(&self) -> Verdict<Client> {
        Client::connect(self.host.address, self.host.patience)
    }

    /// Sends a request, to be the connection's last, and takes the answer, behind which nothing comes.
    pub(super) fn ask(&self, line: &str, headers: &str, body: impl AsRef<[u8]>) -> Verdict<Answer> {
        self.ask_or_end(line, headers, body)?.ok_or_else(|| Problem::wrong("the connection ends without an answer"))
    }

    /// The same of a connection that may end before any answer.
    pub(super) fn ask_or_end(&self, line: &str, headers: &str, body: impl AsRef<[u8]>) -> Verdict<Option<Answer>> {
        let (mut client, body) = (self.client()?, body.as_ref());
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        client.send(format!("{line}\r\nHost: localhost\r\nConnection: close\r\n{length}{headers}\r\n"))?;
        // An answer may come before all of the body has gone.
        let _ = client.send(body);
        let answer = client.answer_or_end(line.starts_with("HEAD "))?;
        client.is_closed()?;
        answer.as_ref().map_or(Ok(()), |answer| is_there(line, answer.status))?;
        Ok(answer)
    }

    /// Asks with GET.
    pub(super) fn get(&self, path: &str) -> Verdict<Answer> {
        self.ask(&format!("GET {path} HTTP/1.1"), "", "")
    }

    /// Sends a request, and takes the head of the answer: its lines.
    pub(super) fn begin(&self, line: &str) -> Verdict<(Client, Vec<String>)> {
        let mut client = self.client()?;
        client.send(format!("{line}\r\nHost: localhost\r\n\r\n"))?;
        let mut lines = Vec::new();
        loop {
            let next = String::from_utf8_lossy(&client.until(b'\n')?).trim_end_matches('\r').to_owned();
            if next.is_empty() {
                break;
            }
            lines.push(next);
        }
        let status = lines.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        is_there(line, status.ok_or_else(|| Problem::wrong(format!("{lines:?} is no head of an answer")))?)?;
        Ok((client, lines))
    }

    /// A WebSocket.
    pub(super) fn socket(&self) -> Verdict<Socket> {
        let path = self.path("/ws");
        // Asked in the ordinary way first, which tells whether there is such a path.
        self.get("/ws")?;
        let mut client = self.client()?;
        Socket::ask(&mut client, &path)?;
        let (socket, answer) = Socket::accepted(client)?;
        equal("`sec-websocket-protocol`", header(&answer, "sec-websocket-protocol")?, Some("sample"))?;
        Ok(socket)
    }

    /// Waits until the application has said this.
    pub(super) fn hears(&self, what: &str) -> Verdict {
        let path = format!("{}&what={what}", self.path("/said"));
        let said = self.patient(&path, |said| said.lines().any(|line| line == what))?;
        said.map_err(|said| Problem::wrong(format!("the application doesn't say `{what}`; what it said: {said:?}")))?;
        Ok(())
    }

    /// Waits until the events around the application have told how a request of the run has ended, and gives that.
    pub(super) fn end(&self) -> Verdict<String> {
        let ended = self.patient(&self.path("/ended"), |ended| !ended.is_empty())?;
        let ended = ended.map_err(|_| Problem::wrong("the request doesn't end for the events around it"))?;
        Ok(ended.trim_end().to_owned())
    }

    /// Lets what waits go on.
    pub(super) fn go(&self) -> Verdict {
        self.get(&self.path("/go"))?.expect(200, "gone\n")
    }

    /// Asks again and again until the answer is good, which is given; else the last one.
    fn patient(&self, path: &str, is_good: impl Fn(&str) -> bool) -> Verdict<Result<String, String>> {
        let began = Instant::now();
        loop {
            let answer = self.get(path)?;
            answer.expect(200, &answer.body)?;
            let text = answer.text();
            if is_good(&text) {
                return Ok(Ok(text));
            }
            if began.elapsed() > self.host.patience {
                return Ok(Err(text));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// That an application has what was asked for.
fn is_there(line: &str, status: u16) -> Verdict {
    if status != 404 {
        return Ok(());
    }
    let path = line.split([' ', '?']).nth(1).unwrap_or_default();
    Err(Problem::Missing(format!("the application has no `{path}`")))
}
