// The origin behind the gate: items, prices and accounts, out of memory after a little work.
"use strict";
const http = require("node:http");
const { trace } = require("@opentelemetry/api");
const { witness } = require("./witness.cjs");

const env = process.env;
const ROUTES = { items: "/items/:id", prices: "/prices/:id", accounts: "/accounts/:id" };

function handle(request, response) {
  const [, kind, key] = request.url.split("/");
  const span = trace.getActiveSpan();
  span?.updateName(`${request.method} ${ROUTES[kind]}`);
  span?.setAttribute("http.route", ROUTES[kind]);
  const id = request.headers["x-request-id"] ?? "";
  const took = witness(id, `origin:${env.OTEL_SERVICE_NAME}`, "handler", request.headers["x-lab-call"] ?? "", "a timer around the handler");
  setTimeout(() => {
    const body = JSON.stringify({ name: `${kind} ${key}`, price: Number(key) * 100, text: "x".repeat(300) });
    response.writeHead(200, { "content-type": "application/json" });
    took();
    response.end(body);
  }, Number(env.WORK_MS ?? 4) * (0.8 + 0.4 * Math.random()));
}

const server = http.createServer(handle);
server.keepAliveTimeout = 30000;
server.listen(Number(env.PORT), env.ADDRESS);
