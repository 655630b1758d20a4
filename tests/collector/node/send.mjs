// Sends a few spans with the exporter that OTEL_EXPORTER_OTLP_PROTOCOL names, and prints which.
import { SpanKind, context, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as OverGrpc } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as OverJson } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as OverProto } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const exporters = { grpc: OverGrpc, "http/protobuf": OverProto, "http/json": OverJson };
const exporter = new exporters[process.env.OTEL_EXPORTER_OTLP_PROTOCOL]();
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "edge-web" }),
  spanProcessors: [new BatchSpanProcessor(exporter)],
});
const tracer = provider.getTracer("next.js");
const sent = [];

function note(span, name) {
  sent.push({ id: span.spanContext().spanId, trace: span.spanContext().traceId, name });
  span.end();
}

for (let number = 0; number < 20; number += 1) {
  const page = tracer.startSpan(`GET /dash/${number}`, { kind: SpanKind.SERVER, attributes: { "http.route": "/dash", ok: true } });
  const inside = trace.setSpan(context.active(), page);
  const fetched = tracer.startSpan("fetch GET", { kind: SpanKind.CLIENT, attributes: { share: 0.5, list: ["a", "b"] } }, inside);
  fetched.addEvent("response", { size: number });
  note(fetched, "fetch GET");
  note(page, `GET /dash/${number}`);
}
await provider.forceFlush();
await provider.shutdown();
console.log(JSON.stringify(sent));
