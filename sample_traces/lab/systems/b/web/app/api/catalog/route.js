import { ask } from "../../../origin";

const CATALOG = process.env.CATALOG_URL ?? "http://localhost:8100";

/** A page of the catalog, from the Node service. */
export async function GET(request) {
  const shelf = new URL(request.url).searchParams.get("shelf") ?? "0";
  const { status, body } = await ask(`/catalog?shelf=${encodeURIComponent(shelf)}`, { base: CATALOG });
  return Response.json(body, { status });
}
