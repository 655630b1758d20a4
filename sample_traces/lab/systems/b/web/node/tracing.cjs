"use strict";
// The plain Node SDK, required before Next.js: `node --require ./tracing.cjs node_modules/next/dist/bin/next start`.
// PHASES=no leaves out the instrumentations that tell DNS and connect apart, as most installations do.
const { context, createContextKey } = require("@opentelemetry/api");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { DnsInstrumentation } = require("@opentelemetry/instrumentation-dns");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { NetInstrumentation } = require("@opentelemetry/instrumentation-net");
const { UndiciInstrumentation } = require("@opentelemetry/instrumentation-undici");
const { NodeSDK } = require("@opentelemetry/sdk-node");

const ESSENTIAL = createContextKey("seamscope.essential");
const phases = process.env.PHASES === "no" ? [] : [new DnsInstrumentation(), new NetInstrumentation()];

const sdk = new NodeSDK({
  traceExporter: new OTLPTraceExporter(),
  instrumentations: [
    new HttpInstrumentation({ headersToSpanAttributes: { server: { requestHeaders: ["x-request-id"] } } }),
    new UndiciInstrumentation({
      startSpanHook: () => {
        const essential = context.active().getValue(ESSENTIAL);
        return essential === undefined ? {} : { "seamscope.essential": essential };
      },
    }),
    ...phases,
  ],
});
sdk.start();

// Next.js ends the process itself on SIGTERM, without asking who still has spans to send.
process.prependListener("SIGTERM", () => sdk.shutdown().catch(() => {}));
