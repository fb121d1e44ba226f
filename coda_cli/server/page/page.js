"use strict";
// Shows what the server tells. Every text of a model is set as text, never as markup.

const MOST_CHATS = 200;
const MOST_ANSWERS = 50; // of one chat
const MOST_PROBLEMS = 100;
const MOST_SAMPLES = 1000;

const at = (id) => document.getElementById(id);
const state = { socket: null, token: "", server: null, last: 0, wait: 500, allowed: [], shown: null, chosen: false };
const chats = new Map();
let totals = emptyTotals();

function emptyTotals() {
  return { answers: 0, tokens: 0, cost: 0, unpriced: 0, failed: 0, first: [], whole: [] };
}

function made(tag, text = "", kind = "") {
  const node = document.createElement(tag);
  if (text) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

function say(text, kind = "") {
  at("state").textContent = text;
  at("state").className = kind;
}

// ---- the connection

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("coda-token", given);
    history.replaceState(null, "", location.pathname); // not to stay in the address, nor in the history
  }
  return given || sessionStorage.getItem("coda-token") || "";
}

function connect() {
  if (!state.token) {
    at("login").hidden = false;
    say("not connected", "down");
    return;
  }
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/events`);
  state.socket = socket;
  socket.onopen = () => tell({ type: "auth", token: state.token });
  socket.onmessage = (message) => heard(JSON.parse(message.data));
  socket.onclose = (end) => {
    state.socket = null;
    if (end.code === 1008) {
      sessionStorage.removeItem("coda-token");
      state.token = "";
      connect();
      return;
    }
    say("connection lost, trying again", "down");
    setTimeout(connect, state.wait);
    state.wait = Math.min(state.wait * 2, 10000);
  };
}

function tell(message) {
  if (state.socket && state.socket.readyState === WebSocket.OPEN) state.socket.send(JSON.stringify(message));
}

function heard(event) {
  if (event.id !== undefined) {
    if (event.id <= state.last) return;
    state.last = event.id;
  }
  const does = DOES[event.type];
  if (does) does(event);
}

function forget() {
  chats.clear();
  totals = emptyTotals();
  state.last = 0;
  state.shown = null;
  at("chats").replaceChildren();
  at("stream").replaceChildren();
  at("problems").replaceChildren();
  at("trouble").hidden = true;
  showTotals();
}

// ---- chats and answers

function chatOf(event) {
  let chat = chats.get(event.conversation_id);
  if (chat) return chat;
  const item = made("li");
  const button = made("button");
  const label = made("span", event.conversation_id);
  const note = made("small");
  button.type = "button";
  button.append(label, note);
  button.onclick = () => {
    state.chosen = true; // from now on the page stays where the person is
    show(chat);
  };
  item.append(button);
  chat = { id: event.conversation_id, item, button, note, answers: [], view: made("div") };
  chats.set(chat.id, chat);
  at("chats").prepend(item);
  at("none").hidden = true;
  if (chats.size > MOST_CHATS) drop(chats.values().next().value);
  if (!state.shown) show(chat);
  return chat;
}

function drop(chat) {
  chats.delete(chat.id);
  chat.item.remove();
  if (state.shown === chat) show(null);
}

function show(chat) {
  if (state.shown) state.shown.button.removeAttribute("aria-current");
  state.shown = chat;
  at("stream").replaceChildren();
  at("title").textContent = chat ? chat.id : "Answers";
  if (chat) {
    chat.button.setAttribute("aria-current", "true");
    at("stream").append(chat.view);
  }
}

function answerOf(event) {
  const chat = chatOf(event);
  return chat.answers.length && !chat.answers.at(-1).ended ? chat.answers.at(-1) : begun(chat, event);
}

function begun(chat, event) {
  const box = made("article");
  const head = made("header");
  const who = made("span", event.provider ? `${event.provider}/${event.model}` : "");
  const note = made("span", "answering");
  head.append(who, note);
  box.append(head);
  const answer = { box, head, note, who, started: event.time, first: null, text: null, thinking: null, ended: false };
  if (state.allowed.includes("cancel")) {
    const stop = made("button", "Stop");
    stop.type = "button";
    stop.onclick = () => tell({ type: "cancel", conversation_id: chat.id });
    head.append(stop);
    answer.stop = stop;
  }
  chat.answers.push(answer);
  chat.view.append(box);
  if (chat.answers.length > MOST_ANSWERS) chat.answers.shift().box.remove();
  at("chats").prepend(chat.item);
  if (!state.chosen) show(chat);
  mark(chat, "answering", "live");
  return answer;
}

function mark(chat, text, kind = "") {
  chat.note.textContent = text;
  chat.item.className = kind;
}

function grow(answer, what, delta, kind) {
  if (!answer[what]) {
    const block = made("pre", "", kind);
    answer[what] = document.createTextNode("");
    block.append(answer[what]);
    answer.box.append(block);
  }
  answer[what].appendData(delta);
}

function ended(event, text, kind) {
  const answer = answerOf(event);
  const chat = chatOf(event);
  if (!answer.who.textContent && event.provider) answer.who.textContent = `${event.provider}/${event.model}`;
  answer.ended = true;
  answer.note.textContent = text;
  if (answer.stop) answer.stop.remove();
  answer.box.querySelectorAll(".approval").forEach((one) => one.remove());
  mark(chat, text, kind);
  totals.tokens += event.usage.input_tokens + event.usage.output_tokens;
  return answer;
}

function sample(list, value) {
  list.push(value);
  if (list.length > MOST_SAMPLES) list.shift();
}

function median(list) {
  if (!list.length) return "-";
  const sorted = [...list].sort((a, b) => a - b);
  return `${sorted[Math.floor(sorted.length / 2)].toFixed(2)} s`;
}

function money(cost) {
  return cost === null || cost === undefined ? "unpriced" : `$${cost.toFixed(4)}`;
}

function showTotals() {
  at("answers").textContent = totals.answers;
  at("tokens").textContent = totals.tokens.toLocaleString("en");
  at("cost").textContent = money(totals.cost) + (totals.unpriced ? ` + ${totals.unpriced} unpriced` : "");
  at("first").textContent = median(totals.first);
  at("whole").textContent = median(totals.whole);
  at("failed").textContent = totals.failed;
}

function problem(text) {
  at("trouble").hidden = false;
  at("problems").prepend(made("li", text));
  while (at("problems").children.length > MOST_PROBLEMS) at("problems").lastChild.remove();
}

function approval(event) {
  const answer = answerOf(event);
  const box = made("div", "", "approval");
  box.append(made("pre", `${event.name}: ${event.request.summary || ""}\n${event.request.detail || event.request.arguments}`, "call"));
  if (state.allowed.includes("approve")) {
    for (const [decision, word] of [["once", "Allow once"], ["no", "No"]]) {
      const button = made("button", word);
      button.type = "button";
      button.onclick = () =>
        tell({ type: "answer", request_id: event.request_id, decision, digest: event.request.digest });
      box.append(button);
    }
  }
  box.dataset.request = event.request_id;
  answer.box.append(box);
}

// A new block after a tool has spoken: what comes then stands below it.
function block(event, text, kind) {
  const answer = answerOf(event);
  answer.text = answer.thinking = null;
  answer.box.append(made("pre", text, kind));
}

function chunk(event, what, kind) {
  const answer = answerOf(event);
  if (answer.first === null) {
    answer.first = event.time - answer.started;
    sample(totals.first, answer.first);
  }
  grow(answer, what, event.delta, kind);
}

const DOES = {
  hello(event) {
    if (state.server !== null && state.server !== event.server) forget();
    state.server = event.server;
    state.allowed = event.allowed;
    state.wait = 500;
    at("login").hidden = true;
    at("ask").hidden = !event.allowed.includes("ask");
    say("live", "live");
    tell({ type: "replay", after: state.last, server: event.server });
  },
  replay_incomplete(event) {
    if (event.oldest > 1) problem("older events are not here any more");
  },
  events_lost(event) {
    problem(`${event.count} pieces were left out: this page was too slow`);
  },
  error(event) {
    problem(`${event.message}${event.hint ? ` (${event.hint})` : ""}`);
  },
  response_start(event) {
    begun(chatOf(event), event);
  },
  response_chunk(event) {
    chunk(event, "text", "answer");
  },
  reasoning_chunk(event) {
    chunk(event, "thinking", "thinking");
  },
  function_calls(event) {
    for (const call of event.calls) block(event, `${call.name} ${call.arguments}`, "call");
  },
  function_result(event) {
    block(event, event.text.slice(0, 4000), event.is_error ? "call wrong" : "call");
  },
  approval_requested: approval,
  approval_answered(event) {
    for (const box of answerOf(event).box.querySelectorAll(".approval")) {
      if (box.dataset.request === event.request_id) box.replaceWith(made("pre", `answered: ${event.decision}`, "call"));
    }
  },
  retry_scheduled(event) {
    problem(`${event.error.message}: attempt ${event.attempt + 1} in ${event.wait.toFixed(1)} s`);
  },
  provider_status_change(event) {
    problem(`${event.provider} is ${event.available ? "back" : `away: ${event.reason}`}`);
  },
  provider_fallback(event) {
    problem(`${event.provider} failed, ${event.to_provider} is asked instead: ${event.error.message}`);
  },
  budget_reached(event) {
    problem(`the budget of the ${event.scope} is reached: ${event.limit} ${event.unit}`);
  },
  response_complete(event) {
    const took = `${event.latency.toFixed(2)} s`;
    const used = `${event.usage.output_tokens} tokens, ${money(event.cost)}, ${took}${event.cached ? ", cached" : ""}`;
    const answer = ended(event, event.status === "complete" ? used : `${event.status}, ${used}`, "");
    // The event has the whole answer: pieces that were lost are there again.
    const told = [...answer.box.querySelectorAll("pre.answer")];
    if (told.map((one) => one.textContent).join("") !== event.content) {
      told.forEach((one) => one.remove());
      answer.box.append(made("pre", event.content, "answer"));
    }
    totals.answers += 1;
    if (event.cost === null) totals.unpriced += 1;
    else totals.cost += event.cost;
    sample(totals.whole, event.latency);
    showTotals();
  },
  response_error(event) {
    const answer = ended(event, "failed", "bad");
    const told = `${event.error.message}${event.error.hint ? `\n${event.error.hint}` : ""}`;
    answer.box.append(made("pre", told, "wrong"));
    totals.failed += 1;
    problem(`${event.provider}/${event.model}: ${event.error.message}`);
    showTotals();
  },
};

at("login").onsubmit = (event) => {
  event.preventDefault();
  state.token = at("token").value.trim();
  at("token").value = "";
  sessionStorage.setItem("coda-token", state.token);
  connect();
};
at("ask").onsubmit = (event) => {
  event.preventDefault();
  const prompt = at("prompt").value;
  if (!prompt.trim()) return;
  at("prompt").value = "";
  tell(state.shown ? { type: "ask", prompt, conversation_id: state.shown.id } : { type: "ask", prompt });
};
state.token = takeToken();
connect();
