// Ends TLS before the origin, as one of several fronts that do not share the keys of their tickets: now and then the keys
// are others, and a session that was kept is worth nothing.
"use strict";
const { randomBytes } = require("node:crypto");
const { readFileSync } = require("node:fs");
const net = require("node:net");
const tls = require("node:tls");

const env = process.env;
const [host, port] = env.BEHIND.split(":");
const own = { key: readFileSync(env.TLS_KEY), cert: readFileSync(env.TLS_CERTIFICATE), minVersion: "TLSv1.3" };

const server = tls.createServer(own, (outer) => {
  const inner = net.connect(Number(port), host);
  outer.pipe(inner).pipe(outer);
  for (const end of [outer, inner]) end.on("error", () => [outer, inner].forEach((one) => one.destroy()));
});
server.on("tlsClientError", () => {}); // whoever probes the port says nothing of TLS
setInterval(() => server.setTicketKeys(randomBytes(48)), Number(env.ROTATE_MS));
server.listen(Number(env.PORT), env.ADDRESS);
process.on("SIGTERM", () => process.exit(0));
