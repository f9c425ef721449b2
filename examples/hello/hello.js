// Answers every HTTP request that mongrel2 passes on.
//
// node hello.js [REQUESTS_FROM REPLIES_TO]: the server's send_spec and recv_spec.

import { Pull, XPublisher } from "zeromq";

const [requestsFrom = "tcp://127.0.0.1:9997", repliesTo = "tcp://127.0.0.1:9996"] = process.argv.slice(2);

const replies = new XPublisher({ linger: 1000 }); // a Publisher that hears of subscriptions
replies.connect(repliesTo);
await replies.receive(); // the server has subscribed: from now on no reply is lost, so ask for requests
const requests = new Pull();
requests.connect(requestsFrom);

for await (const [message] of requests) {
  try {
    const { server, client, path, headers, body } = parse(message);
    if (path === "@*") continue; // a notice from the server itself: the client has gone
    await replies.send(Buffer.concat([Buffer.from(`${server} ${client.length}:${client}, `), answer(headers, body)]));
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

function answer(headers, body) {
  if (headers.has("x-killme")) return Buffer.alloc(0); // closes the connection
  const [method, path, query] = ["METHOD", "PATH", "QUERY"].map((name) => headers.get(name) ?? "");
  const text = `Hello from JavaScript\nmethod: ${method}\npath: ${path}\nquery: ${query}\nbody: ${body.length} bytes\n\n`;
  const page = Buffer.concat([Buffer.from(text), body]);
  const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${page.length}\r\n\r\n`);
  return method === "HEAD" ? head : Buffer.concat([head, page]);
}
