import { ask } from "@/origin";

export type Stock = { id: number; count: number; next: number };

/** How many of a product are there. */
export async function stock(id: number): Promise<Stock> {
  const { body } = await ask<Stock>(`/stock/${id}`);
  return body ?? { id, count: 0, next: 1 };
}

/** Three other products to look at, which follow from a product's number alone. */
export const others = (id: number): number[] => [1, 2, 3].map((step) => 1 + ((id + 37 * step) % 600));
