import { context, createContextKey, trace } from "@opentelemetry/api";
import { cookies, headers } from "next/headers";
import { clock, during, passed } from "./lab";

export const ORIGIN = process.env.ORIGIN_URL ?? "http://localhost:8000";
const ESSENTIAL = createContextKey("seamscope.essential");

/** The headers that go with every call of one request: who asks, and under which request id. */
export async function passOn() {
  const id = (await headers()).get("x-request-id");
  const session = (await cookies()).get("session")?.value;
  // Next 14 and 15 make two traces of one request: the id is what both have, so it goes on this one too.
  if (id) trace.getActiveSpan()?.setAttribute("http.request.header.x-request-id", [id]);
  const queued = process.env.QUEUE_HEADER === "yes" ? { "x-request-start": `t=${(Date.now() / 1000).toFixed(3)}` } : {};
  return { ...queued, ...(id ? { "x-request-id": id } : {}), ...(session ? { authorization: `Bearer ${session}` } : {}) };
}

/** Tells Seamscope that the page survives without this call: on the fetch span, whichever SDK makes it. */
function marked(essential, init) {
  if (essential === undefined) return [context.active(), init];
  const attributes = { "seamscope.essential": essential };
  return [context.active().setValue(ESSENTIAL, essential), { ...init, opentelemetry: { attributes } }];
}

/** One attempt, to the last byte. A status above 399 is an answer: the page decides what it can do without. */
async function attempt(url, init, id, timeoutMs) {
  const signal = timeoutMs ? AbortSignal.timeout(timeoutMs) : undefined;
  return during(id, async (noted) => {
    const response = await fetch(url, { ...init, headers: { ...init.headers, ...noted }, signal, cache: "no-store" });
    const text = await response.text();
    return { status: response.status, body: response.ok ? JSON.parse(text) : null };
  });
}

/** Ask the origin. With `timeoutMs`, an attempt that takes longer is given up and made anew, once. */
export async function ask(path, { essential, timeoutMs, base = ORIGIN, ...rest } = {}) {
  const own = await passOn();
  const id = own["x-request-id"];
  const [within, init] = marked(essential, { ...rest, headers: { ...own, ...rest.headers } });
  const began = clock();
  return context.with(within, () =>
    attempt(`${base}${path}`, init, id, timeoutMs).catch((error) => {
      if (!timeoutMs || error.name !== "TimeoutError") throw error;
      passed(id, "retry", "the app's timer around the attempt that it gave up", began);
      return attempt(`${base}${path}`, init, id, 20 * timeoutMs);
    }),
  );
}
