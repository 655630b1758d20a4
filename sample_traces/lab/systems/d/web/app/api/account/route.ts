import { trace } from "@opentelemetry/api";
import { ask } from "../../../origin";

export const dynamic = "force-dynamic";

/** Somebody's own data: PUBLIC_ACCOUNT is the mistake of one scenario, which lets caches keep it for everybody. */
export async function GET(request: Request) {
  const user = /session=(\d+)/.exec(request.headers.get("cookie") ?? "")?.[1] ?? "0";
  const cache = process.env.PUBLIC_ACCOUNT ? "public, s-maxage=60" : "private, no-store";
  trace.getActiveSpan()?.setAttributes({
    "seamscope.cache.scope": "personalised",
    "http.response.header.cache-control": [cache],
  });
  return Response.json(await ask(`/accounts/${user}`), { headers: { "cache-control": cache } });
}
