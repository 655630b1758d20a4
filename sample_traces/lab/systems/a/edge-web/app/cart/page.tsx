import { ask } from "@/origin";

/** A server action: Next.js gives it no span of its own. */
async function add(form: FormData) {
  "use server";
  const sku = Number(form.get("sku"));
  await ask("/orders", { method: "POST", body: JSON.stringify({ skus: [sku] }), headers: { "content-type": "application/json" } });
}

export default async function Cart() {
  return (
    <form action={add}>
      <input name="sku" defaultValue="7" />
      <button type="submit">Add</button>
    </form>
  );
}
