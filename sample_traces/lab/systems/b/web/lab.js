/** The second instrument, where the recorder put one under the app; without it, nothing is timed. */
const lab = () => globalThis.lab;

/** Run one call, timed under this request's id. `work` is given the headers that tell the callee's timers of it. */
export function during(id, work) {
  return lab() ? lab().during(id, work) : work({});
}

/** Time a piece of the app's own work. */
export async function timed(id, cause, source, work) {
  const began = clock();
  try {
    return await work();
  } finally {
    passed(id, cause, source, began);
  }
}

/** A stretch that has already passed. */
export function passed(id, cause, source, began) {
  lab()?.note({ id }, lab().own, cause, began, lab().now(), source);
}

/** Now on the second instrument's clock. */
export const clock = () => lab()?.now() ?? 0n;
