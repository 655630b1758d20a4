import { after } from "next/server";
import { ask, passOn } from "@/origin";

const ORIGIN = process.env.ORIGIN_URL ?? "http://localhost:20811";

type Order = { id: number; placed: string; total_cents: number; items: number };

/** The caller's orders, as JSON. */
export async function GET() {
  const orders = await ask<Order[]>("/v1/orders");
  return Response.json(orders.body, { status: orders.status });
}

/** Place an order. The audit line is written after the answer has gone: nobody waits for it. */
export async function POST(request: Request) {
  const order = await request.text();
  const placed = await ask<{ id: number }>("/v1/orders", {
    method: "POST",
    body: order,
    headers: { "content-type": "application/json" },
  });
  const headers = await passOn();
  after(async () => {
    await fetch(`${ORIGIN}/v1/audit`, { method: "POST", body: order, headers }).then((answer) => answer.text());
  });
  return Response.json(placed.body, { status: placed.status });
}
