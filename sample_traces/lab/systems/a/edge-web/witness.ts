import { appendFileSync } from "node:fs";

/** CLOCK_MONOTONIC in nanoseconds: the clock of every instrument of the lab. */
export const now = (): bigint => process.hrtime.bigint();

export type Line = { request_id: string; call: string; owner: string; cause: string; start: bigint; end: bigint; source: string };

/** Write one line of the second instrument: what took from `start` to `end`, apart from any span. */
export function note({ start, end, ...line }: Line) {
  if (!process.env.WITNESS) return;
  const whole = { ...line, start_ns: Number(start), end_ns: Number(end) };
  appendFileSync(process.env.WITNESS, `${JSON.stringify(whole)}\n`);
}
