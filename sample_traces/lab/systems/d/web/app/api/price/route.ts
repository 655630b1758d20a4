import { ask } from "../../../origin";

export const dynamic = "force-dynamic";

export async function GET(request: Request) {
  const id = new URL(request.url).searchParams.get("id") ?? "1";
  return Response.json(await ask(`/prices/${id}`));
}
