//! What the tests of several crates need.
//!
//! * [`python()`] and [`node()`]: interpreters with the packages that the examples use, set up once under
//!   `target/`; [`wheels()`]: Python's, to be installed elsewhere; [`php()`]; [`httpd()`], [`curl()`], [`openssl()`], [`nginx()`],
//!   [`ffmpeg()`], [`strace()`] and [`chromium()`].  `None`, and
//!   a word on stderr, where they can't be had; [`installed`]: any other program.
//! * [`Process`]: a child that ends with its test.  [`FakeServer`]: the server's side of the handler protocol.
//! * [`free_address`]: where a server may listen.  [`http`]: a client that says no more than it is told to.
//!   [`Deployment`]: an example's server, run by m2sh.
//! * [`DeafSocket`]: at which who connects waits for ever.
//! * [`wait`]: for a condition, a port, a message; never for a length of time.
//!
//! Everything panics on failure: a test has no better use for an error.

mod busybox;
mod chromium;
mod curl;
mod deaf;
mod deployment;
mod descriptors;
mod ffmpeg;
pub mod http;
mod installed;
mod nginx;
mod node;
mod openssl;
mod php;
mod port;
mod process;
mod program;
mod python;
mod server;
mod setup;
mod strace;
pub mod wait;

pub use busybox::httpd;
pub use chromium::chromium;
pub use curl::curl;
pub use deaf::DeafSocket;
pub use deployment::Deployment;
pub use descriptors::descriptors;
pub use ffmpeg::ffmpeg;
pub use installed::installed;
pub use nginx::nginx;
pub use node::{Node, node};
pub use openssl::{Openssl, openssl};
pub use php::php;
pub use port::free_address;
pub use process::Process;
pub use program::program;
pub use python::{python, wheels};
pub use server::FakeServer;
pub use strace::{Strace, strace};
