//! Files on their way to the client.

use super::answer::Answer;
use super::request::Request;
use super::{Connection, Outcome};
use crate::site::Site;
use crate::target::directory::{self, Directory, Served};

/// Files up to this size are written together with their head.
const SMALL_FILE: u64 = 64 * 1024;

impl Connection {
    pub(super) async fn file(&mut self, request: &Request, site: &Site, directory: &Directory, rest: &[u8]) -> Outcome {
        if !matches!(request.method(), b"GET" | b"HEAD") {
            return self.error(request, 405).await;
        }
        let served = match directory.find(rest) {
            Ok(directory::Found::File(served)) => served,
            Ok(directory::Found::Slash) => return self.redirect_to_slash(request).await,
            // Nothing writes listings yet.
            Ok(directory::Found::Nothing | directory::Found::Folder) => return self.error(request, 404).await,
            Ok(directory::Found::Forbidden) => return self.error(request, 403).await,
            Ok(directory::Found::Malformed) => return self.error(request, 400).await,
            Err(error) => {
                tracing::error!("cannot serve `{}`: {error}", request.path().escape_ascii());
                return self.error(request, 500).await;
            }
        };
        let unchanged = served.is_unchanged(request.header("if-none-match"), request.header("if-modified-since"));
        let mut answer = self
            .answer(if unchanged { 304 } else { 200 })
            .header("Last-Modified", httpdate::fmt_http_date(served.modified))
            .header("ETag", &served.etag);
        if !directory.cache_ttl.is_zero() {
            answer = answer.header("Cache-Control", format_args!("max-age={}", directory.cache_ttl.as_secs()));
        }
        if unchanged {
            return self.send(request, answer, b"").await;
        }
        let fallback = match directory.default_ctype.as_str() {
            "" => "application/octet-stream",
            default => default,
        };
        let answer = answer
            .header("Content-Type", site.mimetype(&served.extension).unwrap_or(fallback))
            .header("Content-Length", served.size);
        self.send_file(request, answer, &served).await
    }

    async fn send_file(&mut self, request: &Request, answer: Answer, served: &Served) -> Outcome {
        if request.is_head() {
            return self.send(request, answer, b"").await;
        }
        let sent = if served.size <= SMALL_FILE {
            self.stream.write_with_file(answer.finish(request.persistence()), served).await
        } else {
            self.stream.write_and_send_file(&answer.finish(request.persistence()), served).await
        };
        match sent {
            Ok(()) => Outcome::new(200, served.size, request.head.keep_alive),
            Err(error) => {
                // The client left, or the file became shorter; either way the promised length can't be kept.
                tracing::debug!("cannot send `{}`: {error}", request.path().escape_ascii());
                Outcome::new(200, 0, false)
            }
        }
    }
}
