import diagnostics from "node:diagnostics_channel";
import { note, now } from "./witness";

const owners: Record<string, string> = JSON.parse(process.env.WITNESS_OWNERS ?? "{}");

/** The moment undici gives a request's head to its socket; `headers` is the head as text. */
function sent(message: unknown) {
  const { headers } = message as { headers: string };
  const value = (name: string) => new RegExp(`\r\n${name}: ([^\r\n]*)`, "i").exec(`\r\n${headers}`)?.[1] ?? "";
  const owner = owners[value("host")];
  if (!owner) return;
  const at = now();
  const source = "undici's diagnostics channel: the head went to the socket";
  note({ request_id: value("x-request-id"), call: value("x-lab-call"), owner, cause: "sent", start: at, end: at, source });
}

export function watch() {
  diagnostics.subscribe("undici:client:sendHeaders", sent);
}
