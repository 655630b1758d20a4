import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { OTLPHttpProtoTraceExporter, registerOTel } from "@vercel/otel";

/**
 * In the edge runtime, where the middleware runs, OTEL_BSP_SCHEDULE_DELAY is not read: spans would go out every five
 * seconds, and the last ones never.
 */
function processors() {
  if (process.env.NEXT_RUNTIME !== "edge") return ["auto"];
  const exporter = new OTLPHttpProtoTraceExporter({ url: `${process.env.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces` });
  return [new BatchSpanProcessor(exporter, { scheduledDelayMillis: Number(process.env.OTEL_BSP_SCHEDULE_DELAY ?? 5000) })];
}

/** Without `propagateContextUrls` the origin's spans would be traces of their own. */
export function register() {
  registerOTel({
    serviceName: process.env.OTEL_SERVICE_NAME ?? "edge-web",
    spanProcessors: processors(),
    instrumentationConfig: {
      fetch: {
        propagateContextUrls: process.env.PROPAGATE === "no" ? [] : (process.env.OUR_HOSTS ?? "").split(",").filter(Boolean),
        attributesFromRequestHeaders: { "http.request.header.x-request-id": "x-request-id" },
      },
    },
  });
}
