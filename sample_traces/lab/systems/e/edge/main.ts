// The edge tier, in Deno: reads from the replica over HTTP, everything else from the region. Deno traces it by itself.
import { AsyncLocalStorage } from "node:async_hooks";
import { neon, neonConfig } from "@neondatabase/serverless";
import { trace } from "@opentelemetry/api";

const env = (name: string) => Deno.env.get(name) ?? "";
const OWN = `edge:${env("OTEL_SERVICE_NAME")}`;
const asking = new AsyncLocalStorage<string>();

neonConfig.fetchEndpoint = () => `${env("REPLICA_URL")}/sql`;
neonConfig.fetchFunction = (url: string, init: RequestInit) =>
  fetch(url, { ...init, headers: { ...init.headers, "x-request-id": asking.getStore() ?? "" } });
const sql = neon("postgresql://app:secret@replica.neon.tech/shop");

// Deno's own high-resolution time counts from its start: the lab says how far the monotonic clock is from the wall's
const offset = Number(env("MONOTONIC_OFFSET_NS"));
const now = () => Math.round((performance.timeOrigin + performance.now()) * 1e6 + offset);

/** A timer that knows nothing of spans. */
function witness(id: string, cause: string, call: string) {
  const start = now();
  return () => {
    const line = { request_id: id, owner: OWN, cause, call, start_ns: start, end_ns: now(), source: "a timer around fetch" };
    Deno.writeTextFileSync(env("WITNESS"), `${JSON.stringify(line)}\n`, { append: true });
  };
}

async function region(id: string, method: string, path: string): Promise<Response> {
  const took = witness(id, "call", "region");
  const headers = { "x-request-id": id, "x-lab-call": "region" };
  const answer = await fetch(`${env("REGION_URL")}${path}`, { method, headers });
  const body = await answer.text();
  took();
  return new Response(body, { status: answer.status, headers: { "content-type": "application/json" } });
}

const ROUTES: Record<string, string> = { catalog: "/catalog/:id", orders: "/orders/:user", quote: "/quote/:sku", ping: "/ping" };

async function handle(request: Request): Promise<Response> {
  const id = request.headers.get("x-request-id") ?? crypto.randomUUID();
  const [, kind, key] = new URL(request.url).pathname.split("/");
  const here = kind === "ping";
  trace.getActiveSpan()?.setAttributes({
    "http.request.header.x-request-id": [id],
    "http.route": ROUTES[kind] ?? "/",
    "seamscope.edge.decision": here || kind === "catalog" ? "answer" : "pass",
    "seamscope.cache.scope": kind === "orders" ? "personalised" : "public",
  });
  if (here) return Response.json({ place: env("PLACE") });
  if (kind !== "catalog") return await region(id, request.method, `/${kind}/${key}`);
  const rows = await asking.run(id, async () => await sql`SELECT id, name FROM items WHERE id = ${key}`);
  return Response.json(rows[0], { headers: { "cache-control": "public, max-age=5" } });
}

Deno.addSignalListener("SIGTERM", () => Deno.exit(0));
Deno.serve({ hostname: env("ADDRESS"), port: Number(env("PORT")), onListen: () => {} }, handle);
