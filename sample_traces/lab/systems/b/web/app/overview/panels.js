const PANELS = Number(process.env.PANELS ?? 3);

/** The paths of all panels: they are independent of each other. */
export const paths = Array.from({ length: PANELS }, (_, number) => `/v1/panels/panel-${number}/`);

export function Panels({ answers }) {
  return (
    <main>
      {answers.map(({ body }, number) => (
        <section key={number}>{body?.text ?? "not to be had just now"}</section>
      ))}
    </main>
  );
}
