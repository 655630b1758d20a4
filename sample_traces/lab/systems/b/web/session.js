const encoder = new TextEncoder();

/** A session is `<user number>.<HMAC-SHA256 of it, 32 hex digits>`; null if the signature is not ours. */
export async function userOf(session) {
  const [user, signature] = (session ?? "").split(".");
  if (!user || !signature) return null;
  const secret = encoder.encode(process.env.SESSION_SECRET ?? "none");
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const made = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(user)));
  const expected = [...made].map((byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, 32);
  return signature === expected ? Number(user) : null;
}
