// GrowthBook's remote evaluation, as its SDK asks it: POST /api/eval/<key> → features. No spans: somebody else's service.
import { createHash } from "node:crypto";
import http from "node:http";

const env = process.env;
const [slowMs, fastMs, share] = [Number(env.SLOW_MS ?? 0), Number(env.FAST_MS ?? 1), Number(env.SHARE ?? 0)];

/** Whether a request is among the share that is slow: as the lab's `hit`, by its id alone. */
function hit(id) {
  return createHash("sha256").update(`0:${id}`).digest().readUInt32BE(0) < share * 2 ** 32;
}

function handle(request, response) {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const id = request.headers["x-request-id"] ?? "";
    const visitor = String(JSON.parse(Buffer.concat(parts).toString() || "{}").attributes?.id ?? "");
    const variant = visitor.charCodeAt(visitor.length - 1) % 2 ? "b" : "a";
    const status = env.DOWN && hit(id) ? 503 : 200;
    const send = () => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(status === 200 ? JSON.stringify({ status, features: { "checkout-page": { defaultValue: variant } } }) : "{}");
    };
    setTimeout(send, (!env.DOWN && hit(id) ? slowMs : fastMs) * (0.85 + 0.3 * Math.random()));
  });
}

const server = http.createServer(handle);
server.keepAliveTimeout = 30000;
server.listen(Number(env.PORT), env.ADDRESS);
process.on("SIGTERM", () => process.exit(0));
