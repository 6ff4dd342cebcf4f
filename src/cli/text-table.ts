/** @file Tables as plain text. */
import { maxOf } from "../ir/index.ts";

/** Rows under headings, columns aligned; numbers to the right. */
export function table(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const cells = [headings, ...rows].map((row) => row.map(String));
  const widths = headings.map((_, column) => maxOf(cells.map((row) => (row[column] ?? "").length)));
  const numeric = headings.map((_, column) => rows.every((row) => typeof row[column] === "number"));
  return cells.map((row) =>
    row
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
}
