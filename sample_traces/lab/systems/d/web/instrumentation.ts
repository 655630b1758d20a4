import { registerOTel } from "@vercel/otel";

/** Spans of this app, and their trace carried on to the origin. */
export function register() {
  registerOTel({
    serviceName: process.env.OTEL_SERVICE_NAME,
    instrumentationConfig: {
      fetch: {
        propagateContextUrls: [process.env.ORIGIN_URL ?? "http://origin:8080"],
        attributesFromRequestHeaders: { "http.request.header.x-request-id": "x-request-id" },
      },
    },
  });
}
