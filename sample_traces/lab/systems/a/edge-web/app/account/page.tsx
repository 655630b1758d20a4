import { ask } from "@/origin";

type Me = { id: number; name: string; plan: string };

/** The proxy has asked who this is, and the page asks again. */
export default async function Account() {
  const { body } = await ask<Me>("/me", {}, { "seamscope.cache.scope": "personalised" });
  return (
    <main>
      <h1>{body?.name}</h1>
      <p>{body?.plan}</p>
    </main>
  );
}
