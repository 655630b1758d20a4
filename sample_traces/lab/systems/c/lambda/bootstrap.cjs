// A runtime as AWS documents it: loads the handler that _HANDLER names, then asks the Runtime API for events, one by one.
"use strict";
const http = require("node:http");
const path = require("node:path");

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, where, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, agent, path: `/2018-06-01/runtime${where}` }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ headers: answer.headers, text: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function main() {
  const [file, name] = process.env._HANDLER.split(".");
  const handler = require(path.join(process.env.LAMBDA_TASK_ROOT, `${file}.js`))[name];
  for (;;) {
    const next = await call("GET", "/invocation/next");
    const id = next.headers["lambda-runtime-aws-request-id"];
    const context = {
      awsRequestId: id,
      functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
      functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
      invokedFunctionArn: next.headers["lambda-runtime-invoked-function-arn"],
      memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    };
    try {
      const answer = await handler(JSON.parse(next.text), context);
      await call("POST", `/invocation/${id}/response`, JSON.stringify(answer));
    } catch (error) {
      console.error(error);
      await call("POST", `/invocation/${id}/error`, JSON.stringify({ errorMessage: String(error), errorType: error.name }));
    }
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
