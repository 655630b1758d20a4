import http from "node:http";
import { ORIGIN, passOn } from "../../../origin";
import { during } from "../../../lab";

const agent = new http.Agent({ keepAlive: true, maxSockets: Number(process.env.MAX_SOCKETS ?? 64) });

/** node:http with an agent of its own, as clients that are older than fetch are written. */
function get(url, headers) {
  if (globalThis.lab) return globalThis.lab.legacyGet(agent, url, headers);
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent, headers }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode, text: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
  });
}

/** How many of a product are left. */
export async function GET(request) {
  const sku = new URL(request.url).searchParams.get("sku") ?? "";
  const headers = await passOn();
  const { status, text } = await during(headers["x-request-id"], (noted) =>
    get(`${ORIGIN}/v1/stock/?sku=${encodeURIComponent(sku)}`, { ...headers, ...noted }),
  );
  return new Response(text, { status, headers: { "content-type": "application/json" } });
}
