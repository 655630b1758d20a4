import { others, stock } from "@/stock";
import { Stocks } from "@/stocks";

/** Asks for all at once and waits for the last. */
export default async function Compare({ params }: { params: Promise<{ id: string }> }) {
  const found = await Promise.all(others(Number((await params).id)).map(stock));
  return <Stocks title="Compare" found={found} />;
}
