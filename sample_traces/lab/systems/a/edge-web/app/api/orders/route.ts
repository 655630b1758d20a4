import { after } from "next/server";
import { ask, askAs, caller } from "@/origin";

type Order = { id: number; placed: string; total_cents: number; items: number };

/** The caller's orders, as JSON. */
export async function GET() {
  const orders = await ask<Order[]>("/orders");
  return Response.json(orders.body, { status: orders.status });
}

/** Place an order. The audit line is written after the answer has gone: nobody waits for it. */
export async function POST(request: Request) {
  const order = await request.text();
  const placed = await ask<{ id: number }>("/orders", {
    method: "POST",
    body: order,
    headers: { "content-type": "application/json" },
  });
  const who = await caller();
  after(async () => {
    await askAs(who, "/audit", { method: "POST", body: order });
  });
  return Response.json(placed.body, { status: placed.status });
}
