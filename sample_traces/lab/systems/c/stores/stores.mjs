// Two stores over HTTP: Workers KV as workerd asks it, and a table over DynamoDB's protocol. Which one: STORE.
import http from "node:http";

const env = process.env;
const slow = new Set((env.SLOW_KEYS ?? "").split(",").filter(Boolean));
const [fastMs, slowMs] = [Number(env.FAST_MS ?? 2), Number(env.SLOW_MS ?? 0)];
const MARKETS = {
  "market:DE": { currency: "EUR", shareOfB: 50 },
  "market:US": { currency: "USD", shareOfB: 30 },
  "market:JP": { currency: "JPY", shareOfB: 20 },
  "market:BR": { currency: "BRL", shareOfB: 60 },
};

/** How long this key takes: the store's own work, a little different each time. */
function delayOf(key) {
  const middle = slow.has(key) || slow.has("*") ? slowMs : fastMs;
  return middle * (0.85 + 0.3 * Math.random());
}

function answer(response, key, value) {
  const send = () => {
    response.writeHead(value === undefined ? 404 : 200, { "content-type": "application/json", "cf-cache-status": "MISS" });
    response.end(value === undefined ? "" : JSON.stringify(value));
  };
  setTimeout(send, delayOf(key));
}

function kv(request, response) {
  const key = decodeURIComponent(new URL(request.url, "http://kv").pathname.slice(1));
  answer(response, key, MARKETS[key]);
}

function table(request, response) {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const key = JSON.parse(Buffer.concat(parts).toString()).Key.pk.S;
    const [kind, name] = key.split("#");
    answer(response, kind, { Item: { pk: { S: key }, name: { S: `${kind} ${name}` }, note: { S: "x".repeat(200) } } });
  });
}

const server = http.createServer(env.STORE === "kv" ? kv : table);
server.keepAliveTimeout = 30000;
server.listen(Number(env.PORT), env.ADDRESS);
process.on("SIGTERM", () => process.exit(0));
