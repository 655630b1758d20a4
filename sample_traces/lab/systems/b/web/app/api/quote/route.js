import { ask } from "../../../origin";

const TIMEOUT_MS = Number(process.env.QUOTE_TIMEOUT_MS ?? 0);

/** Today's price of one product, which the origin keeps in Redis. */
export async function GET(request) {
  const sku = new URL(request.url).searchParams.get("sku") ?? "";
  const quote = await ask(`/v1/quote/?sku=${encodeURIComponent(sku)}`, { timeoutMs: TIMEOUT_MS || undefined });
  return Response.json(quote.body, { status: quote.status });
}
