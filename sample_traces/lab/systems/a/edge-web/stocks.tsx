import type { Stock } from "./stock";

export function Stocks({ title, found }: { title: string; found: Stock[] }) {
  return (
    <main>
      <h1>{title}</h1>
      <ul>
        {found.map((one) => (
          <li key={one.id}>
            {one.id}: {one.count}
          </li>
        ))}
      </ul>
    </main>
  );
}
