//! What goes well: a request is looked at, and answered.

use bytes::Bytes;
use mongrel2::app::{AppError, Request, Response};

use super::board::Run;

/// The longest body that `/about` takes.
const MAX_BODY: usize = 100;

/// What is written at a time of much.
const PIECE: usize = 64 * 1024;

/// A request in words.
pub(super) async fn about(mut request: Request, mut response: Response) -> Result<(), AppError> {
    let body = request.body().collect(MAX_BODY).await?;
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

/// A body that comes in pieces; in answer to HEAD there is none.
pub(super) async fn pieces(mut response: Response) -> Result<(), AppError> {
    response.write_head(200, ()).await?;
    let pieces: &[&str] = if response.is_head() { &[] } else { &["one ", "", "two ", "three"] };
    for piece in pieces {
        response.write(*piece).await?;
    }
    Ok(response.finish().await?)
}

/// What comes goes back, while it comes.
pub(super) async fn echo(mut request: Request, mut response: Response) -> Result<(), AppError> {
    response.write_head(200, ()).await?;
    while let Some(bytes) = request.body().next().await? {
        response.write(bytes).await?;
    }
    Ok(response.finish().await?)
}

/// How much comes.
pub(super) async fn count(mut request: Request, mut response: Response, run: &Run) -> Result<(), AppError> {
    run.said.push("counting".into());
    let mut count = 0;
    while let Some(bytes) = request.body().next().await? {
        count += bytes.len();
    }
    Ok(response.send(200, (), count.to_string()).await?)
}

/// As many bytes as the query says.
pub(super) async fn large(query: &str, mut response: Response) -> Result<(), AppError> {
    let size: usize = query.parse()?;
    response.write_head(200, [("content-length", size.to_string())]).await?;
    let piece = Bytes::from_static(&[b'x'; PIECE]);
    let mut left = size;
    while left > 0 {
        let now = left.min(PIECE);
        response.write(piece.slice(..now)).await?;
        left -= now;
    }
    Ok(response.finish().await?)
}
