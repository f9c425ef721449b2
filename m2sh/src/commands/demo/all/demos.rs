//! The demos, a row for each: what it shows, how to try it, what it needs, and what runs for it.
//!
//! Whoever adds a row adds its routes to `examples/demo/all/config.rhai`.  In commands `@URL@` is the server's address,
//! `@PORT@` its port, and `@FOLDER@` the folder.  A service's command runs in the folder: `@SOCKETS@` are the demo's two
//! ZeroMQ addresses, `@UPSTREAM@` is the port of the Proxy that its link leads to; `@SHARED@` is a file with what its
//! services share, and `@M2SH@` this program.

use super::super::folder::File;

/// A demo.
#[derive(Debug)]
pub(super) struct Demo {
    /// Its name, which begins as its folder among the examples is called.
    pub(super) name: &'static str,
    /// What it shows, in a sentence.
    pub(super) shows: &'static str,
    /// Its program, below the examples.
    pub(super) program: &'static str,
    /// What a browser shows of it.
    pub(super) link: &'static str,
    /// What to type at a terminal; nothing if it is for browsers only.
    pub(super) commands: &'static [&'static str],
    /// A path that its program answers once it runs; none if it speaks no HTTP.
    pub(super) probe: Option<&'static str>,
    /// What it can't do without.
    pub(super) needs: &'static [Need],
    /// What runs for it: names and commands.
    pub(super) services: &'static [(&'static str, &'static str)],
    /// Its files.
    pub(super) files: &'static [File],
}

/// What a machine may have, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Python 3, and a module.
    Python(&'static str),
    /// Python 3, and nothing else.
    PlainPython,
    /// Node.js with its package zeromq.
    Node,
    /// PHP with its extension zmq.
    Php,
    /// PHP, and nothing else.
    PlainPhp,
    /// BusyBox' server for CGI scripts, and what a script needs.
    Cgi,
    /// MP3 files, or ffmpeg to make some.
    Music,
}

/// Files of the examples, which lie at the same places in the folder.
macro_rules! examples {
    ($($path:literal),* $(,)?) => {
        &[$((concat!("examples/", $path), include_str!(concat!("../../../../../examples/", $path)))),*]
    };
}

/// One of the three programs that scatter files.
macro_rules! storage {
    ($number:literal) => {
        concat!(
            "python3 examples/scatter/storage.py ",
            $number,
            " 3 --requests-from ipc://run/scatter.requests --replies-to ipc://run/scatter.replies",
            " --peers ipc://run/scatter.1 ipc://run/scatter.2 ipc://run/scatter.3"
        )
    };
}

/// What several demos have in common.
pub(super) const LIBRARY: &[File] = examples![
    "python/README.md",
    "python/mongrel2/__init__.py",
    "python/mongrel2/answer.py",
    "python/mongrel2/environ.py",
    "python/mongrel2/flow.py",
    "python/mongrel2/handler.py",
    "python/mongrel2/request.py",
    "python/mongrel2/response.py",
    "python/mongrel2/tnetstring.py",
    "python/mongrel2/wsgi.py",
];

