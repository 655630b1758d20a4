import { Suspense } from "react";
import { ask } from "../../origin";

/** An advertisement: the page is whole without it, and says so on the call. */
async function Banner() {
  const { body } = await ask("/v1/banner/", { essential: false });
  return <aside>{body?.text ?? ""}</aside>;
}

/** With BANNER=await the whole page waits for the advertisement; otherwise it streams in later. */
export default async function Feed() {
  const banner = process.env.BANNER === "await" ? await Banner() : null;
  const { body } = await ask("/v1/me/", { essential: true });
  return (
    <main>
      <h1>{body?.name ?? "Hello"}</h1>
      {banner ?? (
        <Suspense fallback={null}>
          <Banner />
        </Suspense>
      )}
    </main>
  );
}
