import { randomUUID } from "node:crypto";
import { trace } from "@opentelemetry/api";
import { type NextRequest, NextResponse } from "next/server";
import { askAs } from "./origin";
import { userOf } from "./session";

export const config = {
  matcher: ["/((?!login|_next|favicon).*)"],
};

/** Let in who has a session, send pages to the login, refuse API calls; give every request an id. */
export async function proxy(request: NextRequest) {
  const id = request.headers.get("x-request-id") ?? randomUUID();
  const session = request.cookies.get("session")?.value;
  const known = userOf(session) !== null;
  const isApi = request.nextUrl.pathname.startsWith("/api/");
  trace.getActiveSpan()?.setAttributes({
    "http.request.header.x-request-id": [id],
    "seamscope.auth.outcome": known ? "ok" : session ? "invalid" : "missing",
    "seamscope.edge.decision": known ? "pass" : isApi ? "block" : "redirect",
  });
  if (known) {
    // An account that was closed keeps its session: only the origin knows.
    if (request.nextUrl.pathname.startsWith("/account")) await askAs({ id, session: session ?? "" }, "/me");
    const onward = new Headers(request.headers);
    onward.set("x-request-id", id);
    return NextResponse.next({ request: { headers: onward } });
  }
  if (isApi) return NextResponse.json({ error: "no session" }, { status: 401 });
  return NextResponse.redirect(new URL("/login", request.url));
}
