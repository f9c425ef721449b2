//! An application that does what applications do, good and bad.

use std::sync::Arc;
use std::time::Duration;

use mongrel2::app::layers::{Events, Filter, Layers, Next, OnEnd};
use mongrel2::app::{AppError, Application, Message, Request, Response, WriteError};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

/// What a test hears of, and what it can tell.
#[derive(Clone)]
pub(super) struct Ears {
    /// What the application and the events around it say.
    pub(super) said: UnboundedSender<String>,
    /// Lets `/wait` go on.
    pub(super) go: Arc<Notify>,
}

/// The application with its layers.
pub(super) fn sample(ears: Ears) -> impl Application {
    Layers::new().events(Ends(ears.clone())).filter(Thrower).around(Sample(ears))
}

/// Says how requests end that ask for it.
struct Ends(Ears);

impl Events for Ends {
    fn request_starts(&self, request: &mut Request) -> Option<OnEnd> {
        let (said, path) = (self.0.said.clone(), request.uri().path().to_owned());
        let tells = request.uri().query() == Some("tell");
        tells.then(|| Box::new(move |outcome: &_| drop(said.send(format!("{path}: {outcome:?}")))) as OnEnd)
    }
}

/// A filter that fails for some.
struct Thrower;

impl Filter for Thrower {
    async fn filter(&self, request: Request, response: Response, next: Next<'_>) -> Result<(), AppError> {
        match request.uri().path() {
            "/filter/error" => Err("thrown by a filter".into()),
            "/filter/panic" => panic!("on purpose, by a filter"),
            _ => next.call(request, response).await,
        }
    }
}

struct Sample(Ears);

impl Application for Sample {
    async fn call(&self, mut request: Request, mut response: Response) -> Result<(), AppError> {
        match request.uri().path().to_owned().as_str() {
            "/hello" => Ok(response.send(200, [("content-type", "text/plain")], "Hello\n").await?),
            "/about" => about(request, response).await,
            "/pieces" => {
                response.write_head(200, ()).await?;
                for piece in ["one ", "", "two ", "three"] {
                    response.write(piece).await?;
                }
                Ok(response.finish().await?)
            }
            "/none" => {
                response.write_head(204, ()).await?;
                Ok(response.finish().await?)
            }
            "/echo" => echo(request, response).await,
            "/count" => {
                let mut count = 0;
                while let Some(bytes) = request.body().next().await? {
                    count += bytes.len();
                }
                Ok(response.send(200, (), format!("{count}")).await?)
            }
            "/refuse" => Ok(response.send(403, (), "no\n").await?),
            "/large" => large(request, response).await,
            "/misuse" => misuse(response).await,
            "/error" => Err("secret".into()),
            "/panic" => panic!("secret, on purpose"),
            "/forget" => Ok(()),
            "/late/error" => {
                response.write_head(200, ()).await?;
                response.write("a part").await?;
                Err("secret".into())
            }
            "/late/panic" => {
                response.write_head(200, ()).await?;
                response.write("a part").await?;
                panic!("secret, on purpose")
            }
            "/late/short" => {
                response.write_head(200, [("content-length", "100")]).await?;
                response.write("a part").await?;
                Ok(response.finish().await?)
            }
            "/late/wait" => {
                response.write_head(200, ()).await?;
                response.write("a part").await?;
                self.0.go.notified().await;
                Err("secret".into())
            }
            "/late/never" => {
                response.write_head(200, ()).await?;
                response.write("a part").await?;
                self.0.said.send("never".into())?;
                std::future::pending().await
            }
            "/wait" => {
                self.0.said.send("waiting".into())?;
                self.0.go.notified().await;
                Ok(response.send(200, (), "at last").await?)
            }
            "/never" => std::future::pending().await,
            "/events" => self.events(response).await,
            "/body" => self.body(request).await,
            "/ws" => self.chat(request, response).await,
            _ => Ok(response.send(404, (), "").await?),
        }
    }
}

