import { ask } from "@/origin";

type Quote = { sku: number; price_cents: number };

/** Today's price of one product; the origin asks the pricing service. */
export async function GET(request: Request) {
  const sku = new URL(request.url).searchParams.get("sku") ?? "";
  const quote = await ask<Quote[]>(`/quote?sku=${encodeURIComponent(sku)}`);
  return Response.json(quote.body, { status: quote.status });
}
