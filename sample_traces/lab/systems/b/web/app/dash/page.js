import { Suspense } from "react";
import { ask } from "../../origin";

/** The slow part of the page, streamed: it holds only the last byte. */
async function Picks({ user }) {
  const { body } = await ask(`/v1/recommendations/?user=${user}`);
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
  const me = await ask("/v1/me/");
  if (!me.body) return <main>Your account can&apos;t be read just now.</main>;
  const orders = await ask(`/v1/orders/?user=${me.body.id}`);
  return (
    <main>
      <h1>Hello, {me.body.name}</h1>
      <ul>
        {(orders.body ?? []).map((order) => (
          <li key={order.id}>{order.placed}</li>
        ))}
      </ul>
      <Suspense fallback={<p>Picking…</p>}>
        <Picks user={me.body.id} />
      </Suspense>
    </main>
  );
}
