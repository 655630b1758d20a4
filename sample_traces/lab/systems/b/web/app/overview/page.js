import { ask } from "../../origin";

const PANELS = Number(process.env.PANELS ?? 3);

/** Panels are independent of each other unless `chain`: then each is asked for with what the last one answered. */
async function panels() {
  const names = Array.from({ length: PANELS }, (_, number) => `panel-${number}`);
  if (process.env.FANOUT === "chain") {
    const answers = [];
    for (const _ of names) {
      const cursor = answers.at(-1)?.body?.next ?? "first";
      answers.push(await ask(`/v1/panels/next/?cursor=${encodeURIComponent(cursor)}`));
    }
    return answers;
  }
  if (process.env.FANOUT === "serial") {
    const answers = [];
    for (const name of names) answers.push(await ask(`/v1/panels/${name}/`));
    return answers;
  }
  return Promise.all(names.map((name) => ask(`/v1/panels/${name}/`)));
}

export default async function Overview() {
  const answers = await panels();
  return (
    <main>
      {answers.map(({ body }, number) => (
        <section key={number}>{body?.text ?? "not to be had just now"}</section>
      ))}
    </main>
  );
}
