import { cookies, headers } from "next/headers";

const ORIGIN = process.env.ORIGIN_URL ?? "http://localhost:20811";

/** The headers that go with every call of one request: who asks, and under which request id. */
export async function passOn(): Promise<Record<string, string>> {
  const id = (await headers()).get("x-request-id");
  const session = (await cookies()).get("session")?.value;
  return { ...(id ? { "x-request-id": id } : {}), ...(session ? { authorization: `Bearer ${session}` } : {}) };
}

/** One answer of the origin: its status, and its JSON body where it gave one. */
export type Answer<T> = { status: number; body: T | null };

/** Ask the origin. A status above 399 is an answer, not an exception: the page decides what it can do without. */
export async function ask<T>(path: string, init: RequestInit = {}): Promise<Answer<T>> {
  const response = await fetch(`${ORIGIN}${path}`, { ...init, headers: { ...(await passOn()), ...init.headers } });
  if (!response.ok) {
    await response.text();
    return { status: response.status, body: null };
  }
  return { status: response.status, body: (await response.json()) as T };
}
