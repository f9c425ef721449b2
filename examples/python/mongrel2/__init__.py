"""Handlers for mongrel2 in Python: programs that get requests over ZeroMQ and answer them.

    from mongrel2 import handler

    conn = handler.Connection("my-handler", "tcp://127.0.0.1:9997", "tcp://127.0.0.1:9996")
    while True:
        req = conn.recv()
        if not req.is_disconnect():
            conn.reply_http(req, f"You asked for {req.path}\n")

`handler` has the two sockets, `request` what comes in, `response` what goes out, `tnetstring` the encoding that both
may have.  `wsgi` runs a WSGI application: python3 -m mongrel2.wsgi; `environ`, `answer` and `flow` are parts of it.  All
they need is pyzmq.
"""
