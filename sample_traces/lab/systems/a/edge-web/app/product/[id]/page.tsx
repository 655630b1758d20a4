import { notFound } from "next/navigation";
import { ask } from "@/origin";

type Product = { id: number; name: string; price_cents: number | null; related: { id: number; name: string; stars: number }[] };

/** One fetch here, one query per related product at the origin. The price may be missing: the page survives. */
export default async function ProductPage({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  const { status, body } = await ask<Product>(`/products/${encodeURIComponent(id)}`);
  if (status === 404) notFound();
  if (!body) return <main>This product can&apos;t be shown just now.</main>;
  return (
    <main>
      <h1>{body.name}</h1>
      <p>{body.price_cents === null ? "Price on request" : (body.price_cents / 100).toFixed(2)}</p>
      <ul>
        {body.related.map((other) => (
          <li key={other.id}>
            {other.name} ({other.stars.toFixed(1)})
          </li>
        ))}
      </ul>
    </main>
  );
}
