// One operation at a time, with what every browser has. Subscriptions come as server-sent events.

const element = (id) => document.getElementById(id);
const [token, answer, stop] = ["token", "answer", "stop"].map(element);
let running = new AbortController();

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", location.pathname + location.search);
}
token.value = sessionStorage.getItem("token") ?? "";
token.addEventListener("change", () => sessionStorage.setItem("token", token.value));
stop.addEventListener("click", () => running.abort());

element("operation").addEventListener("submit", async (event) => {
  event.preventDefault();
  running.abort();
  running = new AbortController();
  const { signal } = running;
  answer.textContent = "";
  stop.disabled = false;
  try {
    await run(signal);
  } catch (error) {
    if (!signal.aborted) answer.textContent += String(error);
  }
  if (running.signal === signal) stop.disabled = true;
});

async function run(signal) {
  const variables = JSON.parse(element("variables").value || "{}");
  const response = await fetch("./graphql", {
    method: "POST",
    headers: {
      Authorization: `Bearer ${token.value.trim()}`,
      "Content-Type": "application/json",
      Accept: "application/graphql-response+json, text/event-stream;q=0.9",
    },
    body: JSON.stringify({ query: element("document").value, variables }),
    signal,
  });
  if (!response.headers.get("Content-Type").startsWith("text/event-stream")) {
    answer.textContent = JSON.stringify(await response.json(), null, 2);
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader(); // Safari iterates over no stream
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const events = (text + part.value).split(/\r?\n\r?\n/);
    text = events.pop();
    for (const event of events) {
      const data = /^data: ?(.+)$/m.exec(event)?.[1];
      if (data) answer.textContent = JSON.stringify(JSON.parse(data), null, 2);
    }
  }
}
