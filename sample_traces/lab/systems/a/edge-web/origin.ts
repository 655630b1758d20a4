import { randomBytes } from "node:crypto";
import { cookies, headers } from "next/headers";
import { note, now } from "./witness";

const ORIGIN = `${process.env.ORIGIN_URL ?? "http://localhost:8080"}${process.env.ORIGIN_PREFIX ?? "/v1"}`;
const SHARES_ID = process.env.SHARE_REQUEST_ID !== "off";

/** Who asks, and under which request id. */
export type Caller = { id: string; session: string };

/** The caller of the request that is being answered. */
export async function caller(): Promise<Caller> {
  return { id: (await headers()).get("x-request-id") ?? "", session: (await cookies()).get("session")?.value ?? "" };
}

/** One answer of the origin: its status, and its JSON body where it gave one. */
export type Answer<T> = { status: number; body: T | null };

/** What @vercel/otel puts on the client span of one fetch. */
type Marks = Record<string, string | boolean>;

/** Ask the origin. A status above 399 is an answer, not an exception: the page decides what it can do without. */
export async function ask<T>(path: string, init: RequestInit = {}, marks: Marks = {}): Promise<Answer<T>> {
  return askAs<T>(await caller(), path, init, marks);
}

/** As `ask`, for a caller that is known already: after() and the proxy have no request to read it from. */
export async function askAs<T>({ id, session }: Caller, path: string, init: RequestInit = {}, marks: Marks = {}): Promise<Answer<T>> {
  const call = randomBytes(4).toString("hex");
  const own: Record<string, string> = { "x-lab-call": call };
  if (id && SHARES_ID) own["x-request-id"] = id;
  if (session) own.authorization = `Bearer ${session}`;
  const start = now();
  try {
    const options = { ...init, headers: { ...own, ...init.headers }, opentelemetry: { attributes: marks } };
    const response = await fetch(`${ORIGIN}${path}`, options as RequestInit);
    const body = response.ok ? ((await response.json()) as T) : (await response.text(), null);
    return { status: response.status, body };
  } finally {
    const source = "a timer around fetch and its body";
    note({ request_id: id, call, owner: process.env.WEB_OWNER ?? "render:edge-web", cause: "call", start, end: now(), source });
  }
}
