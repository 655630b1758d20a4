// Runs workerd with a configuration and keeps the Worker's witness lines: `node run.mjs workerd config.capnp`.
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";

const [program, config] = process.argv.slice(2);
const worker = spawn(program, ["serve", config], { stdio: ["ignore", "pipe", "inherit"] });

/** What to add to Unix milliseconds to get nanoseconds of the monotonic clock: both read at one moment. */
function toMonotonic() {
  const wall = performance.timeOrigin + performance.now();
  return Number(process.hrtime.bigint()) - wall * 1e6;
}

const offset = toMonotonic();
createInterface({ input: worker.stdout }).on("line", (line) => {
  if (!line.startsWith("witness ")) return console.log(line);
  const { start_ms: start, end_ms: end, ...rest } = JSON.parse(line.slice(8));
  const times = { start_ns: Math.round(start * 1e6 + offset), end_ns: Math.round(end * 1e6 + offset) };
  if (process.env.WITNESS) appendFileSync(process.env.WITNESS, `${JSON.stringify({ ...rest, ...times })}\n`);
});
worker.on("exit", (code) => process.exit(code ?? 0));
process.on("SIGTERM", () => worker.kill("SIGTERM"));
process.on("SIGINT", () => worker.kill("SIGTERM"));
