/** @file Tables of numbers as comma- or tab-separated values: one row per sample, the chosen columns as a float32 vector. */
import { nth } from "../../checked.ts";
import { DataError, ensure, FormatError, UsageError } from "../../errors.ts";
import { type Tensor, tensor } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { adaptTensor } from "../adapt.ts";
import type { ByteSource } from "../bytes.ts";
import { type Dataset, datasetOf, type InputPort } from "../dataset.ts";
import { defaultInputName } from "../image-dataset.ts";
import { labelNumber, numberLabels } from "../label-file.ts";
import { parseNumber } from "../number-text.ts";
import type { LabelSource } from "../stored-array.ts";
import { splitCsvLine } from "./csv-line.ts";
import { indexRecords, type RecordIndex, recordReader } from "./records.ts";

export interface CsvOptions {
  readonly separator: "," | "\t";
  /** The column of labels: numbers, or names of classes. */
  readonly labelColumn?: string;
  /** Labels from elsewhere, one per row. */
  readonly labels?: LabelSource;
  /** The columns that make up the input, in this order; all numeric ones when absent. */
  readonly columns?: readonly string[];
  /** What to do with a row that has an empty cell in a used column; default `error`. */
  readonly missing?: "error" | "skip";
  readonly port?: InputPort;
}

interface Table {
  readonly name: string;
  readonly separator: "," | "\t";
  readonly header: readonly string[];
  readonly records: RecordIndex;
  /** The record of the first row: 1 after a header, 0 without. */
  readonly firstRow: number;
  readonly open: () => Promise<ByteSource>;
}

const csvOptionsNames: OptionNames<CsvOptions> = {
  separator: true,
  labelColumn: true,
  labels: true,
  columns: true,
  missing: true,
  port: true,
};

/**
 * Opens a table. Its rows are read once to find the numeric columns and later by position. Without a header (a first
 * row of numbers only) columns are called c0, c1, …
 */
export async function csvDataset(open: () => Promise<ByteSource>, options: CsvOptions): Promise<Dataset> {
  checkOptions(options, csvOptionsNames);
  const table = await openTable(open, options.separator);
  const facts = await scanRows(table, options);
  const { columns, notes } = chooseColumns(table, facts, options);
  const rows = keptRows(table, facts, columns, options);
  const labels = await rowLabels(table, facts, rows, options);
  const name = options.port?.name ?? defaultInputName;
  return datasetOf({
    size: rows.length,
    ...(labels?.classes && { classes: labels.classes }),
    assumptions: [...notes, ...skipNote(table, rows)],
    ...(labels && { labels: async () => labels.labels }),
    async open() {
      const source = await table.open();
      const read = recordReader(source, table.records);
      return {
        async read(position) {
          const row = nth(rows, position);
          const where = `${table.name}, row ${row + 1}`;
          const cells = splitCsvLine(await read(row + table.firstRow), where, table.separator);
          const value = vector(cells, columns, where);
          const label = labels?.labels[position];
          const inputs = new Map([[name, adaptTensor(value, options.port, where)]]);
          return { inputs, ...(label !== undefined && { label }), source: where };
        },
        close: () => source.close(),
      };
    },
  });
}

/** The names of the columns. */
export async function csvColumns(open: () => Promise<ByteSource>, separator: "," | "\t"): Promise<readonly string[]> {
  return (await openTable(open, separator)).header;
}

async function openTable(open: () => Promise<ByteSource>, separator: "," | "\t"): Promise<Table> {
  const source = await open();
  try {
    const records = await indexRecords(source, true);
    const line = (await recordReader(source, records)(0)).replace(/^\uFEFF/, "");
    const first = splitCsvLine(line, `${source.name}, record 0`, separator).map((cell) => cell.trim());
    const headless = first.every((cell) => parseNumber(cell) !== undefined);
    const header = headless ? first.map((_, i) => `c${i}`) : first;
    const repeated = repeatedName(header);
    ensure(
      repeated === undefined,
      () => new FormatError("two columns have the same name", { got: JSON.stringify(repeated), where: source.name }),
    );
    return { name: source.name, separator, header, records, firstRow: headless ? 0 : 1, open };
  } finally {
    await source.close();
  }
}

function repeatedName(header: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return header.find((name) => seen.size === seen.add(name).size);
}

interface RowFacts {
  readonly rows: number;
  /** Per column: a cell that is no number, or `undefined` when all are numbers or empty. */
  readonly notNumber: readonly (string | undefined)[];
  /** Per column: the rows with an empty cell. */
  readonly empty: readonly (readonly number[])[];
  readonly labelCells: readonly string[];
}

async function scanRows(table: Table, { labelColumn }: CsvOptions): Promise<RowFacts> {
  const { header, records, firstRow, separator, name } = table;
  const rows = records.count - firstRow;
  const notNumber = new Array<string | undefined>(header.length).fill(undefined);
  const empty = header.map((): number[] => []);
  const labelCells: string[] = [];
  const labelIndex = labelColumn === undefined ? -1 : header.indexOf(labelColumn);
  const source = await table.open();
  try {
    const read = recordReader(source, records);
    for (let row = 0; row < rows; row++) {
      const where = `${name}, row ${row + 1}`;
      const cells = splitCsvLine(await read(row + firstRow), where, separator);
      ensure(
        cells.length === header.length,
        () =>
          new FormatError("a row has another number of cells than the header", {
            expected: `${header.length}`,
            got: `${cells.length}`,
            where,
          }),
      );
      for (const [column, cell] of cells.entries()) {
        if (cell.trim() === "") nth(empty, column).push(row);
        else if (notNumber[column] === undefined && parseNumber(cell) === undefined) notNumber[column] = cell;
      }
      if (labelIndex >= 0) labelCells.push(nth(cells, labelIndex).trim());
    }
  } finally {
    await source.close();
  }
  return { rows, notNumber, empty, labelCells };
}

