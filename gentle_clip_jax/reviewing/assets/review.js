"use strict";
// All that comes from data is set by textContent and by properties, never as HTML.

const byId = (id) => document.getElementById(id);
const make = (name, text) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  return element;
};

// A running server: each answer is on its disk before the next screen comes.
function server() {
  async function asked(path, body) {
    const request = body === undefined ? {} : {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    };
    let response;
    try {
      response = await fetch(path, request);
    } catch {
      throw new Error("The server does not answer. Start gentle-clip review again and reload.");
    }
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    let told = text;
    try { told = JSON.parse(text).error; } catch { /* a sentence as it is */ }
    throw new Error(told);
  }
  return {
    state: () => asked("/state"),
    answer: (screen, kind, x) => asked("/answer", { screen, kind, x }),
    undo: (number) => asked("/undo", { number }),
    mode: (mode) => asked("/mode", { mode }),
    find: (words, start) => asked(`/find?words=${encodeURIComponent(words)}&start=${start}`),
  };
}

const source = server();
let state = null;
let busy = false;
let start = 0; // of the choices that are shown, where nothing is ranked yet

function shown(item) {
  if (item.picture) {
    const picture = make("img");
    picture.src = item.picture;
    picture.alt = "";
    picture.decoding = "async";
    return [picture];
  }
  if (item.texts) return item.texts.map((text) => make("p", text));
  return [make("p", item.label ? `${item.name} · ${item.label}` : item.name)];
}

const inWords = (item) => (item.texts ? item.texts[0] : item.name);

function showQuestion(question) {
  byId("question").hidden = !question;
  const grid = byId("grid");
  if (!question) {
    grid.replaceChildren();
    return;
  }
  byId("ask").textContent = state.ask;
  const item = shown(question.item);
  if (question.item.picture) item[0].alt = "The picture that is asked about";
  for (const near of question.item.near || []) item.push(make("p", `Near it: ${near}.`));
  byId("item").replaceChildren(...item);
  showChoices(question.choices);
}

function showChoices(choices) {
  const grid = byId("grid");
  grid.classList.toggle("words", !choices.some((choice) => choice.picture));
  grid.classList.toggle("ten", choices.length <= 10);
  grid.replaceChildren(...choices.map((choice, place) => {
    const button = make("button");
    button.type = "button";
    button.tabIndex = place ? -1 : 0;
    if (choice.picture) {
      const name = make("span", choice.name);
      name.className = "name";
      button.append(...shown(choice), name);
      button.setAttribute("aria-label", `${choice.name}, picture ${place + 1} of ${choices.length}`);
    } else if (choice.texts) {
      button.append(make("span", choice.texts[0]));
      for (const text of choice.texts.slice(1, 3)) button.append(make("small", text));
    } else {
      button.append(make("span", choice.name));
      if (choice.label) button.append(make("small", choice.label));
    }
    button.addEventListener("click", () => answer(state.question.ten ? "near" : "match", choice.number));
    button.addEventListener("focus", () => enlarge(choice));
    button.addEventListener("pointerenter", () => enlarge(choice));
    return button;
  }));
  if (choices.length) enlarge(choices[0]);
}

function enlarge(choice) {
  const large = byId("large");
  large.hidden = !choice.picture;
  large.replaceChildren(...(choice.picture ? shown(choice) : []));
}

const MODES = ["grid", "ten"];
const KINDS = { none: ["None of these", "0"], unsure: ["Unsure", "?"] };
const MARKS = { match: "✓", near: "≈" };

function showAnswers(answers) {
  byId("given").hidden = !answers.length;
  byId("answers").replaceChildren(...answers.map((given) => {
    const line = make("li");
    const picture = (given.partner && given.partner.picture) || given.item.picture;
    if (picture) {
      line.append(...shown({ picture }));
    } else {
      const mark = make("span", MARKS[given.kind] || KINDS[given.kind][1]);
      mark.className = "mark";
      mark.setAttribute("aria-hidden", "true");
      line.append(mark);
    }
    const partner = given.partner && !given.partner.picture ? ` → ${inWords(given.partner)}` : "";
    line.append(make("p", inWords(given.item) + partner));
    line.append(make("small", told(given)));
    const change = make("button", "Change");
    change.type = "button";
    change.setAttribute("aria-label", `Change the answer to: ${inWords(given.item)}`);
    change.addEventListener("click", () => undo(given.number));
    line.append(change);
    return line;
  }));
}

function told(given) {
  if (given.kind in KINDS) return KINDS[given.kind][0];
  const cosine = given.cosine === null || given.cosine === undefined ? "" : `, cosine ${given.cosine.toFixed(2)}`;
  if (given.kind === "near") return `Closest of ten${cosine}`;
  return (given.rank === null ? "By words" : `Rank ${given.rank}`) + cosine;
}

