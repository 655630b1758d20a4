"use strict";
// The second instrument of the edge: timers around name lookup, dial and the wait for a connection, and a stamp when a
// request is written. It knows nothing of spans. What the lines mean: the lab's witness.py.
const { AsyncLocalStorage } = require("node:async_hooks");
const dns = require("node:dns");
const fs = require("node:fs");
const http = require("node:http");
const tls = require("node:tls");
const { Agent, buildConnector, setGlobalDispatcher } = require("undici");

const OWN = `render:${process.env.OTEL_SERVICE_NAME ?? "edge-web"}`;
const PEERS = JSON.parse(process.env.WITNESS_PEERS ?? "{}"); // host:port -> owner
const LEAST_NS = 100_000n; // what is shorter than a tenth of a millisecond is nobody's wait

const lines = [];
const now = () => process.hrtime.bigint();

function flush() {
  if (lines.length && process.env.WITNESS) fs.appendFileSync(process.env.WITNESS, lines.splice(0).join(""));
}
setInterval(flush, 200).unref();
process.on("exit", flush);
process.prependListener("SIGTERM", flush);

function write(about, owner, cause, start, end, source) {
  const line = { request_id: about.id, call: about.call ?? "", owner, cause, start_ns: Number(start), end_ns: Number(end), source };
  lines.push(`${JSON.stringify(line)}\n`);
}

function note(about, owner, cause, start, end, source) {
  if (about?.id && end - start >= LEAST_NS) write(about, owner, cause, start, end, source);
}

function sent(call) {
  if (call.id) write(call, call.callee, "sent", now(), now(), "the client's write");
}

/** The request that asks and the number of its call; set by the app around each call. */
const asking = new AsyncLocalStorage();
/** The call under way; set here, so that the connector knows for whom it dials. */
const calling = new AsyncLocalStorage();

function peerOf(origin) {
  const url = new URL(origin);
  return PEERS[`${url.hostname}:${url.port}`];
}

function lookup(hostname, options, callback) {
  const call = calling.getStore();
  const began = now();
  dns.lookup(hostname, options, (...answer) => {
    if (call) {
      call.resolved = now();
      note(call, call.seam, "dns", began, call.resolved, "a timer around the lookup");
    }
    callback(...answer);
  });
}

/** Where a dial goes on to a handshake, the moment between the two. */
const shakeHands = tls.connect;
tls.connect = (...given) => {
  const socket = shakeHands(...given);
  const call = calling.getStore();
  if (call) socket.once("connect", () => (call.connected = now()));
  return socket;
};

const dial = buildConnector({ lookup });

function connect(options, callback) {
  const call = calling.getStore();
  const began = now();
  if (call) call.dialling = began;
  dial(options, (error, socket) => {
    const done = now();
    if (call) note(call, call.seam, "connect", call.resolved ?? began, call.connected ?? done, "a timer around the dial");
    if (call?.connected) note(call, call.seam, "tls", call.connected, done, "a timer from the connection to the end of the handshake");
    callback(error, socket);
  });
}

class TimedAgent extends Agent {
  dispatch(options, handler) {
    const asker = asking.getStore();
    const callee = peerOf(options.origin);
    if (!asker || !callee) return super.dispatch(options, handler); // an exporter's own calls, for example
    const call = { ...asker, callee, seam: `${OWN}→${callee}`, dispatched: now() };
    const hooks = {
      onConnect() {
        if (connections) note(call, OWN, "pool_wait", call.dispatched, call.dialling ?? now(), "a timer around the wait for a connection");
        sent(call);
      },
    };
    const timed = new Proxy(handler, {
      get(target, name) {
        const value = target[name];
        if (typeof value !== "function") return value;
        return (...rest) => {
          hooks[name]?.(...rest);
          return value.apply(target, rest);
        };
      },
    });
    return calling.run(call, () => super.dispatch(options, timed));
  }
}

const connections = Number(process.env.CONNECTIONS ?? 0) || null;
const keepAlive = Number(process.env.KEEP_ALIVE_MS ?? 0);
setGlobalDispatcher(
  new TimedAgent({ connect, connections, ...(keepAlive ? { keepAliveTimeout: keepAlive, keepAliveMaxTimeout: keepAlive } : {}) }),
);

/** node:http with an agent, as older code calls: pool wait is what passes before the request has a socket. */
function legacyGet(agent, url, headers) {
  const asker = asking.getStore() ?? {};
  const callee = peerOf(url);
  const call = { ...asker, callee, seam: `${OWN}→${callee}` };
  return new Promise((resolve, reject) => {
    const began = now();
    const request = http.get(url, { agent, headers }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode, text: Buffer.concat(parts).toString() }));
    });
    request.on("socket", () => {
      note(call, OWN, "pool_wait", began, now(), "a timer around the wait for a socket");
      sent(call);
    });
    request.on("error", reject);
  });
}

/** Run one call: its lines carry its number, which goes along as a header. One that fails was not waited for as a call. */
async function during(id, work) {
  const about = { id, call: `${process.pid}-${++calls}` };
  const began = now();
  const answer = await asking.run(about, () => work({ "x-lab-call": about.call }));
  if (id) write(about, OWN, "call", began, now(), "a timer around the call");
  return answer;
}
let calls = 0;

globalThis.lab = { during, note, now, own: OWN, legacyGet };
