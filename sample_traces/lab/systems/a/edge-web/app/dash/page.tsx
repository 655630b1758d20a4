import { Suspense } from "react";
import { ask } from "@/origin";

type Me = { id: number; name: string; plan: string };
type Order = { id: number; placed: string; total_cents: number; items: number };
type Pick = { product: number; name: string; score: number };

/** The slow part of the page, streamed: its fetch starts with the page's and holds only the last byte. */
async function Picks({ user }: { user: number }) {
  const { body } = await ask<Pick[]>(`/recommendations?user=${user}`);
  return (
    <ol>
      {(body ?? []).map((pick) => (
        <li key={pick.product}>{pick.name}</li>
      ))}
    </ol>
  );
}

/** Orders need the user's number, so the second fetch waits for the first: a true dependency. */
export default async function Dash() {
  const me = await ask<Me>("/me");
  if (!me.body) return <main>Your account can&apos;t be read just now.</main>;
  const orders = await ask<Order[]>(`/orders?user=${me.body.id}`);
  return (
    <main>
      <h1>Hello, {me.body.name}</h1>
      <table>
        <tbody>
          {(orders.body ?? []).map((order) => (
            <tr key={order.id}>
              <td>{order.placed}</td>
              <td>{order.items}</td>
              <td>{(order.total_cents / 100).toFixed(2)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Suspense fallback={<p>Picking…</p>}>
        <Picks user={me.body.id} />
      </Suspense>
    </main>
  );
}
