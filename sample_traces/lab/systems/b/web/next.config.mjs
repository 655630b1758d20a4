import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const { version } = createRequire(import.meta.url)("next/package.json");
const old = version.startsWith("14.");

/** A lab app in a folder of its own: no workspace above it. Next 14 wants a flag before it reads instrumentation.js. */
const config = {
  poweredByHeader: false,
  ...(old
    ? { experimental: { instrumentationHook: true, outputFileTracingRoot: here } }
    : { outputFileTracingRoot: here }),
};

export default config;
