/**
 * Starts a timer that knows nothing of spans; the function it returns stops it and writes one line on stdout, which the
 * lab reads. Milliseconds: a Worker has no finer clock, and its sandbox no file to write to.
 */
export function witness(requestId: string, what: string): () => void {
  const start = Date.now();
  return () => console.log(`witness ${JSON.stringify({ request_id: requestId, what, start_ms: start, end_ms: Date.now() })}`);
}
