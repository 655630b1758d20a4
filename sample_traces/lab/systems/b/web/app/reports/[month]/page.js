import { ask } from "../../../origin";

/** A report over a month's orders: one statement at the origin, through SQLAlchemy. */
export default async function Report({ params }) {
  const { month } = await params;
  const { body } = await ask(`/v1/reports/${encodeURIComponent(month)}/`);
  return (
    <main>
      <h1>{month}</h1>
      <ul>
        {(body ?? []).map((line) => (
          <li key={line.region}>
            {line.region}: {line.orders}
          </li>
        ))}
      </ul>
    </main>
  );
}
