// The bytes of messages: requests are parsed, replies are rendered (docs/protocol.md).

import { STATUS_CODES } from "node:http";

export const NOTICE = "@*"; // the path of what the server itself has to say; no client can send it

const DEPTH = 32; // how deep tnetstrings may nest
const CONTROL = 125; // bytes in a close, ping or pong (RFC 6455, section 5.5)

// A request, a message of a socket, a piece of an upload, or a notice.
export class Request {
  constructor({ server, id, path, headers, body }) {
    Object.assign(this, { server, id, path, headers, body });
    // What a JSON socket says, or the server itself.
    this.data = this.method === "JSON" ? json(body) : undefined;
  }

  get method() {
    return this.headers.get("METHOD");
  }

  // A header's value, joined if it came several times.  The client's names are in lower case; those of the server are in
  // upper case, and no client can send one.
  header(name) {
    const value = this.headers.get(name);
    return Array.isArray(value) ? value.join(name === "cookie" ? "; " : ", ") : value;
  }

  isNotice(type) {
    return this.path === NOTICE && this.data?.type === type;
  }

  get isDisconnect() {
    return this.isNotice("disconnect");
  }
}

// Throws for what is no message.
export function parse(message) {
  const [server, afterServer] = split(message, " ");
  const [id, afterId] = split(afterServer, " ");
  const [path, afterPath] = split(afterId, " ");
  if (!/^\d{1,20}$/.test(id)) throw new Error("the id is no number");
  const { headers, rest } = parseHeaders(afterPath);
  const { data: body, rest: end } = netstring(rest);
  if (end.length > 0) throw new Error("something follows its end");
  return new Request({ server: text(server), id: text(id), path: text(path), headers, body });
}

function parseHeaders(bytes) {
  const { data, kind, rest } = frame(bytes);
  const entries = kind === "," ? Object.entries(object(json(data))) : pairs(data, kind, 0);
  const isText = (value) => typeof value === "string";
  if (!entries.every(([, value]) => isText(value) || (Array.isArray(value) && value.every(isText)))) {
    throw new Error("a header is no string");
  }
  return { headers: new Map(entries), rest };
}

// What is wrong isn't told: whoever sent it would have a word in the log.
function json(bytes) {
  try {
    return JSON.parse(bytes);
  } catch {
    throw new Error("it is no JSON");
  }
}

function object(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error("the headers are no object");
  return value;
}

function pairs(data, kind, depth) {
  if (kind !== "}") throw new Error("the headers are no dictionary");
  const values = list(data, depth);
  const names = values.filter((_, index) => index % 2 === 0);
  if (values.length % 2 || !names.every((name) => typeof name === "string")) throw new Error("a name has no value");
  return names.map((name, index) => [name, values[index * 2 + 1]]);
}

function list(data, depth) {
  const values = [];
  for (let rest = data; rest.length > 0; ) {
    const part = frame(rest);
    values.push(value(part, depth + 1));
    rest = part.rest;
  }
  return values;
}

// Of what a tnetstring may be: what headers can be.
function value({ data, kind }, depth) {
  if (depth > DEPTH) throw new Error("a tnetstring nests too deep");
  if (kind === ",") return text(data);
  if (kind === "]") return list(data, depth);
  throw new Error("a header is no string");
}

export function netstring(bytes) {
  const part = frame(bytes);
  if (part.kind !== ",") throw new Error("a netstring does not end where its size says");
  return part;
}

function frame(bytes) {
  const colon = bytes.subarray(0, 10).indexOf(":");
  const size = bytes.toString("latin1", 0, Math.max(colon, 0));
  if (!/^\d{1,9}$/.test(size)) throw new Error("a netstring does not begin with its size");
  const end = colon + 1 + Number(size);
  if (end >= bytes.length) throw new Error("a netstring is shorter than its size says");
  return { data: bytes.subarray(colon + 1, end), kind: String.fromCharCode(bytes[end]), rest: bytes.subarray(end + 1) };
}

function split(bytes, mark) {
  const at = bytes.indexOf(mark);
  if (at < 0) throw new Error("it does not begin with a UUID, an id and a path");
  return [bytes.subarray(0, at), bytes.subarray(at + 1)];
}

// As the server makes JSON of bytes: UTF-8, or else each byte is the character of that number.
function text(bytes) {
  const decoded = bytes.toString("utf8");
  return decoded.includes("\ufffd") && !Buffer.from(decoded).equals(bytes) ? bytes.toString("latin1") : decoded;
}

export function bytes(data) {
  if (typeof data === "string") return Buffer.from(data);
  return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data);
}

export function reply(server, ids, data) {
  return Buffer.concat([Buffer.from(`${server} ${ids.length}:${ids}, `), bytes(data)]);
}

// What the server is asked to do, as a tnetstring.
export function extended(name, key, value) {
  const closed = (inner, kind) => Buffer.concat([Buffer.from(`${inner.length}:`), inner, Buffer.from(kind)]);
  const string = (inner) => closed(Buffer.from(inner), ",");
  const data = key === undefined ? string(value) : closed(Buffer.concat([string(key), scalar(value)]), "}");
  return closed(Buffer.concat([string(name), data]), "]");

  function scalar(inner) {
    return closed(Buffer.from(String(inner)), inner === true ? "!" : "#");
  }
}

// A whole HTTP answer: its Content-Length is added, and one to HEAD, or that can't have a body, gets none.
export function http(data, { status = 200, headers = {}, isHead = false } = {}) {
  const body = bytes(data);
  const isBodiless = status < 200 || status === 204 || status === 304;
  const fields = Object.entries(headers).filter(([name]) => name.toLowerCase() !== "content-length");
  if (fields.some(([name]) => name.toLowerCase() === "transfer-encoding")) {
    throw new TypeError("a whole answer has no Transfer-Encoding");
  }
  if (!isBodiless) fields.push(["Content-Length", body.length]);
  const answer = head(status, fields);
  return isHead || isBodiless ? answer : Buffer.concat([answer, body]);
}

// Status line and headers, with the empty line behind them.  Throws where a header would become something else.
export function head(status, fields) {
  if (!(status >= 100 && status <= 999)) throw new RangeError(`${status} is no HTTP status`);
  const lines = fields.map(([name, value]) => {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new TypeError(`${JSON.stringify(name)} is no name of a header`);
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) throw new TypeError(`the value of ${name} has control characters`);
    return `${name}: ${value}`;
  });
  return Buffer.from([`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, ...lines, "", ""].join("\r\n"));
}

// A WebSocket's frame with a whole message: a text if it is a string, unless the opcode says otherwise.
export function webSocketFrame(data, opcode = typeof data === "string" ? 1 : 2) {
  const body = bytes(data);
  if (opcode & 8 && body.length > CONTROL) throw new RangeError(`a control frame has at most ${CONTROL} bytes`);
  return Buffer.concat([Buffer.from([0x80 | (opcode & 15), ...length(body.length)]), body]);
}

function length(size) {
  if (size < 126) return [size];
  if (size < 65536) return [126, size >> 8, size & 0xff];
  const long = Buffer.alloc(8);
  long.writeBigUInt64BE(BigInt(size));
  return [127, ...long];
}
