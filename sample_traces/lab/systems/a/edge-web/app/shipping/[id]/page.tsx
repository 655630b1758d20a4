import { ask } from "@/origin";

/** What shipping costs; the origin asks a carrier. */
export default async function Shipping({ params }: { params: Promise<{ id: string }> }) {
  const { body } = await ask<{ cents: number }>(`/shipping/${encodeURIComponent((await params).id)}`);
  return <main>{body ? (body.cents / 100).toFixed(2) : "Shipping is not known just now."}</main>;
}
