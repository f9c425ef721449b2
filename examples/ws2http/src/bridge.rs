//! The bridge's own port, where backends POST what is to be sent, and ask who is there.
//!
//! Pages in browsers can reach a port of this machine, too, but not without saying where they are from: they get nothing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Method};
use mongrel2::app::{AppError, Application, Body, BodyError, Request, Response};
use tokio::sync::Semaphore;

use crate::order::{self, Order, OrderError, To};
use crate::sockets::Sockets;
use crate::token::Token;

/// The longest form: all bytes of the longest message percent-encoded, and the names of many sockets.
const LONGEST_FORM: usize = 3 * order::LONGEST + 512 * 1024;

/// How long a form may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many forms may come at the same time; others wait, unread.
const FORMS: usize = 64;

/// What answers backends.
pub(crate) struct Bridge {
    sockets: Arc<Sockets>,
    token: Option<Token>,
    places: Semaphore,
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, text: text.into() + "\n" }
    }
}

impl Application for Bridge {
    fn call(&self, request: Request, response: Response) -> impl Future<Output = Result<(), AppError>> + Send {
        self.answer(request, response)
    }
}

impl Bridge {
    /// One that sends to sockets, for backends that show a token if there is one.
    pub(crate) fn new(sockets: Arc<Sockets>, token: Option<Token>) -> Self {
        Self { sockets, token, places: Semaphore::new(FORMS) }
    }

    /// Answers a request.
    ///
    /// # Errors
    /// Who has asked has left.
    async fn answer(&self, request: Request, mut response: Response) -> Result<(), AppError> {
        let answer = match self.refuse(&request) {
            Some(refusal) => refusal,
            None if request.method() == Method::POST => self.take(request).await,
            None => self.list(request.uri().query().unwrap_or_default()),
        };
        let mut headers = vec![("content-type", "text/plain")];
        match answer.status {
            401 => headers.push(("www-authenticate", "Bearer")),
            405 => headers.push(("allow", "GET, POST")),
            _ => {}
        }
        Ok(response.send(answer.status, &headers[..], answer.text).await?)
    }

    fn refuse(&self, request: &Request) -> Option<Answer> {
        let headers = request.headers();
        if headers.contains_key(ORIGIN) {
            return Some(Answer::new(403, "this is not for pages"));
        }
        match &self.token {
            Some(token) if token.is_shown(headers.get(AUTHORIZATION)) => {}
            Some(_) => return Some(Answer::new(401, "the token is missing, or another one")),
            None if asks_for_address(headers) => {}
            None => return Some(Answer::new(403, "without a token this is to be asked for by its address")),
        }
        match *request.method() {
            _ if request.uri().path() != "/" => Some(Answer::new(404, "there is only `/`")),
            Method::POST if !is_form(headers) => Some(Answer::new(415, "a form is application/x-www-form-urlencoded")),
            Method::POST if length(headers) > LONGEST_FORM as u64 => Some(too_long()),
            Method::POST | Method::GET => None,
            _ => Some(Answer::new(405, "POST sends, GET tells who is there")),
        }
    }

    async fn take(&self, mut request: Request) -> Answer {
        let _place = self.places.acquire().await.expect("it is never closed");
        match tokio::time::timeout(PATIENCE, form(request.body())).await {
            Ok(Ok(form)) => self.deliver(&form),
            Ok(Err(BodyError::TooLong(_))) => too_long(),
            Ok(Err(_)) => Answer::new(400, "the form has broken off"),
            Err(_) => Answer::new(408, "the form takes too long"),
        }
    }

    fn deliver(&self, form: &[u8]) -> Answer {
        let order = match Order::parse(form) {
            Ok(order) => order,
            Err(error @ OrderError::Long) => return Answer::new(413, error.to_string()),
            Err(error) => return Answer::new(400, error.to_string()),
        };
        match (self.sockets.deliver(&order), order.to) {
            (0, To::One(_)) => Answer::new(404, "there is no such socket"),
            (taken, _) => Answer::new(200, taken.to_string()),
        }
    }

    fn list(&self, query: &str) -> Answer {
        match order::uri(query) {
            Ok(uri) => {
                let lines = self.sockets.at(&uri).iter().map(|id| format!("{id}\n")).collect();
                Answer { status: 200, text: lines }
            }
            Err(error) => Answer::new(400, error.to_string()),
        }
    }
}

/// Whether the host that is asked for is an address, or `localhost`.  A page may have had its own name lead here; then
/// what it asks for is no other site to its browser, which says no origin with a GET.
fn asks_for_address(headers: &HeaderMap) -> bool {
    let authority = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let host = authority.host().trim_matches(['[', ']']);
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
    })
}

async fn form(body: &mut Body) -> Result<Vec<u8>, BodyError> {
    body.collect(LONGEST_FORM).await
}

fn too_long() -> Answer {
    Answer::new(413, format!("a form has at most {LONGEST_FORM} bytes"))
}

/// How long the form is said to be.
fn length(headers: &HeaderMap) -> u64 {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or_default()
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_with_a_name_of_their_own_are_not_asking_for_an_address() {
        for (host, expected) in [
            ("127.0.0.1:6780", true),
            ("127.0.0.1", true),
            ("[::1]:6780", true),
            ("LOCALHOST:6780", true),
            ("evil.example:6780", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
            assert_eq!(asks_for_address(&headers), expected, "{host}");
        }
        assert!(!asks_for_address(&HeaderMap::new()));
    }

    #[test]
    fn what_is_a_form() {
        let form = "application/x-www-form-urlencoded";
        for (kind, expected) in [
            (form, true),
            (&form.to_uppercase(), true),
            (&format!("{form}; charset=UTF-8"), true),
            ("multipart/form-data", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            assert_eq!(is_form(&headers), expected, "{kind}");
        }
    }
}
