import { randomUUID } from "node:crypto";
import { trace } from "@opentelemetry/api";
import { type NextRequest, NextResponse } from "next/server";
import { flagsOf } from "./flags";
import { burn, hundredthOf, witness } from "./lab/witness";

// The second line is the mistake of one scenario: what a CDN could serve goes through here too.
export const config = {
  matcher: ["/item/:path*", "/api/:path*", { source: "/assets/:path*", has: [{ type: "header", key: "x-no-cdn" }] }],
};

/** Let in who has a session, ask which page this visitor is shown, and send the request there. */
export async function proxy(request: NextRequest) {
  const id = request.headers.get("x-request-id") ?? randomUUID();
  const span = trace.getActiveSpan();
  span?.setAttribute("http.request.header.x-request-id", [id]);
  const path = request.nextUrl.pathname;
  const visitor = request.cookies.get("session")?.value.split(".")[0];
  if (!visitor && !path.startsWith("/assets/")) {
    span?.setAttributes({ "seamscope.auth.outcome": "missing", "seamscope.edge.decision": "redirect" });
    return NextResponse.redirect(new URL("/login", request.url));
  }
  const onward = new Headers(request.headers);
  onward.set("x-request-id", id);
  work(id, path);
  if (path.startsWith("/assets/")) {
    span?.setAttributes({ "seamscope.edge.decision": "pass" });
    return NextResponse.next({ request: { headers: onward } });
  }
  const { variant, outcome } = await flagsOf(visitor ?? "", id);
  span?.setAttributes({ "seamscope.flag.outcome": outcome, "seamscope.auth.outcome": "ok", "app.variant": variant });
  if (!path.startsWith("/item/")) {
    span?.setAttributes({ "seamscope.edge.decision": "pass" });
    return NextResponse.next({ request: { headers: onward } });
  }
  span?.setAttributes({ "seamscope.edge.decision": "rewrite" });
  return NextResponse.rewrite(new URL(`/v/${variant}${path}`, request.url), { request: { headers: onward } });
}

/** What some middleware computes for every request: here as much as the lab asks. */
function work(id: string, path: string) {
  const busy = path.startsWith("/assets/") ? Number(process.env.ASSET_MS ?? 0) : Number(process.env.BUSY_MS ?? 0);
  if (busy <= 0 || hundredthOf(`busy ${id}`) >= Number(process.env.BUSY_SHARE ?? 100)) return;
  const owner = `edge:${process.env.OTEL_SERVICE_NAME}`;
  const took = witness({ request_id: id, owner, cause: "middleware", source: "a timer in the middleware" });
  burn(busy);
  took();
}
