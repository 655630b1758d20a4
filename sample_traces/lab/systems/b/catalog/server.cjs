"use strict";
// A page of the catalog: `node --require ./tracing.cjs server.cjs`. Some pages are made in one go, without yielding:
// the others, which arrive meanwhile, wait for the event loop. With a pool of connections each page asks the database.
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const { Pool } = require("pg");

const OWN = `origin:${process.env.OTEL_SERVICE_NAME ?? "catalog"}`;
const BUSY_MS = Number(process.env.BUSY_MS ?? 1);
const BUSY_EVERY = Number(process.env.BUSY_EVERY ?? 1);
const now = () => process.hrtime.bigint();

function digest(forMs) {
  let value = "seed";
  for (const end = performance.now() + forMs; performance.now() < end; ) value = createHash("sha256").update(value).digest("hex");
  return value;
}

const lines = [];
function passed(request, owner, cause, began, source) {
  const about = { request_id: request.headers["x-request-id"] ?? "", call: request.headers["x-lab-call"] ?? "" };
  const span = { start_ns: Number(began), end_ns: Number(now()), source };
  lines.push(`${JSON.stringify({ ...about, owner, cause, ...span })}\n`);
}
function flush() {
  if (lines.length && process.env.WITNESS) fs.appendFileSync(process.env.WITNESS, lines.splice(0).join(""));
}
setInterval(flush, 200).unref();
process.on("exit", flush);

const most = Number(process.env.POOL ?? 0);
const pool = most ? new Pool({ max: most, user: "shop" }) : null;

/** What stands on a shelf: one statement that takes long for every eighth shelf. */
async function stock(request, shelf) {
  const waits = now();
  const client = await pool.connect();
  passed(request, OWN, "pool_wait", waits, "a timer around the wait for a connection");
  const asks = now();
  const held = shelf % 8 ? 4 : Number(process.env.SHELF_MS ?? 4);
  const { rows } = await client.query("SELECT count(*)::int AS n, held($1) FROM products WHERE shelf = $2", [held, shelf]);
  passed(request, `data:postgres/${process.env.PGDATABASE}`, "query", asks, "a timer around the statement");
  client.release();
  return rows[0].n;
}

let served = 0;
const server = http.createServer(async (request, response) => {
  const began = now();
  const heavy = ++served % BUSY_EVERY === 0;
  const mark = digest(heavy ? BUSY_MS : 0.5).slice(0, 8);
  const shelf = new URL(request.url, "http://localhost").searchParams.get("shelf") ?? "0";
  const count = pool ? await stock(request, Number(shelf)) : 0;
  // the body goes out a turn of the loop later, as after any awaited read
  setImmediate(() => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ shelf, mark, count }));
    passed(request, OWN, "handler", began, "the handler's first and last line");
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.env.PORT ?? 8100), process.env.ADDRESS ?? "127.0.0.1");
