//! The web application behind a proxy.

use std::net::SocketAddr;

use testkit::http::{Client, ask};
use testkit::{Deployment, Process, wait};

use super::{curl, example, python};

#[test]
fn a_plain_web_application_answers_through_the_proxy() {
    let (Some(mut web), Some(_)) = (python("web/www.py"), testkit::curl()) else { return };
    let deployment = Deployment::of(example("web/config.rhai"), &["6767", "8089"]);
    let _server = deployment.start();
    let address = deployment.address(0);
    assert_eq!(ask(address, "GET /", "").status, 502);

    web.args(["--port", &deployment.address(1).port().to_string()]);
    let process = Process::start(&mut web);
    process.wait_for_stderr("listens on");
    wait::until("an answer", || (ask(address, "GET /", "").status == 200).then_some(()));
    answers_through_the_proxy(address, "");
    drop(process);
    wait::until("no answer", || (ask(address, "GET /", "").status == 502).then_some(()));
}

/// The same wherever it runs; its paths begin with the prefix.
pub(crate) fn answers_through_the_proxy(address: SocketAddr, prefix: &str) {
    let url = |path: &str| format!("http://{address}{prefix}{path}");
    assert_eq!(curl(&[], &url("/")), (200, "Hello, World!\n".into()));
    assert_eq!(curl(&["-H", "X-Forwarded-For: 6.6.6.6"], &url("/who")), (200, format!("127.0.0.1 asked {address}\n")));
    let (status, page) = curl(&["-d", "name=%3Cb%3EZo%C3%AB"], &url("/form"));
    assert_eq!((status, page.as_str()), (200, "<p>Hello, &lt;b&gt;Zoë!\n"));
    assert_eq!(curl(&["-d", &"x".repeat(20_000)], &url("/form")).0, 413);
    assert_eq!(curl(&["-d", &"a&".repeat(50)], &url("/form")).0, 200, "many fields are no error");
    assert_eq!(curl(&[], &url("/nothing")).0, 404);

    // Many requests on one connection, here and behind the proxy.
    let mut client = Client::connect(address);
    for _ in 0..20 {
        client.request(&format!("GET {prefix}/"), "");
        assert_eq!(client.answer().text(), "Hello, World!\n");
    }
}
