import { headers } from "next/headers";
import { witness } from "./lab/witness";

/** Ask the origin, with the request's id; one named call of the request. */
export async function ask<Answer>(path: string, call = "origin"): Promise<Answer> {
  const id = (await headers()).get("x-request-id") ?? "";
  const owner = `render:${process.env.OTEL_SERVICE_NAME}`;
  const took = witness({ request_id: id, owner, cause: "call", call, source: "a timer around fetch" });
  const answer = await fetch(`${process.env.ORIGIN_URL}${path}`, {
    headers: { "x-request-id": id, "x-lab-call": call },
    cache: "no-store",
  });
  const found = (await answer.json()) as Answer;
  took();
  return found;
}
