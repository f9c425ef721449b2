//! Answers every HTTP request that mongrel2 passes on.
//!
//! `hello [REQUESTS_FROM REPLIES_TO]`: the server's `send_spec` and `recv_spec`.

use std::process::ExitCode;

use mongrel2::handler::{Connection, HandlerError, Request};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let requests_from = args.next().unwrap_or_else(|| "tcp://127.0.0.1:9997".into());
    let replies_to = args.next().unwrap_or_else(|| "tcp://127.0.0.1:9996".into());
    match serve(&requests_from, &replies_to) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hello: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(requests_from: &str, replies_to: &str) -> Result<(), HandlerError> {
    let mut connection = Connection::connect("hello", requests_from, replies_to)?;
    loop {
        let done = connection.recv().and_then(|request| answer(&mut connection, &request));
        match done {
            Ok(()) => {}
            Err(error @ (HandlerError::Message { .. } | HandlerError::NoServer(_))) => {
                eprintln!("hello: skipped a message: {error}");
            }
            Err(error) => return Err(error),
        }
    }
}

fn answer(connection: &mut Connection, request: &Request) -> Result<(), HandlerError> {
    if request.is_disconnect() {
        return Ok(());
    }
    if request.header("x-killme").is_some() {
        return connection.close(request);
    }
    connection.reply_http(request, 200, &[("Content-Type", "text/plain")], &page(request))
}

fn page(request: &Request) -> Vec<u8> {
    let [method, path, query] = ["METHOD", "PATH", "QUERY"].map(|name| request.header(name).unwrap_or_default());
    let size = request.body.len();
    let text = format!("Hello from Rust\nmethod: {method}\npath: {path}\nquery: {query}\nbody: {size} bytes\n\n");
    [text.as_bytes(), &request.body].concat()
}
