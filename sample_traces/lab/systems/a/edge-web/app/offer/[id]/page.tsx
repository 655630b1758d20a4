import { ask } from "@/origin";
import { stock } from "@/stock";

/** The banner is an advertisement: the page could do without it, says so on the span, and waits for it all the same. */
export default async function Offer({ params }: { params: Promise<{ id: string }> }) {
  const one = await stock(Number((await params).id));
  const banner = await ask<{ text: string }>("/banner", {}, { "seamscope.essential": false });
  return (
    <main>
      <h1>{one.id}</h1>
      <p>{one.count} in stock</p>
      <aside>{banner.body?.text}</aside>
    </main>
  );
}
