// The plain Node SDK; with net and dns instrumentation where the phases of a connection are to be seen.
"use strict";
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { DnsInstrumentation } = require("@opentelemetry/instrumentation-dns");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { NetInstrumentation } = require("@opentelemetry/instrumentation-net");
const { UndiciInstrumentation } = require("@opentelemetry/instrumentation-undici");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const env = process.env;
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({
    "service.name": env.OTEL_SERVICE_NAME,
    "service.version": "4.4.0",
    "service.instance.id": `${env.OTEL_SERVICE_NAME}-1`,
    "host.name": env.HOST_NAME,
    "cloud.provider": "aws",
    "cloud.platform": "aws_ecs",
    "cloud.region": env.REGION,
    "deployment.environment.name": "lab",
    "telemetry.sdk.language": "nodejs",
    "telemetry.sdk.name": "opentelemetry",
  }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(), { scheduledDelayMillis: 500 })],
});
provider.register();

const queue = new URL(env.QUEUE_URL).hostname;
registerInstrumentations({
  tracerProvider: provider,
  instrumentations: [
    new HttpInstrumentation({
      headersToSpanAttributes: { server: { requestHeaders: ["x-request-id"] } },
      ignoreOutgoingRequestHook: (request) => request.path === "/v1/traces" || request.hostname === queue,
    }),
    new UndiciInstrumentation(),
    ...(env.PHASES ? [new NetInstrumentation(), new DnsInstrumentation()] : []),
  ],
});
if (env.PHASES) {
  // Nothing here asks for these by name, and their instrumentations patch what is asked for.
  require("node:dns");
  require("node:net");
}
process.on("SIGTERM", () => provider.shutdown().finally(() => process.exit(0)));
