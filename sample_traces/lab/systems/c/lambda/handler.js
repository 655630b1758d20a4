// The function: products and carts out of a table, asked over DynamoDB's own protocol.
"use strict";
const { witness, since, burn, wait } = require("./witness.cjs");

const TABLE = process.env.TABLE_NAME;
wait(Number(process.env.INIT_MS ?? 0)); // what a function's imports and clients cost before its first request

async function item(key, id, call) {
  const took = witness(id, process.env.TABLE_OWNER, "query", call, "a timer around the call to the table");
  const answer = await fetch(process.env.TABLE_URL, {
    method: "POST",
    headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.GetItem" },
    body: JSON.stringify({ TableName: TABLE, Key: { pk: { S: key } } }),
  });
  const found = await answer.json();
  took();
  return found.Item;
}

exports.main = async (event) => {
  const id = event.headers["x-lab-request"] ?? "";
  const call = event.headers["x-lab-call"] ?? "";
  const arrived = event.headers["x-lab-arrived"]; // where a sandbox had to start for this
  if (arrived) since(arrived, id, process.env.OWN_NAME, "cold_start", call, "from the request to the first line of the handler");
  const took = witness(id, process.env.OWN_NAME, "handler", call, "a timer around the handler");
  const [, kind, key] = event.rawPath.split("/");
  const [row, stock] = [await item(`${kind}#${key}`, id, call), kind === "carts" ? null : await item(`stock#${key}`, id, call)];
  if (kind === "products" && Number(key) % 2) burn(Number(process.env.BUSY_MS ?? 0));
  const page = event.queryStringParameters?.page;
  const body = JSON.stringify({ ...row, stock, page, related: page === "b" ? [1, 2, 3] : [] });
  took();
  return { statusCode: 200, headers: { "content-type": "application/json" }, body };
};
