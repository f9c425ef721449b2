//! The shortest application: what comes goes back.  The manual shows it.
//!
//! `cargo run -p mongrel2 --features app --example echo`, for a server whose `send_spec` is port 9997, and whose
//! `recv_spec` 9996.

use mongrel2::app::{AppError, Request, Response};

#[tokio::main]
async fn main() -> Result<(), AppError> {
    mongrel2::app::handler::serve(echo, "echo", "tcp://127.0.0.1:9997", "tcp://127.0.0.1:9996").await?;
    Ok(())
}

async fn echo(mut request: Request, mut response: Response) -> Result<(), AppError> {
    response.write_head(200, [("content-type", "text/plain")]).await?;
    while let Some(bytes) = request.body().next().await? {
        response.write(bytes).await?;
    }
    Ok(response.finish().await?)
}
