// A poll, whose result everybody sees at once.
//
// node poll.js [REQUESTS_FROM REPLIES_TO]: the server's send_spec and recv_spec.

import { Connection } from "./mongrel2.js";

const [requestsFrom = "tcp://127.0.0.1:9973", repliesTo = "tcp://127.0.0.1:9972"] = process.argv.slice(2);

const connection = new Connection({ requestsFrom, repliesTo });
const votes = { yes: 0, no: 0 };
const watchers = new Map(); // a server's UUID: the ids of connections that see each vote

for await (const request of connection) {
  if (request.isDisconnect) watchers.get(request.server)?.delete(request.id);
  else if (request.isNotice("credits")) continue; // the server, with download.flow_control, has written something
  else if (request.method === "GET" && request.path.endsWith("/live")) await watch(request);
  else if (request.method === "GET" || request.method === "HEAD") await answer(request, 200, votes);
  else if (request.method === "POST") await vote(request);
  else await answer(request, 405, { error: "there are GET, HEAD and POST" }, { Allow: "GET, HEAD, POST" });
}

function answer(request, status, value, headers = {}) {
  headers = { "Content-Type": "application/json", ...headers };
  return connection.replyHttp(request, `${JSON.stringify(value)}\n`, { status, headers });
}

// Server-sent events: an answer that goes on for as long as somebody watches.
async function watch(request) {
  const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
  await connection.reply(request, head + event());
  const ids = watchers.get(request.server) ?? new Set();
  watchers.set(request.server, ids.add(request.id));
}

async function vote(request) {
  const choice = choiceOf(request.body);
  if (choice === undefined) return answer(request, 400, { error: 'a vote is {"vote": "yes"} or {"vote": "no"}' });
  votes[choice] += 1;
  await answer(request, 200, votes);
  for (const [server, ids] of watchers) await connection.deliver(server, ids, event());
}

function choiceOf(body) {
  try {
    const { vote } = JSON.parse(body);
    return Object.hasOwn(votes, vote) ? vote : undefined;
  } catch {
    return undefined; // it is no JSON, or null
  }
}

function event() {
  return `data: ${JSON.stringify(votes)}\n\n`;
}
