import { ask } from "@/origin";

type Line = { region: string; orders: number; revenue_cents: number };

/** A report over a month's orders: one slow statement at the origin. */
export default async function Report({ params }: { params: Promise<{ month: string }> }) {
  const { month } = await params;
  const { body } = await ask<Line[]>(`/reports/${encodeURIComponent(month)}`);
  return (
    <main>
      <h1>{month}</h1>
      <ul>
        {(body ?? []).map((line) => (
          <li key={line.region}>
            {line.region}: {line.orders}, {(line.revenue_cents / 100).toFixed(2)}
          </li>
        ))}
      </ul>
    </main>
  );
}
