// Answers uploads with their SHA-256.
//
// node upload.js [FOLDER REQUESTS_FROM REPLIES_TO]: FOLDER is the server's chroot, where the paths of uploads begin.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Pull, XPublisher } from "zeromq";

const [folder = ".", requestsFrom = "tcp://127.0.0.1:9995", repliesTo = "tcp://127.0.0.1:9994"] = process.argv.slice(2);

const replies = new XPublisher({ linger: 1000 }); // a Publisher that hears of subscriptions
replies.connect(repliesTo);
await replies.receive(); // the server has subscribed: from now on no reply is lost, so ask for requests
const requests = new Pull();
requests.connect(requestsFrom);

for await (const [bytes] of requests) {
  try {
    const message = parse(bytes);
    if (message.path === "@*") continue; // a notice: the client has gone, and the server has removed the file
    const { server, client, headers } = message;
    const answer = await take(message);
    if (!answer) continue;
    const [status, text] = answer;
    const head = `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n`;
    const page = headers.get("METHOD") === "HEAD" ? "" : text;
    await replies.send(`${server} ${client.length}:${client}, ${head}${page}`);
  } catch (error) {
    console.error(`skipped a message: ${error.message}`);
  }
}

async function take({ client, headers, body }) {
  const [start, done] = ["start", "done"].map((word) => headers.get(`x-mongrel2-upload-${word}`));
  if (start && !done) {
    console.error(`upload of ${client} has begun in ${start}`);
    return undefined;
  }
  // The server always sends both, and no client can send either.
  if (start !== done) return ["400 Bad Request", "this is not the upload that has begun\n"];
  if (!done) return ["200 OK", `${createHash("sha256").update(body).digest("hex")}\n`];
  try {
    return ["200 OK", `${await digestOfFile(join(folder, done))}\n`];
  } catch (error) {
    console.error(`cannot read the upload ${done}: ${error.message}`);
    return ["500 Internal Server Error", "the upload is lost\n"];
  }
}

async function digestOfFile(path) {
  const digest = createHash("sha256");
  try {
    await pipeline(createReadStream(path), digest);
    return digest.digest("hex");
  } finally {
    await rm(path, { force: true }); // it is ours since the upload is done
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
