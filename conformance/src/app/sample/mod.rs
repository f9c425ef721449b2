//! The sample: an application that does what applications do, good and bad.  A host that serves it can be tried.
//!
//! In another language it is to be written like this.  `R` is the name of a run, made up for each case; what is
//! *said* is remembered for it, and told by `/said`.  Where there is no word on the status it is 200.  An application
//! that can't do something answers its path with 404, and the cases for it are skipped.  The manual has the same table.
//!
//! | path | what the application does | what the client sees |
//! | --- | --- | --- |
//! | `/hello` | a head with `Content-Type: text/plain` and a length, then the body | `Hello\n` |
//! | `/about` | takes the body, up to 100 bytes, and tells of the request: method, target as it came, version, scheme, the client's address, the values of all `X-A` and of all `Cookie`, each joined by `+`, and the body | `PUT /about?x=y%20z HTTP/1.1 http 127.0.0.1 ["1+2", "a=1"] body` |
//! | `/pieces` | a head without a length, then `one `, nothing, `two `, `three`; to HEAD only the head | `one two three` |
//! | `/none` | status 204 | no body |
//! | `/unchanged` | status 304 with `ETag: "1"` | no body |
//! | `/cookies` | a head with `Set-Cookie: a=1` and `Set-Cookie: b=2` | both, in their order |
//! | `/echo` | a head without a length, then each part of the body as it comes | the body |
//! | `/count` | says `counting`, and counts the bytes of the body | their number |
//! | `/refuse` | status 403, without a look at the body | `no\n` |
//! | `/large?N` | a length of N, then so many `x`, in pieces | them |
//! | `/misuse/early` | writes, and finishes, before there is a head; each has to fail | `fine` |
//! | `/misuse/heads` | writes a second head behind the first, and behind a part; each has to fail | `fine` |
//! | `/misuse/long` | writes more than its length; it has to fail | `fine` |
//! | `/misuse/short` | finishes before its length; it has to fail | `fine` |
//! | `/misuse/late?run=R` | writes, and finishes, behind the end; says `refused` if both fail | `fine` |
//! | `/misuse/body` | writes a body with 204; it has to fail | status 204 |
//! | `/misuse/header` | writes a head with a line break in a value; it has to fail | `fine` |
//! | `/error` | fails, the reason being `secret` | status 500, and nothing of the reason |
//! | `/panic` | crashes | the same |
//! | `/forget` | ends without any answer | the same |
//! | `/late/error` | a head without a length, `a part`; then it fails, the reason being `secret` | an answer that is cut |
//! | `/late/panic` | the same, but crashes | the same |
//! | `/late/short` | `Content-Length: 100`, `a part`, the end | the same |
//! | `/late/wait?run=R` | as `/late/error`, but waits for `/go` before it fails | the same, later |
//! | `/late/never?run=R` | a head without a length, `a part`, says `never`; then nothing for an hour | a part |
//! | `/never` | nothing for an hour | nothing |
//! | `/wait?run=R` | says `waiting`, waits for `/go` | `at last` |
//! | `/events?run=R` | `Content-Type: text/event-stream`, then `data: 0`, `data: 1` …, one each millisecond, until the client has left: says `left` | events |
//! | `/body?run=R` | says `reading`, reads the body: says `whole` at its end, `left` if the client leaves before; ends without an answer | status 500 |
//! | `/ws?run=R` | accepts a WebSocket with `Sec-WebSocket-Protocol: sample`, sends back each message; says `closed` when the client has closed, `left` when it has gone without | its messages |
//! | the same, the message `close` | closes with 4000 | close 4000 |
//! | the same, the messages `drop` and `panic` | ends without closing; crashes | close 1011 |
//! | the same, without a handshake | status 426 | `the client has not asked for a WebSocket` |
//! | `/filter/error`, `/filter/panic` | a filter around the application fails with `secret`; crashes | as `/error` |
//! | `/filter/length` | as `/pieces`, and a filter keeps the body to tell its length in the head | `one two three`, with a length |
//! | `/filter/loud` | as `/pieces`, and a filter writes what passes in upper case, and a header `X-Filter: loud` | `ONE TWO THREE` |
//! | `/said?run=R&what=W` | what the run has said, a line each: as soon as W is among it, or after a second | the lines |
//! | `/go?run=R` | lets what waits in the run go on, or what will | `gone\n` |
//! | `/ended?run=R` | how requests of the run have ended, as events around the application tell it: `PATH HOW`, and `: WHY` behind it if the application has failed.  HOW is `nothing`, `cut STATUS BYTES`, `whole STATUS BYTES` or `websocket`; WHY is the reason, `it has panicked`, or `the response ends 94 bytes early`.  At once if there is one, or after a second | the lines |
//! | any other | status 404 | nothing |

mod around;
mod board;
mod fail;
mod last;
mod plain;

use std::sync::Arc;

use http::StatusCode;
use mongrel2::app::layers::Layers;
use mongrel2::app::{AppError, Application, Request, Response};

use around::{Ends, Filters};
use board::{Board, value};

/// The application with its layers, for a host that is to be tried.
pub fn sample() -> impl Application {
    let board = Arc::<Board>::default();
    Layers::new().events(Ends(Arc::clone(&board))).filter(Filters).around(Sample(board))
}

struct Sample(Arc<Board>);

impl Application for Sample {
    async fn call(&self, request: Request, mut response: Response) -> Result<(), AppError> {
        let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
        let run = || self.0.run(&query);
        match path.as_str() {
            "/hello" => Ok(response.send(200, [("content-type", "text/plain")], "Hello\n").await?),
            "/about" => plain::about(request, response).await,
            "/pieces" | "/filter/length" | "/filter/loud" => plain::pieces(response).await,
            "/none" => Ok(response.send(204, (), "").await?),
            "/unchanged" => Ok(response.send(StatusCode::NOT_MODIFIED, [("etag", "\"1\"")], "").await?),
            "/cookies" => Ok(response.send(200, [("set-cookie", "a=1"), ("set-cookie", "b=2")], "").await?),
            "/echo" => plain::echo(request, response).await,
            "/count" => plain::count(request, response, &run()).await,
            "/refuse" => Ok(response.send(403, (), "no\n").await?),
            "/large" => plain::large(&query, response).await,
            "/error" => Err("secret".into()),
            "/panic" => panic!("secret, on purpose"),
            "/forget" => Ok(()),
            "/never" => last::never().await,
            "/wait" => last::wait(response, &run()).await,
            "/events" => last::events(response, &run()).await,
            "/body" => last::body(request, &run()).await,
            "/ws" => last::socket(request, response, &run()).await,
            "/said" => {
                let what = value(&query, "what").unwrap_or_default();
                let said = run().said.once(|line| line == what).await;
                Ok(response.send(200, (), said).await?)
            }
            "/ended" => Ok(response.send(200, (), run().ended.once(|_| true).await).await?),
            "/go" => {
                run().go.notify_one();
                Ok(response.send(200, (), "gone\n").await?)
            }
            path => match (path.strip_prefix("/late/"), path.strip_prefix("/misuse/")) {
                (Some(how), _) => fail::late(how, response, &run()).await,
                (_, Some(how)) => fail::misuse(how, response, &run()).await,
                _ => Ok(response.send(404, (), "").await?),
            },
        }
    }
}
