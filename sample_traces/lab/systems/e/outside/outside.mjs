// What other people run, without spans: a database that speaks SQL over HTTP as Neon does, a partner's API, a queue, and
// the anycast router in front of the two places. Which one: ROLE.
import { createHash, randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
import http from "node:http";

const env = process.env;
const [fastMs, slowMs, share] = [Number(env.FAST_MS ?? 2), Number(env.SLOW_MS ?? 0), Number(env.SHARE ?? 0)];
const now = () => Number(process.hrtime.bigint());

/** Whether a request is among the share that is slow: as the lab's `hit`, by its id alone. */
function hit(id) {
  return createHash("sha256").update(`0:${id}`).digest().readUInt32BE(0) < share * 2 ** 32;
}

function bodyOf(request) {
  return new Promise((resolve) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => resolve(Buffer.concat(parts).toString()));
  });
}

/** Work for its time, and write down how long that was. */
async function worked(request, cause) {
  const [start, id, call] = [now(), request.headers["x-request-id"] ?? "", request.headers["x-lab-call"] ?? ""];
  await new Promise((done) => setTimeout(done, (hit(id) ? slowMs : fastMs) * (0.85 + 0.3 * Math.random())));
  const line = { request_id: id, owner: env.OWN_NAME, cause, call, start_ns: start, end_ns: now(), source: "the server's own timer" };
  if (env.WITNESS && id) appendFileSync(env.WITNESS, `${JSON.stringify(line)}\n`);
}

function answer(response, value, more = {}) {
  response.writeHead(200, { "content-type": "application/json", ...more });
  response.end(JSON.stringify(value));
}

async function sql(request, response) {
  const start = await bodyOf(request);
  await worked(request, "query");
  const command = JSON.parse(start).query.split(" ")[0];
  const fields = [
    { name: "id", dataTypeID: 23 },
    { name: "name", dataTypeID: 25 },
  ];
  answer(response, { command, rowCount: 2, fields, rows: [["7", "seven"], ["8", "eight"]], rowAsArray: true });
}

async function partner(request, response) {
  await worked(request, "external_call");
  answer(response, { quote: request.url.split("/").pop(), cents: 1999 }, env.CLOSES ? { connection: "close" } : {});
}

const [messages, receivers] = [[], []];

async function queue(request, response) {
  if (request.url === "/receive") {
    const message = messages.shift();
    if (message) return answer(response, message);
    receivers.push(response);
    return setTimeout(() => {
      const at = receivers.indexOf(response);
      if (at >= 0) answer(receivers.splice(at, 1)[0], null);
    }, 1000);
  }
  const { traceparent } = request.headers;
  const message = { id: randomUUID(), headers: traceparent ? { traceparent } : {}, body: await bodyOf(request) };
  const receiver = receivers.shift();
  if (receiver) answer(receiver, message);
  else messages.push(message);
  return answer(response, { id: message.id });
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const PLACES = (env.PLACES ?? "").split(",");

function router(request, response) {
  const [hostname, port] = PLACES[Number(request.headers["x-place"] ?? 0)].split(":");
  const { "x-place": _, ...headers } = request.headers;
  const onward = http.request({ hostname, port, method: request.method, path: request.url, headers, agent }, (found) => {
    response.writeHead(found.statusCode, found.headers);
    found.pipe(response);
  });
  onward.on("error", () => response.writeHead(502).end());
  request.pipe(onward);
}

const server = http.createServer({ sql, partner, queue, router }[env.ROLE]);
server.keepAliveTimeout = 30000;
server.listen(Number(env.PORT), env.ADDRESS);
process.on("SIGTERM", () => process.exit(0));
