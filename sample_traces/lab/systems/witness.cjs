// Timers that know nothing of spans; one JSON line for each, on the monotonic clock.
"use strict";
const { appendFileSync } = require("node:fs");

/** Write the line of what began at a moment of the monotonic clock, maybe in another process, and ends now. */
function since(start, requestId, owner, cause, call, source) {
  const line = { request_id: requestId, owner, cause, call, source, start_ns: Number(start), end_ns: Number(process.hrtime.bigint()) };
  if (process.env.WITNESS && requestId) appendFileSync(process.env.WITNESS, `${JSON.stringify(line)}\n`);
}
exports.since = since;

/** Start a timer; the function it returns stops it and writes the line. */
exports.witness = function witness(requestId, owner, cause, call, source) {
  const start = process.hrtime.bigint();
  return () => since(start, requestId, owner, cause, call, source);
};

/** Keep the processor busy. */
exports.burn = function burn(milliseconds) {
  const until = process.hrtime.bigint() + BigInt(Math.round(milliseconds * 1e6));
  while (process.hrtime.bigint() < until);
};

/** Let the time pass with nothing done, as an import does that waits for a disk or a secret. */
exports.wait = function wait(milliseconds) {
  if (milliseconds > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
};
