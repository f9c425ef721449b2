//! HTTP in the clear that comes where TLS is expected: nothing is served, but who asks is told where to go.

use std::sync::Arc;

use super::request::{Manner, Refusal, Request};
use super::stream::Incoming;
use super::{After, Connection, Outcome, asked};
use crate::site::{Host, Site};
use crate::statistics::{Begun, Place};

impl Connection {
    /// Answers once, and closes.
    pub(super) async fn answer_in_the_clear(&mut self) -> After {
        let site = self.worker.site();
        let said = self.stream.take_rest();
        let refusal = match self.stream.read_head(said, &site.settings).await {
            Ok(Incoming::Request(request)) => {
                let host = Arc::clone(site.host(request.host()));
                let begun = Begun::now(host.place);
                let outcome = self.send_to_tls(&request, &site, &host).await;
                self.record(&host, begun, self.worker.keeps_log().then(|| asked(&request, &site)), &outcome);
                return After::Close;
            }
            Ok(Incoming::Messages(_)) => {
                Refusal::Bad { status: 400, reason: "it speaks in the clear where TLS is expected".into() }
            }
            Err(refusal) => refusal,
        };
        self.refuse(refusal, site.default_host(), Begun::now(Place::NOWHERE)).await;
        After::Close
    }

    async fn send_to_tls(&mut self, request: &Request, site: &Site, host: &Host) -> Outcome {
        let manner = Manner { keep_alive: false, ..request.manner() };
        let port = site.terms.as_ref().map(|terms| terms.port());
        match (request.method(), request.host().zip(port)) {
            (b"GET" | b"HEAD", Some((name, port))) => {
                let location = location(name, port, request.path(), request.query());
                let answer = self.answer(301).header("Location", location).header("Content-Length", 0);
                self.send(manner, answer, b"").await
            }
            _ => self.error_of(manner, 400, host).await,
        }
    }
}

/// The same over TLS.
fn location(host: &[u8], port: u16, path: &[u8], query: Option<&[u8]>) -> String {
    let [host, path] = [host, path].map(String::from_utf8_lossy);
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let query = query.map_or_else(String::new, |query| format!("?{}", String::from_utf8_lossy(query)));
    format!("https://{host}{port}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        assert_eq!(location(b"example.com", 443, b"/a", Some(b"b=c")), "https://example.com/a?b=c");
        assert_eq!(location(b"[::1]", 6443, b"/", None), "https://[::1]:6443/");
    }
}
