//! A host that stops: what is being answered is answered, WebSockets are closed, and what never ends is cut.

use super::client::{Socket, answer, send};
use super::host::{Alone, Behind, Host};

#[test]
fn behind() {
    stops(&Behind::start("app/config.rhai"));
}

#[test]
fn alone() {
    stops(&Alone::start());
}

fn stops(host: &dyn Host) {
    let mut socket = Socket::connect(host.address());
    socket.send(0x81, b"hi");
    assert_eq!(socket.recv(), Some((0x81, b"hi".to_vec())));
    let waiting = send(host.address(), "GET /wait HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    host.running().hears("waiting");
    let never = send(host.address(), "GET /late/never HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    host.running().hears("never");
    host.running().stop();
    socket.is_closed_with(1001);
    host.running().go.notify_one();
    answer(waiting, false).expect(200, "at last");
    let never = answer(never, false);
    assert!(!never.is_whole, "{never:?}");
    host.running().wait();
}