interface Columns {
  readonly columns: readonly number[];
  readonly notes: readonly string[];
}

function chooseColumns({ header, name }: Table, { notNumber }: RowFacts, options: CsvOptions): Columns {
  if (options.columns) {
    const places = new Map(header.map((column, i) => [column, i]));
    return {
      columns: options.columns.map((column) => numericColumn(header, places, notNumber, column, name)),
      notes: [],
    };
  }
  const others = header.map((_, i) => i).filter((i) => header[i] !== options.labelColumn);
  const columns = others.filter((i) => notNumber[i] === undefined);
  const left = others.filter((i) => notNumber[i] !== undefined).map((i) => nth(header, i));
  ensure(columns.length > 0, () => new DataError("the table has no numeric column", { where: name }));
  return {
    columns,
    notes: left.length > 0 ? [`columns left out because they are not numeric: ${listed(left)}`] : [],
  };
}

function numericColumn(
  header: readonly string[],
  places: ReadonlyMap<string, number>,
  notNumber: readonly (string | undefined)[],
  column: string,
  where: string,
): number {
  const index = places.get(column) ?? -1;
  ensure(index >= 0, () => unknownColumn(column, header, where));
  ensure(
    notNumber[index] === undefined,
    () =>
      new DataError("a chosen column is not numeric", {
        got: JSON.stringify(notNumber[index]),
        where: `${where}, column ${JSON.stringify(column)}`,
      }),
  );
  return index;
}

function keptRows(table: Table, facts: RowFacts, columns: readonly number[], options: CsvOptions): readonly number[] {
  const labelIndex = options.labelColumn === undefined ? [] : [table.header.indexOf(options.labelColumn)];
  const dropped = new Set<number>();
  for (const column of [...columns, ...labelIndex]) {
    const rows = facts.empty[column] ?? [];
    ensure(
      rows.length === 0 || options.missing === "skip",
      () =>
        new DataError("the table has empty cells", {
          got: `${rows.length} in column ${JSON.stringify(table.header[column])}`,
          where: `${table.name}, first in row ${nth(rows, 0) + 1}`,
          hint: 'Choose other columns, or set missing to "skip" to leave such rows out.',
        }),
    );
    for (const row of rows) dropped.add(row);
  }
  return Array.from({ length: facts.rows }, (_, row) => row).filter((row) => !dropped.has(row));
}

interface RowLabels {
  readonly labels: Float64Array;
  readonly classes?: readonly string[];
}

async function rowLabels(
  table: Table,
  facts: RowFacts,
  rows: readonly number[],
  options: CsvOptions,
): Promise<RowLabels | undefined> {
  const at = (values: ArrayLike<number>) => new Float64Array(rows.length).map((_, i) => values[nth(rows, i)]!);
  if (options.labels) return { labels: at(await options.labels(facts.rows)) };
  if (options.labelColumn === undefined) return undefined;
  const index = table.header.indexOf(options.labelColumn);
  ensure(index >= 0, () => unknownColumn(options.labelColumn!, table.header, table.name));
  if (facts.notNumber[index] === undefined) return { labels: at(facts.labelCells.map(Number)) };
  const kept = rows.map((row) => labelNumber(nth(facts.labelCells, row)) ?? nth(facts.labelCells, row));
  const numbered = numberLabels(kept, undefined, `${table.name}, column ${JSON.stringify(options.labelColumn)}`);
  return { labels: Float64Array.from(numbered.labels), ...(numbered.classes && { classes: numbered.classes }) };
}

function skipNote({ records, firstRow }: Table, rows: readonly number[]): readonly string[] {
  const skipped = records.count - firstRow - rows.length;
  return skipped === 0 ? [] : [`${skipped} rows with empty cells are left out`];
}

function vector(cells: readonly string[], columns: readonly number[], where: string): Tensor {
  const values = new Float32Array(columns.length).map((_, i) => {
    const column = nth(columns, i);
    const value = parseNumber(cells[column] ?? "");
    ensure(
      value !== undefined,
      () => new FormatError("a cell is no number", { got: JSON.stringify(cells[column]) ?? "nothing", where }),
    );
    return value;
  });
  return tensor("float32", [columns.length], values);
}

/** Names that a message has room for. */
const LISTED = 100;

function listed(names: readonly string[]): string {
  const some = names.slice(0, LISTED).map((name) => JSON.stringify(name));
  return [...some, ...(names.length > LISTED ? [`and ${names.length - LISTED} more`] : [])].join(", ");
}

function unknownColumn(column: string, header: readonly string[], where: string): UsageError {
  return new UsageError("the table has no such column", {
    expected: `one of ${listed(header)}`,
    got: JSON.stringify(column),
    where,
  });
}
