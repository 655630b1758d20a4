import { ask } from "../../../origin";

/** The feed without its advertisement: what it takes when nothing holds it. */
export default async function Plain() {
  const { body } = await ask("/v1/me/", { essential: true });
  return (
    <main>
      <h1>{body?.name ?? "Hello"}</h1>
    </main>
  );
}
