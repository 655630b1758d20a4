import { instrument, type ResolveConfigFn } from "@microlabs/otel-cf-workers";
import { trace } from "@opentelemetry/api";
import { witness } from "./witness";

/** What the lab sets; a real Worker has these as bindings and vars too. */
interface Env {
  SETTINGS: { get(key: string, type: "json"): Promise<unknown> };
  ORIGIN_URL: string;
  OTLP_URL: string;
  SERVICE: string;
  VERSION: string;
  KV_OWNER: string;
  BURN_MS: string;
  BURN_SHARE: string;
  FORWARD: "all" | "request_id" | "none";
}

interface Geo {
  country?: string;
  colo?: string;
}

interface Market {
  currency: string;
  shareOfB: number;
}

type Decision = "pass" | "redirect" | "rewrite" | "block" | "answer";

const MARKETS = new Set(["DE", "US", "JP", "BR"]);

function decided(decision: Decision, more: Record<string, string> = {}) {
  trace.getActiveSpan()?.setAttributes({ "seamscope.edge.decision": decision, ...more });
}

/** A or B: what the cookie says, else a die that falls the same way for one visitor. */
function variantOf(cookies: string, visitor: string, shareOfB: number): "a" | "b" {
  const kept = /(?:^|; )ab=([ab])/.exec(cookies);
  if (kept) return kept[1] as "a" | "b";
  return hundredthOf(visitor) < shareOfB ? "b" : "a";
}

/** Where a text falls among a hundred parts: the same for the same text (FNV-1a). */
function hundredthOf(text: string): number {
  let hash = 2166136261;
  for (const letter of text) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  return (hash >>> 0) % 100;
}

/** What is sold here, and to how many the new page is shown: kept in KV by country. */
async function marketOf(env: Env, country: string, id: string): Promise<Market> {
  const took = witness({ request_id: id, owner: env.KV_OWNER, cause: "query", source: "the Worker's timer around KV" });
  const found = await env.SETTINGS.get(`market:${country}`, "json");
  took();
  return (found as Market | null) ?? { currency: "EUR", shareOfB: 50 };
}

function burn(env: Env, id: string) {
  const milliseconds = Number(env.BURN_MS);
  if (milliseconds <= 0 || hundredthOf(`burn ${id}`) >= Number(env.BURN_SHARE)) return;
  const took = witness({ request_id: id, owner: `edge:${env.SERVICE}`, cause: "compute", source: "the Worker's timer" });
  const until = Date.now() + milliseconds;
  let spun = 0;
  while (Date.now() < until) spun++;
  took();
}

function onward(request: Request, env: Env, id: string): Headers {
  const headers = new Headers({ accept: "application/json", "x-lab-request": id, "x-lab-call": "origin" });
  if (env.FORWARD !== "none") headers.set("x-request-id", id);
  const ray = request.headers.get("cf-ray");
  if (ray && env.FORWARD !== "none") headers.set("cf-ray", ray);
  return headers;
}

async function origin(request: Request, env: Env, id: string, path: string): Promise<Response> {
  const timer = "the Worker's timer around fetch";
  const took = witness({ request_id: id, owner: `edge:${env.SERVICE}`, cause: "call", call: "origin", source: timer });
  const answer = await fetch(`${env.ORIGIN_URL}${path}`, { headers: onward(request, env, id) });
  const body = await answer.text();
  took();
  return new Response(body, { status: answer.status, headers: { "content-type": "application/json" } });
}

/** The product page: the market decides the price, the variant decides the page. */
async function product(request: Request, env: Env, id: string, sku: string): Promise<Response> {
  trace.getActiveSpan()?.setAttribute("http.route", "/p/:sku");
  const country = (request as Request & { cf?: Geo }).cf?.country ?? "DE";
  const market = await marketOf(env, country, id);
  const cookies = request.headers.get("cookie") ?? "";
  const variant = variantOf(cookies, id, market.shareOfB);
  decided("rewrite", { "seamscope.cache.scope": "public", "app.variant": variant });
  burn(env, id);
  const found = await origin(request, env, id, `/products/${sku}?page=${variant}&currency=${market.currency}`);
  found.headers.set("cache-control", "public, s-maxage=30");
  found.headers.set("x-variant", variant);
  return found;
}

/** The cart: whose, the session says; nobody else may be answered with it. */
async function cart(request: Request, env: Env, id: string): Promise<Response> {
  trace.getActiveSpan()?.setAttribute("http.route", "/cart");
  const session = /(?:^|; )session=([^;]+)/.exec(request.headers.get("cookie") ?? "")?.[1];
  if (!session?.includes(".")) {
    decided("block", { "seamscope.auth.outcome": session ? "invalid" : "missing" });
    return Response.json({ error: "no session" }, { status: 401 });
  }
  decided("pass", { "seamscope.auth.outcome": "ok", "seamscope.cache.scope": "personalised" });
  const found = await origin(request, env, id, `/carts/${session.split(".")[0]}`);
  found.headers.set("cache-control", "private, no-store");
  return found;
}

const worker = {
  async fetch(request: Request, env: Env): Promise<Response> {
    const id = request.headers.get("x-request-id") ?? crypto.randomUUID();
    trace.getActiveSpan()?.setAttribute("http.request.header.x-request-id", [id]);
    const { pathname } = new URL(request.url);
    const [, first, second = ""] = pathname.split("/");
    if (first === "p") return product(request, env, id, second);
    if (first === "cart") return cart(request, env, id);
    if (first === "sale") {
      trace.getActiveSpan()?.setAttribute("http.route", "/sale");
      decided("redirect");
      return new Response(null, { status: 302, headers: { location: "/p/1" } });
    }
    trace.getActiveSpan()?.setAttribute("http.route", "/where");
    decided("answer");
    const geo = (request as Request & { cf?: Geo }).cf ?? {};
    return Response.json({ country: geo.country, sold: MARKETS.has(geo.country ?? "") });
  },
};

const config: ResolveConfigFn<Env> = (env) => ({
  exporter: { url: env.OTLP_URL },
  service: { name: env.SERVICE, version: env.VERSION },
  fetch: { includeTraceContext: env.FORWARD === "all" },
});

export default instrument(worker as ExportedHandler<Env>, config);
