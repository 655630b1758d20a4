// What an OpenTelemetry layer does for a Node function: loaded before the runtime, it wraps the handler.
"use strict";
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { AwsLambdaInstrumentation } = require("@opentelemetry/instrumentation-aws-lambda");
const { UndiciInstrumentation } = require("@opentelemetry/instrumentation-undici");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const env = process.env;
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({
    "service.name": env.OTEL_SERVICE_NAME,
    "service.version": env.SERVICE_VERSION,
    "deployment.environment.name": "lab",
    "cloud.provider": "aws",
    "cloud.platform": "aws_lambda",
    "cloud.region": env.AWS_REGION,
    "faas.name": env.AWS_LAMBDA_FUNCTION_NAME,
    "faas.version": env.AWS_LAMBDA_FUNCTION_VERSION,
    "faas.instance": env.AWS_LAMBDA_LOG_STREAM_NAME,
    "faas.max_memory": Number(env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE) * 1048576,
    "telemetry.sdk.language": "nodejs",
    "telemetry.sdk.name": "opentelemetry",
  }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();

const header = "x-request-id";
registerInstrumentations({
  tracerProvider: provider,
  instrumentations: [
    new AwsLambdaInstrumentation({
      requestHook(span, { event }) {
        const id = event.headers?.[header];
        span.setAttributes({ "http.request.method": event.requestContext.http.method, "url.path": event.rawPath });
        if (id) span.setAttribute(`http.request.header.${header}`, [id]);
      },
      responseHook(span, { res }) {
        if (res?.statusCode) span.setAttribute("http.response.status_code", res.statusCode);
      },
    }),
    new UndiciInstrumentation({ ignoreRequestHook: (request) => request.origin.includes(env.AWS_LAMBDA_RUNTIME_API) }),
  ],
});
