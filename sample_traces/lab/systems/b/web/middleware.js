import { trace } from "@opentelemetry/api";
import { NextResponse } from "next/server";
import { userOf } from "./session";

export const config = {
  matcher: ["/dash/:path*", "/product/:path*", "/reports/:path*", "/overview/:path*", "/feed/:path*", "/api/:path*"],
};

/** Let in who has a session, send pages to the login, refuse API calls. */
export async function middleware(request) {
  const id = request.headers.get("x-request-id") ?? crypto.randomUUID();
  const session = request.cookies.get("session")?.value;
  const known = (await userOf(session)) !== null;
  const isApi = request.nextUrl.pathname.startsWith("/api/");
  trace.getActiveSpan()?.setAttributes({
    "http.request.header.x-request-id": [id],
    "seamscope.auth.outcome": known ? "ok" : session ? "invalid" : "missing",
    "seamscope.edge.decision": known ? "pass" : isApi ? "block" : "redirect",
  });
  if (known) {
    const onward = new Headers(request.headers);
    onward.set("x-request-id", id);
    return NextResponse.next({ request: { headers: onward } });
  }
  if (isApi) return NextResponse.json({ error: "no session" }, { status: 401 });
  return NextResponse.redirect(new URL("/login", request.url));
}
