import { createHash } from "node:crypto";
import { ask, passOn } from "../../../origin";
import { timed } from "../../../lab";

const BUSY_MS = Number(process.env.DIGEST_MS ?? 2);

/** Work that never yields: nothing else runs in this process meanwhile. */
function digest(forMs) {
  let value = "seed";
  for (const end = performance.now() + forMs; performance.now() < end; ) value = createHash("sha256").update(value).digest("hex");
  return value;
}

export async function GET() {
  const { "x-request-id": id } = await passOn();
  const me = await ask("/v1/me/");
  const value = await timed(id, "compute", "a timer around the work that does not yield", async () => digest(BUSY_MS));
  return Response.json({ user: me.body?.id ?? null, digest: value });
}
