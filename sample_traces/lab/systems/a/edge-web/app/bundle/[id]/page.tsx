import { others, type Stock, stock } from "@/stock";
import { Stocks } from "@/stocks";

/** Asks for one after the other although none needs another's answer: the page waits three times. */
export default async function Bundle({ params }: { params: Promise<{ id: string }> }) {
  const found: Stock[] = [];
  for (const id of others(Number((await params).id))) found.push(await stock(id));
  return <Stocks title="Bundle" found={found} />;
}
