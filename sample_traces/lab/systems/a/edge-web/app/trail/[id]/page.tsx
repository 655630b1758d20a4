import { type Stock, stock } from "@/stock";
import { Stocks } from "@/stocks";

/** Follows a trail of replacements: each answer names the next question, so nothing can be asked at once. */
export default async function Trail({ params }: { params: Promise<{ id: string }> }) {
  const found: Stock[] = [];
  let next = Number((await params).id);
  for (let step = 0; step < 3; step++) {
    const one = await stock(next);
    found.push(one);
    next = one.next;
  }
  return <Stocks title="Trail" found={found} />;
}
