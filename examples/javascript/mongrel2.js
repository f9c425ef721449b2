// Handlers for mongrel2: programs that get requests over ZeroMQ and answer them.
//
//     import { Connection } from "./mongrel2.js";
//
//     const connection = new Connection({ requestsFrom: "tcp://127.0.0.1:9997", repliesTo: "tcp://127.0.0.1:9996" });
//     for await (const request of connection) {
//       if (!request.isDisconnect) await connection.replyHttp(request, `You asked for ${request.path}\n`);
//     }
//
// A PUB socket throws away what nobody has subscribed to, and the server's subscription arrives some time after it is
// connected.  An XPUB socket is the same to the server but hears of subscriptions, so that a reply can wait for one.

import { Pull, Subscriber, XPublisher } from "zeromq";
import * as wire from "./wire.js";

const MAX_IDS = 128; // connections in a message: the default of the server's limits.handler_targets
const PATIENCE = 2000; // milliseconds that a reply waits for a subscription
const QUEUE = 10_000; // replies that wait for a server that takes them slowly

export { Request } from "./wire.js";

export class Connection {
  #requests;
  #replies;
  #topics = new Set();
  #waiting = new Set(); // who wants to know of a new subscription
  #isDeserted = false; // a reply has waited for a server in vain, and the next ones need not
  #last = Promise.resolve(); // replies leave one after the other

  // requestsFrom is the server's send_spec, repliesTo its recv_spec; with allRequests the handler gets every request of
  // a send_type "pub".
  constructor({ requestsFrom, repliesTo, allRequests = false }) {
    this.#replies = new XPublisher({ linger: 1000, sendHighWaterMark: QUEUE });
    this.#replies.connect(repliesTo);
    this.#requests = allRequests ? new Subscriber({ receiveHighWaterMark: 0 }) : new Pull();
    if (allRequests) this.#requests.subscribe();
    this.#requests.connect(requestsFrom);
    this.#hear();
  }

  // Requests and notices.  What is none is told on stderr and skipped.
  async *[Symbol.asyncIterator]() {
    for await (const [message] of this.#requests) {
      let request;
      try {
        request = wire.parse(message);
      } catch (error) {
        console.error(`skipped a message: ${error.message}`);
        continue;
      }
      yield request;
    }
  }

  // To the client that has asked.  No bytes close its connection.
  reply(request, data) {
    return this.deliver(request.server, [request.id], data);
  }

  replyHttp(request, data, { status, headers } = {}) {
    return this.reply(request, wire.http(data, { status, headers, isHead: request.method === "HEAD" }));
  }

  replyJson(request, value) {
    return this.reply(request, JSON.stringify(value));
  }

  // Answers a WEBSOCKET_HANDSHAKE: from here on the client sends messages, and takes frames.
  async acceptWebSocket(request, protocol) {
    if (request.method !== "WEBSOCKET_HANDSHAKE") throw new TypeError("the request asks for no WebSocket");
    const fields = [["Upgrade", "websocket"], ["Connection", "Upgrade"]];
    fields.push(["Sec-WebSocket-Accept", String(request.body)]);
    if (protocol) fields.push(["Sec-WebSocket-Protocol", protocol]);
    return this.reply(request, wire.head(101, fields));
  }

  replyWebSocket(request, data, opcode) {
    return this.reply(request, wire.webSocketFrame(data, opcode));
  }

  close(request) {
    return this.reply(request, "");
  }

  // The same to any number of a server's connections.
  async deliver(server, ids, data) {
    const all = [...ids].map(String);
    if (!all.every((id) => /^\d+$/.test(id))) throw new TypeError("an id of a connection is a number");
    for (let at = 0; at < all.length; at += MAX_IDS) {
      await this.#send(wire.reply(server, all.slice(at, at + MAX_IDS).join(" "), data));
    }
  }

  deliverHttp(server, ids, data, { status, headers } = {}) {
    return this.deliver(server, ids, wire.http(data, { status, headers }));
  }

  deliverJson(server, ids, value) {
    return this.deliver(server, ids, JSON.stringify(value));
  }

  deliverWebSocket(server, ids, data, opcode) {
    return this.deliver(server, ids, wire.webSocketFrame(data, opcode));
  }

  deliverClose(server, ids) {
    return this.deliver(server, ids, "");
  }

  // Has the server take the connection for alive, however quiet it is.
  keepAlive(request) {
    return this.#tell(request, wire.extended("ctl", "keep-alive", true));
  }

  // Lets so many more bytes of a streamed upload come.
  credits(request, count) {
    return this.#tell(request, wire.extended("ctl", "credits", count));
  }

  // Drops the connection at once; no notice comes of it.
  cancel(request) {
    return this.#tell(request, wire.extended("ctl", "cancel", true));
  }

  // Has the server send a file below its sendfile_root, behind a head that was a reply before.
  sendFile(request, path) {
    return this.#tell(request, wire.extended("sendfile", undefined, path));
  }

  // Ends: replies on their way have a second.
  end() {
    this.#requests.close();
    this.#replies.close();
  }

  #tell(request, data) {
    return this.#send(wire.reply(request.server, `X ${request.id}`, data));
  }

  #send(message) {
    const sent = this.#last.then(async () => {
      if (await this.#hasSubscriber(message)) return this.#replies.send(message);
      console.error("dropped a reply: no server has subscribed to it");
    });
    this.#last = sent.catch(() => {});
    return sent;
  }

  async #hasSubscriber(message) {
    const deadline = Date.now() + (this.#isDeserted ? 0 : PATIENCE);
    while (![...this.#topics].some((topic) => message.toString("latin1", 0, topic.length) === topic)) {
      this.#isDeserted = Date.now() >= deadline;
      if (this.#isDeserted) return false;
      await this.#newSubscription(deadline - Date.now());
    }
    this.#isDeserted = false;
    return true;
  }

  #newSubscription(patience) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, patience);
      this.#waiting.add(wake);
    });
  }

  // Takes what comes of subscriptions: a byte 1 or 0, then the prefix.
  async #hear() {
    for await (const [notice] of this.#replies) {
      const topic = notice.toString("latin1", 1);
      if (notice[0] === 1) this.#topics.add(topic);
      if (notice[0] === 0) this.#topics.delete(topic);
      this.#waiting.forEach((wake) => wake());
    }
  }
}
