import { registerOTel } from "@vercel/otel";

/** Tells the origin that its spans belong to our trace: without `propagateContextUrls` they would not. */
export function register() {
  registerOTel({
    serviceName: "edge-web",
    instrumentationConfig: {
      fetch: {
        propagateContextUrls: [process.env.ORIGIN_URL ?? "http://localhost:20811"],
        attributesFromRequestHeaders: { "http.request.header.x-request-id": "x-request-id" },
      },
    },
  });
}
