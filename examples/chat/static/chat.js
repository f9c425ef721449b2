// What others say reaches the page by textContent only, so that it is text and never a part of the page.

const KEPT = 500; // messages that stay on the page
const element = (id) => document.getElementById(id);

const users = new Set();
let socket;

element("join").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = element("name").value;
  if (socket?.readyState === WebSocket.OPEN) return send({ type: "join", user: name });
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/chatdemo/socket`);
  socket.addEventListener("open", () => send({ type: "join", user: name }));
  socket.addEventListener("message", ({ data }) => hear(JSON.parse(data)));
  socket.addEventListener("close", leave);
});

element("say").addEventListener("submit", (event) => {
  event.preventDefault();
  send({ type: "msg", msg: element("text").value });
  element("text").value = "";
});

function send(word) {
  socket.send(JSON.stringify(word));
}

function hear({ type, ...word }) {
  if (type === "userList") enter(word.users);
  if (type === "join") come(word.user);
  if (type === "leave") go(word.user);
  if (type === "msg") show("message", word.msg, word.user);
  if (type === "error") complain(word.error);
}

function enter(present) {
  users.clear();
  present.forEach((user) => users.add(user));
  list();
  element("join").hidden = true;
  element("room").hidden = false;
  element("state").textContent = "Connected.";
  element("text").focus();
}

function come(user) {
  users.add(user);
  list();
  show("event", `${user} has come.`);
}

function go(user) {
  users.delete(user);
  list();
  show("event", `${user} has left.`);
}

function complain(error) {
  element("state").textContent = `Sorry: ${error}.`;
  if (!element("room").hidden) show("error", `Sorry: ${error}.`);
}

function leave() {
  element("state").textContent = "Not connected.";
  element("room").hidden = true;
  element("join").hidden = false;
}

function list() {
  element("users").replaceChildren(...[...users].sort().map((user) => item("user", user)));
}

function show(kind, text, user) {
  const line = item(kind, "");
  if (user !== undefined) line.append(span("user", user));
  line.append(text);
  const messages = element("messages");
  messages.append(line);
  while (messages.children.length > KEPT) messages.firstChild.remove();
  line.scrollIntoView();
}

function item(kind, text) {
  return make("li", kind, text);
}

function span(kind, text) {
  return make("span", kind, text);
}

function make(tag, kind, text) {
  const made = document.createElement(tag);
  made.className = kind;
  made.textContent = text;
  return made;
}
