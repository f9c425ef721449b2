// Talks with an echo: node client.js URL, with the WebSocket of a package and, where Node.js has one, its own.

import assert from "node:assert/strict";
import { WebSocket as Packaged } from "ws";

for (const WebSocket of [Packaged, globalThis.WebSocket].filter(Boolean)) {
  await talk(WebSocket);
}

async function talk(WebSocket) {
  const socket = new WebSocket(process.argv[2], ["chat", "echo"]);
  socket.binaryType = "arraybuffer";
  const failed = new Promise((_, reject) => (socket.onerror = ({ message }) => reject(new Error(message))));
  const next = (name) => Promise.race([failed, new Promise((take) => (socket[`on${name}`] = take))]);
  const echoed = async (message) => {
    const answer = next("message");
    socket.send(message);
    return (await answer).data;
  };

  await next("open");
  assert.equal(socket.protocol, "echo");
  for (const text of ["Grüße", "", "x".repeat(18 * 1024), "x".repeat(100 * 1024)]) {
    assert.equal(await echoed(text), text);
  }
  for (const size of [0, 3, 126, 18 * 1024, 65536]) {
    const bytes = new Uint8Array(size).map((_, index) => index * 7);
    assert.deepEqual(new Uint8Array(await echoed(bytes)), bytes);
  }
  const closed = next("close");
  socket.close(1000, "done");
  const { code, reason, wasClean } = await closed;
  assert.deepEqual({ code, reason, wasClean }, { code: 1000, reason: "done", wasClean: true });
}
