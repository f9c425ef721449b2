// A message of the room is lines of words between tabs; one that is bytes is the picture that a line has announced.
// What others say becomes the text of an element and never its markup.

const KEPT = 300; // lines that stay on the page
const LARGEST = 60 * 1024; // bytes of a picture; the server takes no longer messages
const at = (id) => document.getElementById(id);

const socket = new WebSocket(new URL("socket", location).href.replace(/^http/, "ws"));
let painter = "somebody"; // whose picture comes next

socket.addEventListener("open", () => (at("state").textContent = "Connected."));
socket.addEventListener("close", () => (at("state").textContent = "Not connected.  Load the page again."));
socket.addEventListener("message", ({ data }) => {
  if (data instanceof Blob) return paint(data);
  for (const line of data.split("\n")) hear(...line.split("\t"));
});

at("join").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.send(`join\t${at("name").value}`);
});

at("say").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.send(`say\t${at("text").value}`);
  at("text").value = "";
});

at("picture").addEventListener("change", () => {
  const [picture] = at("picture").files;
  if (picture.size > LARGEST) return sorry("the picture has more than 60 KiB");
  socket.send(picture);
});

function hear(word, ...words) {
  if (word === "here") at("here").textContent = words.sort().join(", ") || "nobody";
  if (word === "you") enter(words[0]);
  if (word === "came") show(note(`${words[0]} has come.`));
  if (word === "left") show(note(`${words[0]} has left.`));
  if (word === "said") show(name(words[0]), words[1]);
  if (word === "shows") painter = words[0];
  if (word === "sorry") sorry(words[0]);
}

function enter(user) {
  at("state").textContent = `You are ${user}.`;
  at("join").hidden = true;
  at("inside").hidden = false;
  at("text").focus();
}

function paint(bytes) {
  const picture = new Image();
  picture.alt = `a picture of ${painter}'s`;
  picture.src = URL.createObjectURL(bytes);
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
  picture.addEventListener("error", () => picture.replaceWith("something that is no picture"));
  show(name(painter), picture);
}

function sorry(reason) {
  at("state").textContent = `Sorry: ${reason}.`;
}

function show(...parts) {
  const line = document.createElement("li");
  line.append(...parts);
  at("lines").append(line);
  while (at("lines").children.length > KEPT) at("lines").firstChild.remove();
  line.scrollIntoView();
}

function name(user) {
  return Object.assign(document.createElement("strong"), { textContent: user });
}

function note(text) {
  return Object.assign(document.createElement("span"), { className: "note", textContent: text });
}