/// All demos, in the order in which they are shown.
pub(super) const DEMOS: &[Demo] = &[
    Demo {
        name: "hello",
        shows: "The smallest handler: a request in, an answer out.",
        program: "hello/hello.py",
        link: "/hello?to=you",
        commands: &["curl '@URL@/hello?to=you'"],
        probe: Some("/hello"),
        needs: &[Need::Python("zmq")],
        services: &[("hello", "python3 examples/hello/hello.py @SOCKETS@")],
        files: examples!["hello/README.md", "hello/hello.py"],
    },
    Demo {
        name: "handlertest",
        shows: "What a handler is told of a request: who asks, and every header.",
        program: "handlertest/handlertest.py",
        link: "/handlertest?a=b",
        commands: &["curl -d 'some body' -H 'X-Anything: goes' '@URL@/handlertest?a=b'"],
        probe: Some("/handlertest"),
        needs: &[Need::Python("zmq")],
        services: &[("handlertest", "python3 examples/handlertest/handlertest.py @SOCKETS@")],
        files: examples!["handlertest/README.md", "handlertest/handlertest.py"],
    },
    Demo {
        name: "upload",
        shows: "Bodies of any length: a long one goes into a file, and the handler answers with its SHA-256.",
        program: "upload/upload.py",
        link: "/send.html",
        commands: &["head -c 100M /dev/urandom | tee film.mp4 | curl -T - @URL@/upload", "sha256sum film.mp4"],
        probe: Some("/upload"),
        needs: &[Need::Python("zmq")],
        services: &[("upload", "python3 examples/upload/upload.py . @SOCKETS@")],
        files: examples!["upload/README.md", "upload/upload.py"],
    },
    Demo {
        name: "mp3stream",
        shows: "A radio: all who listen hear the same, and players are told the titles.  It plays what is in the folder music.",
        program: "mp3stream/mp3stream.py",
        link: "/mp3stream",
        commands: &["mpv @URL@/mp3stream"],
        probe: Some("/mp3stream"),
        needs: &[Need::Python("zmq"), Need::Music],
        services: &[("mp3stream", "python3 examples/mp3stream/mp3stream.py music @SOCKETS@")],
        files: examples!["mp3stream/README.md", "mp3stream/mp3.py", "mp3stream/mp3stream.py"],
    },
    Demo {
        name: "chat",
        shows: "A room for browsers, which speak WebSocket, and for terminals, which speak JSON over a plain socket.",
        program: "chat/chat.py",
        link: "/chatdemo/",
        commands: &["python3 @FOLDER@/examples/chat/client.py Ann localhost @PORT@"],
        probe: Some("/chatdemo/socket"),
        needs: &[Need::Python("zmq")],
        services: &[("chat", "python3 examples/chat/chat.py @SOCKETS@")],
        files: examples![
            "chat/README.md",
            "chat/chat.py",
            "chat/client.py",
            "chat/room.py",
            "chat/static/chat.css",
            "chat/static/chat.js",
            "chat/static/index.html",
        ],
    },
    Demo {
        name: "bbs",
        shows: "A board for terminals: a menu, and what others have posted.  It has no page; the link leads to its README.",
        program: "bbs/bbs.py",
        link: "/source/bbs/README.md",
        commands: &["python3 @FOLDER@/examples/bbs/client.py localhost @PORT@"],
        probe: None,
        needs: &[Need::Python("zmq")],
        services: &[("bbs", "python3 examples/bbs/bbs.py bbs.sqlite @SOCKETS@")],
        files: examples!["bbs/README.md", "bbs/bbs.py", "bbs/board.py", "bbs/client.py", "bbs/session.py"],
    },
    Demo {
        name: "web",
        shows: "A web application that knows nothing of mongrel2, behind a proxy.",
        program: "web/www.py",
        link: "/web/form",
        commands: &["curl @URL@/web/who", "curl -d name=you @URL@/web/form"],
        probe: Some("/web/"),
        needs: &[Need::PlainPython],
        services: &[("web", "python3 examples/web/www.py --port @UPSTREAM@ --prefix /web")],
        files: examples!["web/README.md", "web/www.py"],
    },
    Demo {
        name: "javascript",
        shows: "A poll with a handler in JavaScript: everybody sees each vote at once.",
        program: "javascript/poll.js",
        link: "/poll.html?/javascript/poll",
        commands: &["curl -N @URL@/javascript/poll/live", r#"curl -d '{"vote": "yes"}' @URL@/javascript/poll"#],
        probe: Some("/javascript/poll"),
        needs: &[Need::Node],
        services: &[("javascript", "node examples/javascript/poll.js @SOCKETS@")],
        files: examples![
            "javascript/README.md",
            "javascript/mongrel2.js",
            "javascript/package.json",
            "javascript/poll.js",
            "javascript/wire.js",
        ],
    },
    Demo {
        name: "php",
        shows: "The same poll with a handler in PHP, and votes of its own.",
        program: "php/poll.php",
        link: "/poll.html?/php/poll",
        commands: &["curl -N @URL@/php/poll/live", r#"curl -d '{"vote": "yes"}' @URL@/php/poll"#],
        probe: Some("/php/poll"),
        needs: &[Need::Php],
        services: &[("php", "php examples/php/poll.php @SOCKETS@")],
        files: examples!["php/Connection.php", "php/README.md", "php/Request.php", "php/Response.php", "php/poll.php",],
    },
    Demo {
        name: "websocket",
        shows: "A WebSocket that sends back what it gets, and a page that talks to it.",
        program: "websocket/echo.py",
        link: "/websocket/",
        commands: &["python3 -m websockets ws://localhost:@PORT@/ws  # first: pip install websockets"],
        probe: Some("/ws"),
        needs: &[Need::Python("zmq")],
        services: &[("websocket", "python3 examples/websocket/echo.py @SOCKETS@")],
        files: examples!["websocket/README.md", "websocket/echo.py", "websocket/static/index.html"],
    },
    Demo {
        name: "wsgi",
        shows: "A guest book in Flask, as it is: the Python library runs any application that speaks WSGI.",
        program: "wsgi/guestbook.py",
        link: "/book/",
        commands: &["curl @URL@/book/lines/1000"],
        probe: Some("/book/"),
        needs: &[Need::Python("zmq"), Need::Python("flask")],
        services: &[(
            "wsgi",
            "/usr/bin/env PYTHONPATH=examples/python:examples/wsgi python3 -m mongrel2.wsgi guestbook:app @SOCKETS@",
        )],
        files: examples!["wsgi/README.md", "wsgi/guestbook.py"],
    },
    Demo {
        name: "scatter",
        shows: "Files that no program has alone: each request goes to three, and each keeps and sends its part.",
        program: "scatter/storage.py",
        link: "/files.html",
        commands: &["curl -T @FOLDER@/config.rhai @URL@/files/config", "curl @URL@/files/config"],
        probe: Some("/files/nothing"),
        needs: &[Need::Python("zmq")],
        services: &[("scatter-1", storage!("1")), ("scatter-2", storage!("2")), ("scatter-3", storage!("3"))],
        files: examples![
            "scatter/README.md",
            "scatter/change.py",
            "scatter/exchange.py",
            "scatter/read.py",
            "scatter/shares.py",
            "scatter/storage.py",
        ],
    },
    Demo {
        name: "pinned",
        shows: "A program that knows its users by their connections: each client has one of its own.",
        program: "pinned/records.py",
        link: "/pinned/",
        commands: &[
            "curl -c nurse -b nurse -d 'role=nurse&password=lamp' @URL@/pinned/login",
            "curl -b nurse @URL@/pinned/who",
        ],
        probe: Some("/pinned/who"),
        needs: &[Need::PlainPython],
        services: &[("pinned", "python3 examples/pinned/records.py --port @UPSTREAM@ --prefix /pinned")],
        files: examples!["pinned/README.md", "pinned/records.py"],
    },
    Demo {
        name: "ws2http",
        shows: "WebSockets for programs that end after each request: a room in PHP, behind a bridge that makes a request of each event.",
        program: "ws2http/php/Room.php",
        link: "/ws2http/",
        commands: &[],
        probe: Some("/ws2http/socket"),
        needs: &[Need::PlainPhp],
        services: &[
            ("ws2http", "sh examples/ws2http/serve.sh @SHARED@ bridge /event.php @M2SH@ ws2http @SOCKETS@"),
            ("ws2http-php", "sh examples/ws2http/serve.sh @SHARED@ php"),
        ],
        files: examples![
            "ws2http/README.md",
            "ws2http/php/Bridge.php",
            "ws2http/php/Room.php",
            "ws2http/php/event.php",
            "ws2http/serve.sh",
            "ws2http/static/index.html",
            "ws2http/static/room.css",
            "ws2http/static/room.js",
        ],
    },
    Demo {
        name: "ws2http-cgi",
        shows: "The same room as a shell script, which BusyBox runs for each event.",
        program: "ws2http/cgi/cgi-bin/room",
        link: "/ws2http-cgi/",
        commands: &[],
        probe: Some("/ws2http-cgi/socket"),
        needs: &[Need::Cgi],
        services: &[
            ("ws2http-cgi", "sh examples/ws2http/serve.sh @SHARED@ bridge /cgi-bin/room @M2SH@ ws2http @SOCKETS@"),
            ("ws2http-httpd", "sh examples/ws2http/serve.sh @SHARED@ cgi"),
        ],
        files: examples!["ws2http/cgi/cgi-bin/room"],
    },
];
