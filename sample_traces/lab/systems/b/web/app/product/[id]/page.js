import { notFound } from "next/navigation";
import { ask } from "../../../origin";

/** One fetch here; how many statements the origin makes of it is the origin's affair. */
export default async function ProductPage({ params }) {
  const { id } = await params;
  const { status, body } = await ask(`/v1/products/${encodeURIComponent(id)}/`);
  if (status === 404) notFound();
  if (!body) return <main>This product can&apos;t be shown just now.</main>;
  return (
    <main>
      <h1>{body.name}</h1>
      <ul>
        {body.related.map((other) => (
          <li key={other.id}>
            {other.name} ({other.stars})
          </li>
        ))}
      </ul>
    </main>
  );
}