function show(next, said, right) {
  state = next;
  byId("error").hidden = !next.notice;
  byId("error").textContent = next.notice || "";
  const { match, near, none, unsure, left } = state.counts;
  const close = near ? ` · ${near} closest` : "";
  byId("counts").textContent = `${match} confirmed${close} · ${none} none · ${unsure} unsure · ${left} left`;
  const line = byId("said");
  line.textContent = said || "";
  line.classList.toggle("right", Boolean(right));
  showQuestion(state.question);
  byId("message").hidden = !state.message;
  byId("message").textContent = state.message || "";
  byId("next").hidden = !state.message;
  showAnswers(state.answers);
  start = 0;
  const first = Boolean(state.question && state.question.first);
  byId("modes").hidden = first;
  byId("more").hidden = !first;
  for (const id of ["none", "unsure"]) byId(id).disabled = !state.question;
  byId("undo").disabled = !state.answers.length;
  byId("words").value = "";
  byId("words").hidden = state.mode !== "grid";
  for (const mode of MODES) byId(`${mode}-mode`).setAttribute("aria-pressed", String(mode === state.mode));
  for (const address of state.ahead) new Image().src = address;
  window.scrollTo(0, 0);
  const button = byId("grid").querySelector("button");
  if (first) byId("words").focus({ preventScroll: true });
  else if (button) button.focus({ preventScroll: true });
}

async function change(act, words) {
  if (busy) return;
  busy = true;
  try {
    const next = await act();
    show(next, ...words(next));
  } catch (error) {
    byId("error").textContent = error.message;
    byId("error").hidden = false;
    window.scrollTo(0, 0);
  } finally {
    busy = false;
  }
}

function answer(kind, x = null) {
  if (!state || !state.question) return;
  change(() => source.answer(state.question.screen, kind, x), (next) => {
    const given = next.answers[0];
    if (kind === "near") return [`≈ Saved. ${told(given)}.`, true];
    return kind === "match" ? [`✓ Confirmed. ${told(given)}.`, true] : [`${KINDS[kind][0]}: saved.`];
  });
}

function undo(number = null) {
  if (!state || !state.answers.length) return;
  change(() => source.undo(number), () => ["Undone: answer it again."]);
}

function switchMode(mode) {
  if (state && mode !== state.mode) change(() => source.mode(mode), () => [""]);
}

// Words of one's own: what fits them stands in the grid until they are taken out. Where nothing is
// ranked yet, the choices from `from` on are shown.
async function find(from = 0) {
  const words = byId("words").value.trim();
  const asked = state.question;
  try {
    let { choices } = words || from ? await source.find(words, from) : asked;
    start = choices.length ? from : 0; // after the last ones the first
    if (!choices.length && from) choices = words ? (await source.find(words, 0)).choices : asked.choices;
    if (state.question !== asked || byId("words").value.trim() !== words) return;
    byId("error").hidden = true;
    byId("said").textContent = words ? `Nearest to “${words}”. Empty the box to go back.` : "";
    showChoices(choices);
  } catch (error) {
    byId("error").textContent = error.message;
    byId("error").hidden = false;
  }
}

function move(key) {
  const buttons = [...byId("grid").children];
  if (!buttons.length) return;
  const columns = buttons.filter((one) => one.offsetTop === buttons[0].offsetTop).length;
  const at = buttons.indexOf(document.activeElement);
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  const to = at < 0 ? 0 : at + step;
  if (to < 0 || to >= buttons.length) return;
  for (const button of buttons) button.tabIndex = -1;
  buttons[to].tabIndex = 0;
  buttons[to].focus({ preventScroll: true });
  const box = buttons[to].getBoundingClientRect();
  const top = byId("question").getBoundingClientRect().bottom;
  const bottom = document.querySelector(".choices").getBoundingClientRect().top;
  if (box.top < top) window.scrollBy(0, box.top - top - 8);
  if (box.bottom > bottom) window.scrollBy(0, box.bottom - bottom + 8);
}

document.addEventListener("keydown", (event) => {
  if (event.target.id === "words") {
    if (event.key === "Escape") event.target.value = "";
    else if (event.key !== "ArrowDown") return;
    event.preventDefault();
    if (event.key === "Escape") find();
    const first = byId("grid").querySelector("button");
    if (first) first.focus({ preventScroll: true });
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open || event.repeat && !event.key.startsWith("Arrow")) return;
  const acts = {
    0: () => answer("none"),
    u: () => answer("unsure"),
    h: () => byId("keys").showModal(),
    t: () => switchMode(MODES[(MODES.indexOf(state.mode) + 1) % MODES.length]),
    "/": () => byId("words").focus(),
    Backspace: () => undo(),
  };
  if (event.key.startsWith("Arrow")) move(event.key);
  else if (Object.hasOwn(acts, event.key)) acts[event.key]();
  else return;
  event.preventDefault();
});
byId("none").addEventListener("click", () => answer("none"));
byId("unsure").addEventListener("click", () => answer("unsure"));
byId("undo").addEventListener("click", () => undo());
byId("more").addEventListener("click", () => find(start + 48));
byId("help").addEventListener("click", () => byId("keys").showModal());
for (const mode of MODES) byId(`${mode}-mode`).addEventListener("click", () => switchMode(mode));
byId("tools").addEventListener("submit", (event) => {
  event.preventDefault();
  find();
});
byId("words").addEventListener("input", (event) => {
  if (!event.target.value) find();
});
change(() => source.state(), () => [""]);
