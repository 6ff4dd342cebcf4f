/** @file One record of comma-separated values as in RFC 4180: quoted cells may hold commas, line breaks and doubled quotes. */
import { ensure, FormatError } from "../../errors.ts";

/** The cells of one record, without its line end. */
export function splitCsvLine(line: string, where: string, separator = ","): string[] {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    const [cell, end] = line[at] === '"' ? quotedCell(line, at, where) : plainCell(line, at, separator);
    cells.push(cell);
    if (end >= line.length) return cells;
    ensure(line[end] === separator, () => malformed("characters follow a closing quote", line, where));
    at = end + 1;
  }
}

/** A cell as CSV text, quoted where it must be. */
export function quoteCsvCell(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function plainCell(line: string, start: number, separator: string): [string, number] {
  const found = line.indexOf(separator, start);
  const end = found < 0 ? line.length : found;
  return [line.slice(start, end), end];
}

function quotedCell(line: string, start: number, where: string): [string, number] {
  let cell = "";
  let at = start + 1;
  for (;;) {
    const quote = line.indexOf('"', at);
    ensure(quote >= 0, () => malformed("a quoted cell does not end", line, where));
    cell += line.slice(at, quote);
    if (line[quote + 1] !== '"') return [cell, quote + 1];
    cell += '"';
    at = quote + 2;
  }
}

function malformed(what: string, line: string, where: string): FormatError {
  return new FormatError(`the CSV is malformed: ${what}`, { got: JSON.stringify(line.slice(0, 100)), where });
}
