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
  BURN_MS: string;
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
  let hash = 2166136261;
  for (const letter of visitor) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  return (hash >>> 0) % 100 < shareOfB ? "b" : "a";
}

/** What is sold here, and to how many the new page is shown: kept in KV by country. */
async function marketOf(env: Env, country: string, id: string): Promise<Market> {
  const took = witness(id, "kv");
  const found = await env.SETTINGS.get(`market:${country}`, "json");
  took();
  return (found as Market | null) ?? { currency: "EUR", shareOfB: 50 };
}

function burn(milliseconds: number, id: string) {
  if (milliseconds <= 0) return;
  const took = witness(id, "burn");
  const until = Date.now() + milliseconds;
  let spun = 0;
  while (Date.now() < until) spun++;
  took();
}

function onward(request: Request, env: Env, id: string): Headers {
  const headers = new Headers({ accept: "application/json" });
  if (env.FORWARD !== "none") headers.set("x-request-id", id);
  const ray = request.headers.get("cf-ray");
  if (ray && env.FORWARD !== "none") headers.set("cf-ray", ray);
  return headers;
}

/** The product page: the market decides the price, the variant decides the page. */
async function product(request: Request, env: Env, id: string, sku: string): Promise<Response> {
  trace.getActiveSpan()?.setAttribute("http.route", "/p/:sku");
  const country = (request as Request & { cf?: Geo }).cf?.country ?? "DE";
  const market = await marketOf(env, country, id);
  const cookies = request.headers.get("cookie") ?? "";
  const variant = variantOf(cookies, id, market.shareOfB);
  decided("rewrite", { "seamscope.cache.scope": "public", "app.variant": variant });
  burn(Number(env.BURN_MS), id);
  const took = witness(id, "fetch");
  const answer = await fetch(`${env.ORIGIN_URL}/products/${sku}?page=${variant}&currency=${market.currency}`, {
    headers: onward(request, env, id),
  });
  took();
  return new Response(answer.body, {
    status: answer.status,
    headers: { "content-type": "application/json", "cache-control": "public, s-maxage=30", "x-variant": variant },
  });
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
  const took = witness(id, "fetch");
  const answer = await fetch(`${env.ORIGIN_URL}/carts/${session.split(".")[0]}`, { headers: onward(request, env, id) });
  took();
  return new Response(answer.body, { status: answer.status, headers: { "cache-control": "private, no-store" } });
}

const worker = {
  async fetch(request: Request, env: Env): Promise<Response> {
    const id = request.headers.get("x-request-id") ?? crypto.randomUUID();
    trace.getActiveSpan()?.setAttribute("http.request.header.x-request-id", [id]);
    const { pathname } = new URL(request.url);
    const whole = witness(id, "handler");
    try {
      const [, first, second = ""] = pathname.split("/");
      if (first === "p") return await product(request, env, id, second);
      if (first === "cart") return await cart(request, env, id);
      if (first === "sale") {
        trace.getActiveSpan()?.setAttribute("http.route", "/sale");
        decided("redirect");
        return new Response(null, { status: 302, headers: { location: "/p/1" } });
      }
      trace.getActiveSpan()?.setAttribute("http.route", "/where");
      decided("answer");
      const geo = (request as Request & { cf?: Geo }).cf ?? {};
      return Response.json({ country: geo.country, sold: MARKETS.has(geo.country ?? "") });
    } finally {
      whole();
    }
  },
};

const config: ResolveConfigFn<Env> = (env) => ({
  exporter: { url: env.OTLP_URL },
  service: { name: env.SERVICE, version: env.VERSION },
  fetch: { includeTraceContext: env.FORWARD === "all" },
});

export default instrument(worker as ExportedHandler<Env>, config);
