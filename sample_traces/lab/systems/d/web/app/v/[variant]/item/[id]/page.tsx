import { ask } from "../../../../../origin";

export const dynamic = "force-dynamic";

interface Item {
  name: string;
  price: number;
}

export default async function ItemPage({ params }: { params: Promise<{ variant: string; id: string }> }) {
  const { variant, id } = await params;
  const item = await ask<Item>(`/items/${id}`);
  return (
    <main data-variant={variant}>
      <img src="/assets/logo.svg" alt="" />
      <h1>{item.name}</h1>
      <p>{item.price}</p>
    </main>
  );
}
