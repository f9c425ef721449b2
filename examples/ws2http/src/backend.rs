//! A backend: one HTTP request, one answer, both within bounds.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, SEC_WEBSOCKET_PROTOCOL};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::token::Token;

/// How much of an answer is read.  Nobody wants it, but a connection serves again only behind it.
const LONGEST_ANSWER: usize = 64 * 1024;

/// How long the head of an answer may be.
const LONGEST_HEAD: usize = 64 * 1024;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection waits for the next event.
const REST: Duration = Duration::from_secs(5);

/// What asks backends.
#[derive(Debug)]
pub(crate) struct Asker {
    client: Client<HttpConnector, Full<Bytes>>,
    token: Option<Token>,
    timeout: Duration,
}

/// A backend.
#[derive(Debug)]
pub(crate) struct Backend {
    url: Uri,
    places: Arc<Semaphore>,
    asker: Arc<Asker>,
}

/// An answer, as far as anybody wants to know.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The subprotocol that it chooses.
    pub(crate) protocol: Option<HeaderValue>,
}

/// Why there is no answer; fits after "cannot …:".
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// It has taken too long.
    #[error("there was no whole answer within {0:?}")]
    Timeout(Duration),
    /// The request didn't get there, or its answer not back.
    #[error("{0}")]
    Client(String),
    /// It has begun and not ended.
    #[error("the answer has broken off: {0}")]
    Cut(String),
}

impl Asker {
    /// Asks with a token, or without, and gives up after a time.
    pub(crate) fn new(token: Option<Token>, timeout: Duration, at_a_time: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT.min(timeout)));
        connector.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(REST).pool_max_idle_per_host(at_a_time);
        let client = builder.http1_max_buf_size(LONGEST_HEAD).build(connector);
        Self { client, token, timeout }
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answer, Fault> {
        let answer = self.client.request(request).await.map_err(|error| Fault::Client(cause(&error)))?;
        let (status, protocol) = (answer.status(), answer.headers().get(SEC_WEBSOCKET_PROTOCOL).cloned());
        read(answer).await?;
        Ok(Answer { status, protocol })
    }
}

impl Backend {
    /// The one with that URL; it shares its `places` with all that have the same host and port.
    pub(crate) fn new(url: Uri, places: Arc<Semaphore>, asker: Arc<Asker>) -> Self {
        Self { url, places, asker }
    }

    /// How logs call it: the query may be a secret.
    pub(crate) fn name(&self) -> String {
        format!("http://{}{}", self.url.authority().map_or("", Authority::as_str), self.url.path())
    }

    /// Tells it something, when it is its turn, and gives its answer.
    ///
    /// # Errors
    /// There is no whole answer.
    pub(crate) async fn post(&self, headers: &HeaderMap, form: Bytes) -> Result<Answer, Fault> {
        let _place = self.places.acquire().await.expect("it is never closed");
        let asked = tokio::time::timeout(self.asker.timeout, self.asker.ask(self.request(headers, form)));
        asked.await.unwrap_or(Err(Fault::Timeout(self.asker.timeout)))
    }

    fn request(&self, headers: &HeaderMap, form: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(form));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = headers.clone();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        if let Some(token) = &self.asker.token {
            request.headers_mut().insert(AUTHORIZATION, token.header());
        }
        request
    }
}

/// Reads an answer to its end, or as far as it is worth it: what is longer is left, and its connection closed.
async fn read(mut answer: Response<Incoming>) -> Result<(), Fault> {
    let mut left = LONGEST_ANSWER;
    while let Some(frame) = answer.body_mut().frame().await {
        let frame = frame.map_err(|error| Fault::Cut(cause(&error)))?;
        let size = frame.data_ref().map_or(0, Bytes::len);
        let Some(less) = left.checked_sub(size) else { break };
        left = less;
    }
    Ok(())
}

/// The innermost reason, which says most.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let innermost = std::iter::successors(Some(error), |error| error.source()).last();
    innermost.unwrap_or(error).to_string()
}
