import { ask } from "../../../origin";

/** The caller's orders, as JSON. */
export async function GET() {
  const orders = await ask("/v1/orders/");
  return Response.json(orders.body, { status: orders.status });
}

/** Place an order; the origin leaves the confirmation to a Celery job, for which nobody waits. */
export async function POST(request) {
  const placed = await ask("/v1/orders/", {
    method: "POST",
    body: await request.text(),
    headers: { "content-type": "application/json" },
  });
  return Response.json(placed.body, { status: placed.status });
}
