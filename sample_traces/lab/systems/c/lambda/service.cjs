// The Lambda service, as far as a function URL shows it: one event at a time in a sandbox, a new sandbox where none is
// free (a fresh process: the cold start), and none kept that was idle for long.
"use strict";
const { randomUUID } = require("node:crypto");
const { spawn } = require("node:child_process");
const { readFileSync, appendFileSync } = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");

const env = process.env;
const [API, PORT, WARM, IDLE_MS] = [env.RUNTIME_API, Number(env.PORT), Number(env.WARM ?? 0), Number(env.IDLE_MS ?? 60000)];
const [IN_FLIGHT_MOST] = [Number(env.SANDBOXES ?? 12)];
const sandboxes = new Map(); // number → {process, next: response that waits for an event, event, since}
const waiting = []; // events for which a sandbox is being started
let numbered = 0;

const now = () => Number(process.hrtime.bigint());

function note(event, owner, cause, start, end, source) {
  if (!env.WITNESS || !event.lab.id) return;
  const line = { request_id: event.lab.id, call: event.lab.call, owner, cause, start_ns: start, end_ns: end, source };
  appendFileSync(env.WITNESS, `${JSON.stringify(line)}\n`);
}

function start() {
  const number = ++numbered;
  const own = {
    ...env,
    AWS_LAMBDA_RUNTIME_API: `${API}`,
    AWS_LAMBDA_LOG_STREAM_NAME: `2026/11/21/[$LATEST]${randomUUID().replaceAll("-", "")}`,
    AWS_LAMBDA_FUNCTION_NAME: env.OTEL_SERVICE_NAME,
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "512",
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    LAMBDA_TASK_ROOT: __dirname,
    _HANDLER: "handler.main",
    SANDBOX: String(number),
  };
  own.AWS_LAMBDA_RUNTIME_API = `${API.split(":")[0]}:${Number(API.split(":")[1]) + number}`;
  const sandbox = { number, api: null, next: null, event: null, since: now(), process: null };
  sandbox.api = http.createServer((request, response) => runtimeApi(sandbox, request, response));
  sandbox.api.listen(Number(own.AWS_LAMBDA_RUNTIME_API.split(":")[1]), API.split(":")[0], () => {
    sandbox.process = spawn(process.execPath, ["--require", path.join(__dirname, "otel.cjs"), path.join(__dirname, "bootstrap.cjs")], {
      env: own,
      stdio: ["ignore", "inherit", "inherit"],
    });
  });
  sandboxes.set(number, sandbox);
}

function give(sandbox, event) {
  const { next } = sandbox;
  [sandbox.next, sandbox.event] = [null, event];
  if (event.cold) event.payload.headers["x-lab-arrived"] = String(event.arrived); // the handler tells how long it took
  next.setHeader("lambda-runtime-aws-request-id", event.id);
  next.setHeader("lambda-runtime-invoked-function-arn", `arn:aws:lambda:${env.AWS_REGION}:123456789012:function:${env.OTEL_SERVICE_NAME}`);
  next.end(JSON.stringify(event.payload));
}

function runtimeApi(sandbox, request, response) {
  if (request.url.endsWith("/invocation/next")) {
    [sandbox.next, sandbox.since] = [response, now()];
    const event = waiting.shift();
    if (event) give(sandbox, event);
    return;
  }
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const { event } = sandbox;
    sandbox.event = null;
    const said = JSON.parse(Buffer.concat(parts).toString());
    const answer = request.url.endsWith("/error") ? { statusCode: 502, body: JSON.stringify(said) } : said;
    event.response.writeHead(answer.statusCode, { ...answer.headers, "x-amzn-requestid": event.id });
    event.response.end(answer.body);
    response.writeHead(202).end();
  });
}

function invoked(request, response) {
  const url = new URL(request.url, "http://function");
  const lab = { id: request.headers["x-lab-request"] ?? "", call: request.headers["x-lab-call"] ?? "" };
  const id = randomUUID();
  const payload = {
    version: "2.0",
    rawPath: url.pathname,
    queryStringParameters: Object.fromEntries(url.searchParams),
    headers: request.headers,
    requestContext: { requestId: id, http: { method: request.method, path: url.pathname, sourceIp: "192.0.2.7" } },
  };
  request.socket.asked = (request.socket.asked ?? 0) + 1;
  if (request.socket.asked >= Number(env.CLOSE_AFTER ?? 1e9)) response.setHeader("connection", "close");
  const event = { id, payload, response, lab, arrived: now(), cold: false };
  if (lab.id && request.socket.shook) {
    const { from, to } = request.socket.shook;
    request.socket.shook = null;
    note(event, env.SEAM, "tls", from, to, "the server's socket: from the accepted connection to the end of the handshake");
  }
  // the most recently used first, as the service does; so that the others grow cold
  const free = [...sandboxes.values()].filter((one) => one.next).sort((one, other) => other.since - one.since)[0];
  if (free) return give(free, event);
  event.cold = true;
  waiting.push(event);
  if (sandboxes.size < IN_FLIGHT_MOST) start();
}

function reap() {
  for (const sandbox of [...sandboxes.values()]) {
    if (sandbox.next && now() - sandbox.since > IDLE_MS * 1e6) {
      sandboxes.delete(sandbox.number);
      sandbox.process.kill("SIGKILL");
      sandbox.api.close();
      sandbox.api.closeAllConnections();
    }
  }
}

const server = env.TLS_KEY
  ? https.createServer({ key: readFileSync(env.TLS_KEY), cert: readFileSync(env.TLS_CERTIFICATE) }, invoked)
  : http.createServer(invoked);
server.keepAliveTimeout = 30000;
if (env.TLS_KEY) {
  const accepted = new Map();
  server.on("connection", (socket) => accepted.set(socket.remotePort, now()));
  server.on("secureConnection", (socket) => {
    socket.shook = { from: accepted.get(socket.remotePort), to: now() };
    accepted.delete(socket.remotePort);
  });
}
/** The extension beside every sandbox: takes spans at once and sends them on later, so that no answer waits for them. */
const held = [];
let sending = Promise.resolve();
const extension = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    held.push({ body: Buffer.concat(parts), headers: request.headers });
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
});

async function sendHeld() {
  for (const { body, headers } of held.splice(0)) {
    const more = headers["content-encoding"] ? { "content-encoding": headers["content-encoding"] } : {};
    const answer = await fetch(`${env.COLLECTOR}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/x-protobuf", ...more },
      body,
    });
    await answer.arrayBuffer();
  }
}

function flush() {
  sending = sending.then(sendHeld).catch((error) => console.error(`extension: ${error}`));
  return sending;
}

extension.listen(4318, env.ADDRESS);
setInterval(flush, 500);

for (let made = 0; made < WARM; made++) start();
setInterval(reap, 50);
function listenWhenWarm() {
  const ready = [...sandboxes.values()].filter((one) => one.next).length;
  if (ready < WARM) return setTimeout(listenWhenWarm, 20);
  server.listen(PORT, env.ADDRESS);
}
listenWhenWarm();
process.on("SIGTERM", () => {
  for (const sandbox of sandboxes.values()) sandbox.process?.kill("SIGKILL"); // each sent its spans before it answered
  flush().then(() => process.exit(0));
});
