// The library as `m2sh conformance handler` tries it: for each path of a request one thing is done.
//
//     m2sh conformance handler -- node conformance.js
//
// The two addresses come last.  The manual has what each path is to do: `m2sh conformance`, libraries for handlers.

import { Connection } from "./mongrel2.js";

const [requestsFrom, repliesTo] = process.argv.slice(2);
const connection = new Connection({ requestsFrom, repliesTo });

const calls = new Map(
  Object.entries({
    "@*": notice,
    "@json": (request) => connection.replyJson(request, request.data),
    "/reply": (request) => connection.reply(request, request.body),
    "/close": (request) => connection.close(request),
    "/request": (request) => connection.replyJson(request, understood(request)),
    "/http": (request) => {
      const { body, status, headers } = JSON.parse(request.body);
      return connection.replyHttp(request, body, { status, headers });
    },
    "/http/body": (request) => connection.replyHttp(request, request.body),
    "/accept": (request) => connection.acceptWebSocket(request),
    "/accept/chat": (request) => connection.acceptWebSocket(request, "chat"),
    "/text": (request) => connection.replyWebSocket(request, String(request.body)),
    "/binary": (request) => connection.replyWebSocket(request, request.body),
    "/ping": (request) => connection.replyWebSocket(request, request.body, 9),
    "/pong": (request) => connection.replyWebSocket(request, request.body, 10),
    "/end": (request) => connection.replyWebSocket(request, Buffer.from("\x03\xe8bye", "latin1"), 8),
    "/deliver": deliver((server, { ids, body }) => connection.deliver(server, ids, body)),
    "/deliver/http": deliver((server, { ids, body, status, headers }) =>
      connection.deliverHttp(server, ids, body, { status, headers }),
    ),
    "/deliver/json": deliver((server, { ids, value }) => connection.deliverJson(server, ids, value)),
    "/deliver/websocket": deliver((server, { ids, body }) => connection.deliverWebSocket(server, ids, body)),
    "/deliver/close": deliver((server, { ids }) => connection.deliverClose(server, ids)),
    "/keep-alive": (request) => connection.keepAlive(request),
    "/credits": (request) => connection.credits(request, Number(request.body)),
    "/cancel": (request) => connection.cancel(request),
    "/sendfile": (request) => connection.sendFile(request, String(request.body)),
    "/upload": upload,
  }),
);

for await (const request of connection) {
  try {
    const call = calls.get(request.path) ?? (() => connection.reply(request, "unsupported"));
    await call(request);
  } catch (error) {
    await connection.reply(request, `refused: ${error.message}`);
  }
}

function understood({ server, id, path, method, headers, body }) {
  return { server, id, path, method, headers: Object.fromEntries(headers), bytes: body.length };
}

function deliver(send) {
  return (request) => send(request.server, JSON.parse(request.body));
}

// What the server says of a connection is told the next one.
function notice(request) {
  const others = [BigInt(request.id) + 1n];
  if (request.isDisconnect) return connection.deliverJson(request.server, others, { type: "disconnect" });
  if (!request.isNotice("credits")) return;
  const bytes = Number(request.header("DOWNLOAD_CREDITS"));
  return connection.deliverJson(request.server, others, { type: "credits", bytes });
}

function upload(request) {
  const start = request.header("x-mongrel2-upload-start");
  const done = request.header("x-mongrel2-upload-done");
  if (done !== start && done !== undefined) throw new Error("no client can name a file");
  if (done !== undefined) return connection.reply(request, done);
  if (start === undefined) return piece(request);
}

function piece(request) {
  const end = Number(request.header("UPLOAD_STREAM")) + request.body.length;
  if (request.header("UPLOAD_STREAM_DONE")) return connection.reply(request, String(end));
  return connection.credits(request, request.body.length);
}
