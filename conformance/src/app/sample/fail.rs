//! What goes wrong: answers that break off, and parts of a response that come in an order that HTTP doesn't have.

use std::fmt::Debug;

use mongrel2::app::{AppError, Response, WriteError};

use super::board::Run;
use super::last::never;

/// An answer that breaks off behind its head.
pub(super) async fn late(how: &str, mut response: Response, run: &Run) -> Result<(), AppError> {
    match how {
        "short" => response.write_head(200, [("content-length", "100")]).await?,
        "error" | "panic" | "wait" | "never" => response.write_head(200, ()).await?,
        _ => return Ok(response.send(404, (), "").await?),
    }
    response.write("a part").await?;
    match how {
        "panic" => panic!("secret, on purpose"),
        "short" => return Ok(response.finish().await?),
        "wait" => run.go.notified().await,
        "never" => {
            run.said.push("never".into());
            never().await?;
        }
        _ => {}
    }
    Err("secret".into())
}

/// A mistake in an answer, which has to be refused, and then go well.
pub(super) async fn misuse(how: &str, mut response: Response, run: &Run) -> Result<(), AppError> {
    match how {
        "early" => {
            refused(response.write("early").await, WriteError::NoHead)?;
            refused(response.finish().await, WriteError::NoHead)?;
        }
        "heads" => {
            response.write_head(200, ()).await?;
            refused(response.write_head(500, ()).await, WriteError::SecondHead)?;
            response.write("fi").await?;
            refused(response.write_head(500, ()).await, WriteError::SecondHead)?;
            response.write("ne").await?;
            return Ok(response.finish().await?);
        }
        "long" => {
            response.write_head(200, [("content-length", "4")]).await?;
            response.write("fi").await?;
            refused(response.write("too much").await, WriteError::TooMany { left: 2, given: 8 })?;
            response.write("ne").await?;
            return Ok(response.finish().await?);
        }
        "short" => {
            response.write_head(200, [("content-length", "4")]).await?;
            response.write("fi").await?;
            refused(response.finish().await, WriteError::TooFew(2))?;
            response.write("ne").await?;
            return Ok(response.finish().await?);
        }
        "late" => {
            response.send(200, (), "fine").await?;
            refused(response.write("late").await, WriteError::Finished)?;
            refused(response.finish().await, WriteError::Finished)?;
            run.said.push("refused".into());
            return Ok(());
        }
        "body" => {
            response.write_head(204, ()).await?;
            refused(response.write("body").await, WriteError::NoBody)?;
            return Ok(response.finish().await?);
        }
        "header" => {
            let headers = [("x-a", "1\r\nx-b: 2")];
            refused(response.write_head(200, headers).await, WriteError::Header("x-a".into()))?;
        }
        _ => return Ok(response.send(404, (), "").await?),
    }
    Ok(response.send(200, (), "fine").await?)
}

/// That it was refused, and why.
fn refused<T: PartialEq + Debug>(found: Result<T, WriteError>, wanted: WriteError) -> Result<(), AppError> {
    if found.as_ref().err() == Some(&wanted) { Ok(()) } else { Err(format!("{found:?} instead of {wanted:?}").into()) }
}
