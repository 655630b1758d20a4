import { ask } from "../../origin";
import { Panels, paths } from "./panels";

/** Panels are independent of each other unless `chain`: then each is asked for with what the last one answered. */
async function panels() {
  if (process.env.FANOUT === "chain") {
    const answers = [];
    for (const _ of paths) {
      const cursor = answers.at(-1)?.body?.next ?? "first";
      answers.push(await ask(`/v1/panels/next/?cursor=${encodeURIComponent(cursor)}`));
    }
    return answers;
  }
  if (process.env.FANOUT === "serial") {
    const answers = [];
    for (const path of paths) answers.push(await ask(path));
    return answers;
  }
  return Promise.all(paths.map((path) => ask(path)));
}

export default async function Overview() {
  return <Panels answers={await panels()} />;
}
