import { stock } from "@/stock";

/** The offer without its banner: what the same page takes when nothing holds it. */
export default async function Deal({ params }: { params: Promise<{ id: string }> }) {
  const one = await stock(Number((await params).id));
  return (
    <main>
      <h1>{one.id}</h1>
      <p>{one.count} in stock</p>
    </main>
  );
}
