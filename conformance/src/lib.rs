//! What servers, hosts of applications and libraries for handlers promise, as cases that can be run: against ours, the
//! original, or anybody else's.
//!
//! * [`case`]: a promise and how it is tried; [`check`]: what is found beside what is wanted.
//! * [`report`]: what came of them, also as JUnit has it.
//! * [`server`]: a server, asked by clients and handlers that are played here.
//! * [`app`]: a host of applications, asked by clients.
//! * [`client`]: a client that says no more than it is told to.  [`port`]: addresses for what is started.
//! * [`handler`]: a handler, asked by a server that is played here.
//!
//! Nothing here prints, reads options or starts programs: that is `m2sh conformance`.

pub mod app;
pub mod case;
pub mod check;
pub mod client;
pub mod handler;
pub mod port;
pub mod report;
pub mod server;