impl Sample {
    /// Server-sent events, for as long as somebody listens.
    async fn events(&self, mut response: Response) -> Result<(), AppError> {
        response.write_head(200, [("content-type", "text/event-stream")]).await?;
        for number in 0.. {
            match response.write(format!("data: {number}\n\n")).await {
                Ok(()) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) => {
                    self.0.said.send(format!("events: {error}"))?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Reads a body that may not end, and says how it did.
    async fn body(&self, mut request: Request) -> Result<(), AppError> {
        self.0.said.send("reading".into())?;
        loop {
            match request.body().next().await {
                Ok(Some(_)) => {}
                Ok(None) => self.0.said.send("body: whole".into())?,
                Err(error) => {
                    self.0.said.send(format!("body: {error}"))?;
                    return Ok(());
                }
            }
        }
    }

    async fn chat(&self, request: Request, mut response: Response) -> Result<(), AppError> {
        if !request.is_websocket() {
            let refused = response.accept(()).await.expect_err("nobody has asked");
            return Ok(response.send(426, (), refused.to_string()).await?);
        }
        let mut socket = response.accept([("sec-websocket-protocol", "sample")]).await?;
        loop {
            match socket.recv().await {
                Ok(Some(Message::Text(text))) if text == "close" => return Ok(socket.close(4000, "bye").await?),
                Ok(Some(Message::Text(text))) if text == "drop" => return Ok(()),
                Ok(Some(Message::Text(text))) if text == "panic" => panic!("on purpose"),
                Ok(Some(message)) => socket.send(message).await?,
                Ok(None) => return Ok(self.0.said.send("socket: closed".into())?),
                Err(error) => return Ok(self.0.said.send(format!("socket: {error}"))?),
            }
        }
    }
}

async fn about(mut request: Request, mut response: Response) -> Result<(), AppError> {
    let body = request.body().collect(100).await?;
    let headers = ["x-a", "cookie"].map(|name| {
        request.headers().get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect::<Vec<_>>().join("+")
    });
    let text = format!(
        "{} {} {:?} {} {} {headers:?} {}",
        request.method(),
        request.uri(),
        request.version(),
        request.scheme(),
        request.remote(),
        String::from_utf8_lossy(&body),
    );
    Ok(response.send(200, (), text).await?)
}

/// What comes goes back, while it comes.
async fn echo(mut request: Request, mut response: Response) -> Result<(), AppError> {
    response.write_head(200, ()).await?;
    while let Some(bytes) = request.body().next().await? {
        response.write(bytes).await?;
    }
    Ok(response.finish().await?)
}

/// As many bytes as the query says, in pieces of 64 KiB.
async fn large(request: Request, mut response: Response) -> Result<(), AppError> {
    const PIECE: usize = 64 * 1024;
    let size: usize = request.uri().query().unwrap_or_default().parse()?;
    response.write_head(200, [("content-length", size.to_string())]).await?;
    let piece = bytes::Bytes::from(vec![b'x'; PIECE]);
    let mut left = size;
    while left > 0 {
        let now = left.min(PIECE);
        response.write(piece.slice(..now)).await?;
        left -= now;
    }
    Ok(response.finish().await?)
}

/// Everything in the wrong order; nothing of it reaches the client.
async fn misuse(mut response: Response) -> Result<(), AppError> {
    assert_eq!(response.write("early").await, Err(WriteError::NoHead));
    assert_eq!(response.finish().await, Err(WriteError::NoHead));
    response.write_head(200, [("content-length", "4")]).await?;
    assert_eq!(response.write_head(500, ()).await, Err(WriteError::SecondHead));
    response.write("fi").await?;
    assert_eq!(response.write("too much").await, Err(WriteError::TooMany { left: 2, given: 8 }));
    assert_eq!(response.finish().await, Err(WriteError::TooFew(2)));
    response.write("ne").await?;
    response.finish().await?;
    assert_eq!(response.write("late").await, Err(WriteError::Finished));
    assert_eq!(response.finish().await, Err(WriteError::Finished));
    Ok(())
}
