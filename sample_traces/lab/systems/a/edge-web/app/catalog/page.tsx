import { ask } from "@/origin";

type Shelf = { shelf: number; products: number };

/** The same for everybody all day long, and fetched anew for each visitor: Next.js 15 and later cache nothing unasked. */
export default async function Catalog() {
  const { body } = await ask<Shelf[]>("/catalog", { cache: "no-store" }, { "seamscope.cache.scope": "public" });
  return (
    <main>
      <h1>Catalogue</h1>
      <ul>
        {(body ?? []).map((one) => (
          <li key={one.shelf}>
            {one.shelf}: {one.products}
          </li>
        ))}
      </ul>
    </main>
  );
}
