// The regional service: several statements for a list of orders, one for a new order, a third party for a quote.
"use strict";
const { AsyncLocalStorage } = require("node:async_hooks");
const http = require("node:http");
const { context, propagation, SpanKind, trace } = require("@opentelemetry/api");
const { neon, neonConfig } = require("@neondatabase/serverless");
const { witness } = require("./witness.cjs");

const env = process.env;
const OWN = `origin:${env.OTEL_SERVICE_NAME}`;
const asking = new AsyncLocalStorage();
const marks = () => ({ "x-request-id": asking.getStore()?.id ?? "", "x-lab-call": asking.getStore()?.call ?? "" });

neonConfig.fetchEndpoint = () => `${env.PRIMARY_URL}/sql`;
neonConfig.fetchFunction = (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...marks() } });
const sql = neon("postgresql://app:secret@primary.neon.tech/shop");
const partner = new http.Agent({ keepAlive: !env.PARTNER_CLOSES, maxSockets: 32 });
const broker = new http.Agent({ keepAlive: true });

function request(url, options, agent, body) {
  return new Promise((resolve, reject) => {
    const sent = http.request(url, { ...options, agent }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve(JSON.parse(Buffer.concat(parts).toString() || "null")));
    });
    sent.on("socket", (socket) => timeConnect(socket));
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Times the connection of a fresh socket, by its own events. */
function timeConnect(socket) {
  const { id = "", call = "" } = asking.getStore() ?? {};
  if (!socket.connecting || !id) return;
  let took = witness(id, env.PARTNER_SEAM, "connect", call, "the socket, from its making to its connect event");
  socket.once("lookup", () => {
    took = witness(id, env.PARTNER_SEAM, "connect", call, "the socket, from its lookup to its connect event");
  });
  socket.once("connect", () => took());
}

async function orders(user) {
  const [who] = await sql`SELECT id, name FROM users WHERE id = ${user}`;
  const found = await sql`SELECT id, placed FROM orders WHERE user_id = ${who.id} ORDER BY placed DESC LIMIT 20`;
  const items = await sql`SELECT id, sku FROM order_items WHERE order_id = ${found[0].id}`;
  const [address] = await sql`SELECT id, city FROM addresses WHERE user_id = ${who.id} AND item = ${items[0].id}`;
  return { who, found, items, address };
}

async function placed(user) {
  const [order] = await sql`INSERT INTO orders (user_id) VALUES (${user}) RETURNING id`;
  await trace.getTracer("orders-queue").startActiveSpan("send orders", { kind: SpanKind.PRODUCER }, async (span) => {
    const headers = { "content-type": "application/json" };
    propagation.inject(context.active(), headers);
    const message = await request(`${env.QUEUE_URL}/send`, { method: "POST", headers }, broker, JSON.stringify({ order: order.id }));
    span.setAttributes({
      "messaging.system": "qstash",
      "messaging.destination.name": "orders",
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
      "messaging.message.id": message.id,
      "server.address": new URL(env.QUEUE_URL).hostname,
    });
    span.end();
  });
  return { order: order.id, status: "queued" };
}

const quote = (sku) => request(`${env.PARTNER_URL}/v2/quotes/${sku}`, { headers: marks() }, partner);

const ROUTES = { "GET orders": ["/orders/:user", orders], "POST orders": ["/orders/:user", placed], "GET quote": ["/quote/:sku", quote] };

async function handle(asked, response) {
  const [, kind, key] = asked.url.split("/");
  const [route, work] = ROUTES[`${asked.method} ${kind}`] ?? [];
  const lab = { id: asked.headers["x-request-id"] ?? "", call: asked.headers["x-lab-call"] ?? "" };
  if (!work) return response.writeHead(404).end();
  const span = trace.getActiveSpan();
  span?.updateName(`${asked.method} ${route}`);
  span?.setAttribute("http.route", route);
  const took = witness(lab.id, OWN, "handler", lab.call, "a timer around the handler");
  try {
    const answer = await asking.run(lab, () => work(key));
    response.writeHead(asked.method === "POST" ? 202 : 200, { "content-type": "application/json" });
    took();
    response.end(JSON.stringify(answer));
  } catch (error) {
    console.error(error);
    took();
    response.writeHead(502).end("{}");
  }
}

const server = http.createServer(handle);
server.keepAliveTimeout = 30000;
server.listen(Number(env.PORT), env.ADDRESS);
