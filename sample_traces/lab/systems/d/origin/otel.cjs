// The plain Node SDK: server spans of node:http, sent in batches.
"use strict";
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const env = process.env;
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({
    "service.name": env.OTEL_SERVICE_NAME,
    "service.version": "1.9.0",
    "service.instance.id": `${env.OTEL_SERVICE_NAME}-1`,
    "host.name": env.HOST_NAME,
    "deployment.environment.name": "lab",
    "telemetry.sdk.language": "nodejs",
    "telemetry.sdk.name": "opentelemetry",
  }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(), { scheduledDelayMillis: 500 })],
});
provider.register();
registerInstrumentations({
  tracerProvider: provider,
  instrumentations: [
    new HttpInstrumentation({
      headersToSpanAttributes: { server: { requestHeaders: ["x-request-id"] } },
      ignoreOutgoingRequestHook: (request) => request.path === "/v1/traces",
    }),
  ],
});
process.on("SIGTERM", () => provider.shutdown().finally(() => process.exit(0)));
