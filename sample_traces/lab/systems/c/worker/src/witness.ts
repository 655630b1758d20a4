/** A witness line without its times: see the lab's witness.py. */
interface Line {
  request_id: string;
  owner: string;
  cause: string;
  call?: string;
  source: string;
}

/**
 * Starts a timer that knows nothing of spans; the function it returns stops it and writes one line on stdout, which the
 * launcher puts where the lab reads it. Milliseconds: a Worker has no finer clock, and no file to write to.
 */
export function witness(line: Line): () => void {
  const start = Date.now();
  return () => console.log(`witness ${JSON.stringify({ ...line, start_ms: start, end_ms: Date.now() })}`);
}
