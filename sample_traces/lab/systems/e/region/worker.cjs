// The consumer of the queue: takes one message after another; nobody waits for what it does.
"use strict";
const http = require("node:http");
const { context, propagation, ROOT_CONTEXT, SpanKind, trace } = require("@opentelemetry/api");

const env = process.env;
const agent = new http.Agent({ keepAlive: true });

function receive() {
  return new Promise((resolve, reject) => {
    http
      .get(`${env.QUEUE_URL}/receive`, { agent }, (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => resolve(JSON.parse(Buffer.concat(parts).toString() || "null")));
      })
      .on("error", reject);
  });
}

async function processed(message) {
  const sent = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, message.headers));
  const options = {
    kind: SpanKind.CONSUMER,
    links: sent ? [{ context: sent }] : [],
    attributes: {
      "messaging.system": "qstash",
      "messaging.destination.name": "orders",
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.message.id": message.id,
    },
  };
  const span = trace.getTracer("orders-queue").startSpan("process orders", options, ROOT_CONTEXT);
  await new Promise((done) => setTimeout(done, Number(env.JOB_MS ?? 5) * (0.85 + 0.3 * Math.random())));
  span.end();
}

async function main() {
  for (;;) {
    const message = await receive();
    if (message) await processed(message);
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
