import { registerOTel } from "@vercel/otel";

/** Tells the origin that its spans belong to our trace: without `propagateContextUrls` they would not. */
export async function register() {
  const propagates = process.env.PROPAGATE !== "off";
  registerOTel({
    serviceName: process.env.WEB_NAME ?? "edge-web",
    instrumentationConfig: {
      fetch: {
        propagateContextUrls: propagates ? [process.env.ORIGIN_URL ?? "http://localhost:8080"] : [],
        attributesFromRequestHeaders: { "http.request.header.x-request-id": "x-request-id" },
      },
    },
  });
  if (process.env.NEXT_RUNTIME === "nodejs" && process.env.WITNESS) (await import("./instrumentation-node")).watch();
}
