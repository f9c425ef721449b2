// Sends the messages of WebSockets back.
//
// node echo.js [REQUESTS_FROM REPLIES_TO]: the server's send_spec and recv_spec.

import { Pull, XPublisher } from "zeromq";

const [TEXT, BINARY, CLOSE, PING, PONG] = [0x81, 0x82, 0x88, 0x89, 0x8a]; // first bytes of frames: FIN and the opcode

const [requestsFrom = "tcp://127.0.0.1:9983", repliesTo = "tcp://127.0.0.1:9982"] = process.argv.slice(2);

const replies = new XPublisher({ linger: 1000 }); // a Publisher that hears of subscriptions
replies.connect(repliesTo);
await replies.receive(); // the server has subscribed: from now on no reply is lost, so ask for requests
const requests = new Pull();
requests.connect(requestsFrom);

for await (const [message] of requests) {
  try {
    const { server, client, path, headers, body } = parse(message);
    if (path === "@*") continue; // a notice from the server itself: the client has gone
    for (const data of answer(headers, body)) {
      await replies.send(Buffer.concat([Buffer.from(`${server} ${client.length}:${client}, `), data]));
    }
  } catch (error) {
    console.error(`skipped a message: ${error.message}`);
  }
}

function parse(message) {
  const [server, afterServer] = split(message, " ");
  const [client, afterClient] = split(afterServer, " ");
  const [path, afterPath] = split(afterClient, " ");
  const [head, afterHead] = netstring(afterPath);
  const [body] = netstring(afterHead);
  return { server, client, path, headers: new Map(Object.entries(JSON.parse(head))), body };
}

function split(bytes, mark) {
  const at = bytes.indexOf(mark);
  if (at < 0) throw new Error(`there is no "${mark}" where one should be`);
  return [bytes.toString("utf8", 0, at), bytes.subarray(at + 1)];
}

function netstring(bytes) {
  const [size, rest] = split(bytes, ":");
  const end = /^\d+$/.test(size) ? Number(size) : NaN;
  if (rest[end] !== ",".charCodeAt()) throw new Error("a netstring does not end where its size says");
  return [rest.subarray(0, end), rest.subarray(end + 1)];
}

// What the client gets, reply by reply.
function answer(headers, body) {
  const method = headers.get("METHOD");
  if (method === "WEBSOCKET_HANDSHAKE") return [handshake(headers, body)];
  if (method === "WEBSOCKET") return echo(Number(headers.get("FLAGS")), body);
  const lines = ["HTTP/1.1 426 Upgrade Required", "Upgrade: websocket", "Connection: Upgrade", "Content-Length: 0"];
  return [head(lines)];
}

// The body of a handshake is what the server has computed of the client's key.
function handshake(headers, accept) {
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  lines.push(`Sec-WebSocket-Accept: ${accept}`);
  if (subprotocols(headers).includes("echo")) lines.push("Sec-WebSocket-Protocol: echo");
  return head(lines);
}

function subprotocols(headers) {
  const fields = [headers.get("sec-websocket-protocol") ?? ""].flat(); // a header that came twice is a list
  return fields.flatMap((field) => field.split(",")).map((word) => word.trim());
}

function head(lines) {
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}

// The server has joined fragments and taken the mask off.
function echo(flags, body) {
  if (flags === TEXT || flags === BINARY) return [frame(flags, body)];
  if (flags === PING) return [frame(PONG, body)];
  if (flags === CLOSE) return [frame(CLOSE, body), Buffer.alloc(0)]; // the same code; no bytes close the connection
  return []; // a pong, which answers nothing
}

function frame(flags, body) {
  return Buffer.concat([Buffer.from([flags, ...length(body.length)]), body]);
}

function length(size) {
  if (size < 126) return [size];
  if (size < 65536) return [126, size >> 8, size & 0xff];
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(size));
  return [127, ...bytes];
}
