// The demos, and how the services of each are: asked of m2sh every two seconds, as long as somebody looks at the page.
"use strict";

const PAUSE = 2000; // milliseconds between two questions

function element(name, text, properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...[text ?? []].flat());
  return made;
}

// A demo, but for the state of its services.
function card(demo) {
  const state = element("span", "", { id: `state-${demo.name}`, className: "state" });
  const link = demo.lack ? demo.name : element("a", demo.name, { href: demo.link });
  const program = element("a", element("code", demo.program), { href: `/source/${demo.program}` });
  const section = element("section", [
    element("header", [element("h2", [link]), state]),
    element("p", demo.shows),
    element("p", ["Its program is ", program, "."], { className: "soft" }),
  ], { id: demo.name });
  if (demo.lack) section.append(element("p", ["Left out: ", demo.lack.why, "."]), element("pre", demo.lack.hint));
  else if (demo.commands.length > 0) section.append(element("pre", demo.commands.join("\n")));
  return section;
}

function words({ name, state, uptime, restarts }) {
  const since = uptime == null ? "" : ` for ${duration(uptime)}`;
  const again = restarts > 0 ? `, restarted ${restarts === 1 ? "once" : `${restarts} times`}` : "";
  return `${name} ${state}${since}${again}`;
}

function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

function say(id, text, isGood) {
  const state = document.getElementById(id);
  state.textContent = text;
  state.className = `state ${isGood ? "good" : "bad"}`;
}

// What the cards were made of, as text.
let made = "";

function show({ server, demos }) {
  const now = JSON.stringify(demos.map(({ services, ...rest }) => rest));
  // Another m2sh may have another answer.  Otherwise they stay, with whatever somebody has marked in them.
  if (now !== made) document.getElementById("demos").replaceChildren(...demos.map(card));
  made = now;
  say("server", server ? words(server) : "procer doesn’t answer.", server?.state === "ready");
  for (const { name, lack, services } of demos) {
    const isGood = services.length > 0 && services.every((service) => service.state === "ready");
    if (lack) say(`state-${name}`, "left out", false);
    else say(`state-${name}`, services.map(words).join("; ") || "unknown", isGood);
  }
}

async function ask() {
  if (document.hidden) return;
  try {
    const answer = await fetch("/demos", { cache: "no-store" });
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    show(await answer.json());
  } catch (error) {
    say("server", `m2sh demo doesn’t answer: ${error.message}`, false);
  }
}

async function watch() {
  for (;;) {
    await ask();
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}

document.addEventListener("visibilitychange", ask);
watch();
