import { ask } from "../../../origin";
import { Panels, paths } from "../panels";

/** All panels at once, whatever FANOUT says: what the overview takes when none waits for another. */
export default async function Together() {
  return <Panels answers={await Promise.all(paths.map((path) => ask(path)))} />;
}
