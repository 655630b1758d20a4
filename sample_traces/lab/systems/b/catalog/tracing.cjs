"use strict";
// The plain Node SDK, required before the server.
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { PgInstrumentation } = require("@opentelemetry/instrumentation-pg");
const { NodeSDK } = require("@opentelemetry/sdk-node");

// X-Request-Start, which the edge's ingress sets, shows how long a request waited before this process read it.
const requestHeaders = (process.env.SHOWN_HEADERS ?? "x-request-id").split(",");
const sdk = new NodeSDK({
  traceExporter: new OTLPTraceExporter(),
  instrumentations: [
    new HttpInstrumentation({ headersToSpanAttributes: { server: { requestHeaders } } }),
    new PgInstrumentation({ ignoreConnectSpans: process.env.PHASES === "no" }),
  ],
});
sdk.start();
process.on("SIGTERM", () => sdk.shutdown().finally(() => process.exit(0)));
