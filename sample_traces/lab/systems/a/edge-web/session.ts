import { createHmac, timingSafeEqual } from "node:crypto";

const SECRET = process.env.SESSION_SECRET ?? "";

/** A session is `<user number>.<HMAC-SHA256 of it, 32 hex digits>`; null if the signature is not ours. */
export function userOf(session: string | undefined): number | null {
  const [user, signature] = (session ?? "").split(".");
  if (!user || !signature) return null;
  const expected = createHmac("sha256", SECRET).update(user).digest("hex").slice(0, 32);
  if (signature.length !== expected.length) return null;
  return timingSafeEqual(Buffer.from(signature), Buffer.from(expected)) ? Number(user) : null;
}
