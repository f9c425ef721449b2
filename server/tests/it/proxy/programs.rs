//! Real programs on both sides: nginx and Python behind the server, curl and Python before it.

use std::fs;
use std::process::Command;

use mongrel2::config::Proxy;
use testkit::{Process, curl, free_address, nginx, python};

use super::start;
use crate::harness::get;

/// Sends what it gets back, until the other end closes.
const ECHO: &str = "
import asyncio, sys, websockets
async def echo(socket):
    async for message in socket:
        await socket.send(message)
async def main():
    async with websockets.serve(echo, '127.0.0.1', int(sys.argv[1]), max_size=None):
        print('serving', file=sys.stderr, flush=True)
        await asyncio.Future()
asyncio.run(main())
";

/// Sends a text, a long binary message and a ping, and compares what comes back.
const ASK: &str = "
import asyncio, os, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1], proxy=None, max_size=None) as socket:
        await socket.send('hello')
        assert await socket.recv() == 'hello'
        data = os.urandom(1_000_000)
        await socket.send(data)
        assert await socket.recv() == data
        await (await socket.ping())
    print('done')
asyncio.run(main())
";

fn told(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn curl_before_and_nginx_behind() {
    let (Some(mut curl), address) = (curl(), free_address()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    fs::create_dir(folder.path().join("www")).unwrap();
    fs::write(folder.path().join("www/large"), &large).unwrap();
    fs::write(folder.path().join("www/index.html"), "index").unwrap();
    let root = format!("root {}/www; client_max_body_size 0; dav_methods PUT; ", folder.path().display());
    let echo = "location /host { return 200 \"$http_host $http_x_forwarded_for\"; }";
    let Some(_nginx) = nginx(folder.path(), address, &(root + echo)) else { return };
    let running = start(Proxy { addr: "localhost".into(), port: address.port().into(), ..Proxy::default() });
    let url = format!("http://{}", running.address());
    curl.args(["-f", "-w", "%{http_code} %{num_connects}\n"]);
    let (copy, host) = (folder.path().join("copy"), folder.path().join("host"));
    curl.arg(format!("{url}/large")).arg("-o").arg(&copy);
    curl.arg(format!("{url}/host")).arg("-o").arg(&host);
    curl.arg(format!("{url}/")).args(["-H", "Accept-Encoding: gzip", "-o", "/dev/null"]);
    assert_eq!(told(&mut curl), "200 1\n200 0\n200 0\n", "one connection does");
    assert!(fs::read(copy).unwrap() == large);
    assert_eq!(fs::read_to_string(host).unwrap(), format!("{} 127.0.0.1", running.address()));
    let mut put = testkit::curl().unwrap();
    put.args(["-o", "/dev/null", "-w", "%{http_code}", "-T"]).arg(folder.path().join("www/large"));
    put.args(["-H", "Transfer-Encoding: chunked"]).arg(format!("{url}/new"));
    assert_eq!(told(&mut put), "201");
    assert!(fs::read(folder.path().join("www/new")).unwrap() == large);
}

#[test]
fn a_websocket_through_the_proxy() {
    let (Some(python), address) = (python(), free_address()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let mut command = Command::new(&python);
        command.arg(path);
        command
    };
    let upstream = Process::start(script("echo.py", ECHO).arg(address.port().to_string()));
    upstream.wait_for_stderr("serving");
    let running = start(Proxy { addr: "127.0.0.1".into(), port: address.port().into(), ..Proxy::default() });
    let url = format!("ws://{}/", running.address());
    assert_eq!(told(script("ask.py", ASK).arg(url)), "done\n");
    assert_eq!(running.ask(get("/")).status, 426, "an upstream of WebSockets has nothing else");
}
