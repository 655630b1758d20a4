import { registerOTel } from "@vercel/otel";

/** Without `propagateContextUrls` the origin's spans would be traces of their own. */
export function register() {
  registerOTel({
    serviceName: process.env.OTEL_SERVICE_NAME ?? "edge-web",
    instrumentationConfig: {
      fetch: {
        propagateContextUrls: process.env.PROPAGATE === "no" ? [] : (process.env.OUR_HOSTS ?? "").split(",").filter(Boolean),
        attributesFromRequestHeaders:
          process.env.SHOW_REQUEST_ID === "no" ? {} : { "http.request.header.x-request-id": "x-request-id" },
      },
    },
  });
}
