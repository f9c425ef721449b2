//! A socket that is just open costs its backend nothing.

use testkit::wait;

use super::Running;
use super::backend::{Backend, OK};

const SOCKETS: usize = 1000;

#[test]
fn a_silent_client_is_pinged_so_that_the_server_keeps_it() {
    let backend = Backend::start(|_| OK);
    let running = Running::of(&backend, &["--ping", "10"]);
    let mut socket = running.open("/php/socket");
    for _ in 0..2 {
        assert_eq!(socket.recv(), Some((0x89, Vec::new())));
        socket.send(0x8a, b"");
    }
    assert_eq!(backend.told(), ["0 open"]);
}

#[test]
fn a_client_that_does_not_answer_is_gone_whatever_it_is_sent() {
    let backend = Backend::start(|_| OK);
    let running = Running::of(&backend, &["--ping", "1"]);
    let mut socket = running.open("/php/socket");
    let told = wait::until("it to be given up", || {
        // Each letter has the bridge begin anew to receive.
        running.post("uri=/php/socket&data=hello");
        Some(backend.told()).filter(|told| told.len() == 3)
    });
    assert_eq!(told, ["0 open", "1 error gone", "2 close"]);
    let heard: Vec<_> =
        std::iter::from_fn(|| socket.recv()).map(|frame| frame.0).filter(|kind| *kind != 0x81).collect();
    // The server may learn of its end before it has passed on the question.
    assert!(heard.is_empty() || heard == [0x89], "it was asked once, and then its connection was dropped: {heard:?}");
}

#[test]
fn sockets_of_a_server_that_was_killed_are_gone_when_the_next_is_pinged_about_them() {
    let backend = Backend::start(|_| OK);
    let mut running = Running::of(&backend, &["--ping", "1"]);
    let _socket = running.open("/php/socket");
    running.restart_server();
    assert_eq!(backend.wait_for(3), ["0 open", "1 error gone", "2 close"]);
    drop(running.open("/php/socket"));
    assert_eq!(backend.wait_for(6)[3..], ["0 open", "1 error gone", "2 close"]);
}

#[test]
fn a_thousand_idle_sockets_cost_a_backend_nothing() {
    // Other tests have theirs at the same time.
    let Some(()) = testkit::descriptors(2 * SOCKETS as u64) else { return };
    let backend = Backend::start(|_| OK);
    let running = Running::of(&backend, &["--ping", "0"]);
    let some = || (0..SOCKETS / 8).map(|_| running.open("/php/socket")).collect::<Vec<_>>();
    let mut sockets: Vec<_> = std::thread::scope(|scope| {
        let openers = [(); 8].map(|()| scope.spawn(some));
        openers.into_iter().flat_map(|opener| opener.join().unwrap()).collect()
    });
    assert_eq!(backend.events().len(), SOCKETS);
    let connections = backend.connections();
    assert!(connections < SOCKETS, "{connections} connections are more than one for each event");

    // They live, and nobody asks the backend about it.
    for socket in &mut sockets {
        socket.send(0x89, b"?");
        assert_eq!(socket.recv(), Some((0x8a, b"?".to_vec())));
    }
    wait::until("the last connection to be closed", || (backend.open() == 0).then_some(()));
    assert_eq!((backend.events().len(), backend.connections()), (SOCKETS, connections));

    assert_eq!(running.post("uri=/php/socket&data=all"), (200, SOCKETS.to_string()));
    for socket in &mut sockets {
        assert_eq!(socket.recv(), Some((0x81, b"all".to_vec())));
    }
    assert_eq!(backend.events().len(), SOCKETS);
}
