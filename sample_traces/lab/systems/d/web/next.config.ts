import type { NextConfig } from "next";

const config: NextConfig = {
  // A lab app in a folder of its own: do not look for a workspace above it.
  turbopack: { root: import.meta.dirname },
  poweredByHeader: false,
};

export default config;
