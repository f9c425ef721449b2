// Answers each request with one reply of each kind: node kinds.js REQUESTS_FROM REPLIES_TO LIBRARY

const [requestsFrom, repliesTo, library] = process.argv.slice(2);
const { Connection } = await import(library);
const connection = new Connection({ requestsFrom, repliesTo });
const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);

for await (const request of connection) {
  const { server, body, path, data } = request;
  if (request.isDisconnect) {
    await connection.deliverJson(server, Array.from({ length: 300 }, (_, index) => index), "gone");
    continue;
  }
  await connection.reply(request, bytes);
  await connection.reply(request, body);
  await connection.replyJson(request, [path, request.header("cookie") ?? null, data ?? null]);
  await connection.replyHttp(request, "é", { status: 404, headers: { "X-A": 1 } });
  await connection.replyWebSocket(request, "é");
  await connection.replyWebSocket(request, bytes);
  await connection.replyWebSocket(request, "ping", 9);
  if (String(body) === "key") await connection.acceptWebSocket(request, "chat");
  await connection.keepAlive(request);
  await connection.credits(request, 4096);
  await connection.cancel(request);
  await connection.sendFile(request, "film.mp4");
  await connection.deliverHttp(server, [1, "2"], "x", { status: 304 });
  await connection.deliverWebSocket(server, [3], "x");
  await connection.deliverClose(server, [4]);
  try {
    await connection.replyHttp(request, "", { headers: { "X-A": "1\r\nX-B: 2" } });
  } catch {
    await connection.close(request);
  }
}
