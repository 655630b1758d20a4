import { appendFileSync } from "node:fs";

interface Line {
  request_id: string;
  owner: string;
  cause: string;
  call?: string;
  source: string;
}

/** Starts a timer that knows nothing of spans; the function it returns stops it and writes one line for the lab. */
export function witness(line: Line): () => void {
  const start = process.hrtime.bigint();
  return () => {
    const times = { start_ns: Number(start), end_ns: Number(process.hrtime.bigint()) };
    if (process.env.WITNESS) appendFileSync(process.env.WITNESS, `${JSON.stringify({ ...line, ...times })}\n`);
  };
}

/** Keeps the processor busy. */
export function burn(milliseconds: number): void {
  const until = process.hrtime.bigint() + BigInt(Math.round(milliseconds * 1e6));
  while (process.hrtime.bigint() < until);
}

/** Where a text falls among a hundred parts: the same for the same text (FNV-1a). */
export function hundredthOf(text: string): number {
  let hash = 2166136261;
  for (const letter of text) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  return (hash >>> 0) % 100;
}
