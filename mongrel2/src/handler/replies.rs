//! What both kinds of connection can send, said once: `replies!` gives a type the methods, blocking or async.
//!
//! All that they do is in `message`; a type has `send`, which takes messages one after the other.

/// Gives `$connection` the methods that send.
macro_rules! replies {
    ($connection:ident, [$($async:tt)*], [$($await:tt)*]) => {
        impl $connection {
            /// Sends bytes as they are to the client that asked.  Without any bytes: closes its connection.
            ///
            /// # Errors
            /// [`HandlerError::NoServer`] or [`HandlerError::Send`].
            pub $($async)* fn reply(&mut self, request: &Request, body: &[u8]) -> Result<(), HandlerError> {
                self.send([message::reply(request, body)])$($await)*
            }

            /// Sends a value as JSON to the client of a JSON socket that has sent a message.
            ///
            /// To answer an HTTP request there is [`reply_http_json`](Self::reply_http_json).
            ///
            /// # Errors
            /// [`HandlerError::Json`], then nothing is sent.  Those of [`reply`](Self::reply).
            pub $($async)* fn reply_json(
                &mut self,
                request: &Request,
                value: &(impl Serialize + ?Sized + Sync),
            ) -> Result<(), HandlerError> {
                self.send([message::reply(request, &message::json(value)?)])$($await)*
            }

            /// Answers with an HTTP response; `Content-Length` is added, and a HEAD request gets no body.
            ///
            /// # Errors
            /// [`HandlerError::Response`] if it can't be sent as it is meant; then nothing is sent.  Those of
            /// [`reply`](Self::reply).
            pub $($async)* fn reply_http(
                &mut self,
                request: &Request,
                status: u16,
                headers: &[(&str, &str)],
                body: &[u8],
            ) -> Result<(), HandlerError> {
                self.send([message::reply(request, &message::http(request, status, headers, body)?)])$($await)*
            }

            /// Answers with an HTTP response whose body is a value as JSON.
            ///
            /// Its `Content-Type` is `application/json`, unless the headers have another.
            ///
            /// # Errors
            /// [`HandlerError::Json`], then nothing is sent.  Those of [`reply_http`](Self::reply_http).
            pub $($async)* fn reply_http_json(
                &mut self,
                request: &Request,
                status: u16,
                headers: &[(&str, &str)],
                value: &(impl Serialize + ?Sized + Sync),
            ) -> Result<(), HandlerError> {
                let (headers, body) = (message::json_headers(headers), message::json(value)?);
                self.reply_http(request, status, &headers, &body)$($await)*
            }

            /// Makes a WebSocket of the connection of a client that has [asked for one](Request::is_handshake).
            ///
            /// `headers` may have a `Sec-WebSocket-Protocol`, one of those that the client offers.  To refuse it,
            /// answer with [`reply_http`](Self::reply_http).
            ///
            /// # Errors
            /// [`HandlerError::NoHandshake`] for another request.  Those of [`reply_http`](Self::reply_http).
            pub $($async)* fn accept_websocket(
                &mut self,
                request: &Request,
                headers: &[(&str, &str)],
            ) -> Result<(), HandlerError> {
                self.send([message::reply(request, &message::accept(request, headers)?)])$($await)*
            }

            /// Sends a frame to the client of a WebSocket.
            ///
            /// # Errors
            /// [`HandlerError::Frame`] if it would break the protocol; then nothing is sent.  Those of
            /// [`reply`](Self::reply).
            pub $($async)* fn reply_websocket(
                &mut self,
                request: &Request,
                frame: &Frame<'_>,
            ) -> Result<(), HandlerError> {
                self.send([message::reply(request, &message::frame(frame)?)])$($await)*
            }

            /// Closes the connection of the client that asked, once all that was sent to it before is written.
            ///
            /// # Errors
            /// Those of [`reply`](Self::reply).
            pub $($async)* fn close(&mut self, request: &Request) -> Result<(), HandlerError> {
                self.reply(request, b"")$($await)*
            }

            /// Sends the same bytes to any number of a server's connections, [`MAX_IDS`](super::MAX_IDS) with each
            /// message.
            ///
            /// `server_uuid` is the [`sender`](Request::sender) of the requests that came from there.
            ///
            /// # Errors
            /// Those of [`reply`](Self::reply); the messages before the failing one have been sent.
            pub $($async)* fn deliver(
                &mut self,
                server_uuid: &str,
                ids: &[u64],
                body: &[u8],
            ) -> Result<(), HandlerError> {
                self.send(message::deliver(server_uuid, ids, body))$($await)*
            }

            /// Sends a value as JSON to any number of a server's JSON sockets.
            ///
            /// # Errors
            /// Those of [`reply_json`](Self::reply_json) and [`deliver`](Self::deliver).
            pub $($async)* fn deliver_json(
                &mut self,
                server_uuid: &str,
                ids: &[u64],
                value: &(impl Serialize + ?Sized + Sync),
            ) -> Result<(), HandlerError> {
                self.deliver(server_uuid, ids, &message::json(value)?)$($await)*
            }

            /// Sends the same HTTP response to any number of a server's connections.
            ///
            /// # Errors
            /// Those of [`reply_http`](Self::reply_http) and [`deliver`](Self::deliver).
            pub $($async)* fn deliver_http(
                &mut self,
                server_uuid: &str,
                ids: &[u64],
                status: u16,
                headers: &[(&str, &str)],
                body: &[u8],
            ) -> Result<(), HandlerError> {
                self.deliver(server_uuid, ids, &response::render(status, headers, body)?)$($await)*
            }

            /// Sends the same HTTP response, whose body is a value as JSON, to any number of a server's connections.
            ///
            /// # Errors
            /// Those of [`reply_http_json`](Self::reply_http_json) and [`deliver`](Self::deliver).
            pub $($async)* fn deliver_http_json(
                &mut self,
                server_uuid: &str,
                ids: &[u64],
                status: u16,
                headers: &[(&str, &str)],
                value: &(impl Serialize + ?Sized + Sync),
            ) -> Result<(), HandlerError> {
                let (headers, body) = (message::json_headers(headers), message::json(value)?);
                self.deliver_http(server_uuid, ids, status, &headers, &body)$($await)*
            }

            /// Sends the same frame to any number of a server's WebSockets.
            ///
            /// # Errors
            /// Those of [`reply_websocket`](Self::reply_websocket) and [`deliver`](Self::deliver).
            pub $($async)* fn deliver_websocket(
                &mut self,
                server_uuid: &str,
                ids: &[u64],
                frame: &Frame<'_>,
            ) -> Result<(), HandlerError> {
                self.deliver(server_uuid, ids, &message::frame(frame)?)$($await)*
            }

            /// Closes any number of a server's connections, once all that was sent to them before is written.
            ///
            /// # Errors
            /// Those of [`deliver`](Self::deliver).
            pub $($async)* fn deliver_close(&mut self, server_uuid: &str, ids: &[u64]) -> Result<(), HandlerError> {
                self.deliver(server_uuid, ids, b"")$($await)*
            }

            /// Tells the server that the connection of the client that asked is alive, so that it isn't closed for
            /// being quiet.
            ///
            /// # Errors
            /// Those of [`reply`](Self::reply).
            pub $($async)* fn keep_alive(&mut self, request: &Request) -> Result<(), HandlerError> {
                let alive = Extended::Control { keep_alive: true, credits: None, cancel: false };
                self.send([message::tell(request, &alive)])$($await)*
            }

            /// Lets `bytes` more of an upload come that the server streams (`upload.stream`).
            ///
            /// The first message of an upload comes on its own, every further byte needs a credit.  Credits add up.
            /// How many bytes may go the other way is told by [`Request::credits`].
            ///
            /// # Errors
            /// Those of [`reply`](Self::reply).
            pub $($async)* fn credits(&mut self, request: &Request, bytes: u64) -> Result<(), HandlerError> {
                let credits = Extended::Control { keep_alive: false, credits: Some(bytes), cancel: false };
                self.send([message::tell(request, &credits)])$($await)*
            }

            /// Drops the connection of the client that asked, at once: what hasn't been written is lost.  No notice
            /// says that it is gone.
            ///
            /// # Errors
            /// Those of [`reply`](Self::reply).
            pub $($async)* fn cancel(&mut self, request: &Request) -> Result<(), HandlerError> {
                let cancel = Extended::Control { keep_alive: false, credits: None, cancel: true };
                self.send([message::tell(request, &cancel)])$($await)*
            }

            /// Has the server send the bytes of a file to the client that asked.
            ///
            /// `path` is one below the `sendfile_root` that the handler has in the server's configuration.  Only
            /// bytes are sent: the head of an HTTP response, with the file's length, is a [`reply`](Self::reply) of
            /// its own before it.
            ///
            /// # Errors
            /// Those of [`reply`](Self::reply).
            pub $($async)* fn send_file(
                &mut self,
                request: &Request,
                path: impl AsRef<Path> + Send,
            ) -> Result<(), HandlerError> {
                self.send([message::tell(request, &message::file(path.as_ref()))])$($await)*
            }
        }
    };
}

pub(super) use replies;
