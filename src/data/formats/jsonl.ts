/**
 * @file JSON lines of tensors, one sample per line: `{ "inputs": { NAME: VALUE, … }, "label": 3 }`. A value is a nested
 * list of numbers or `{ "dtype", "dims", "data" }`; nothing has a batch axis.
 */
import { DataError, ensure, FormatError } from "../../errors.ts";
import { type DataType, dataTypes, sizeOf, type Tensor, tensorFromNumbers } from "../../ir/index.ts";
import { checkItemDims } from "../adapt.ts";
import type { ByteSource } from "../bytes.ts";
import { type Dataset, datasetOf, type InputPort, type Sample } from "../dataset.ts";
import { defaultInputName } from "../image-dataset.ts";
import { parseJson } from "../json.ts";
import { checkDims, once } from "../stored-array.ts";
import { indexRecords, type RecordIndex, recordReader } from "./records.ts";

/** Opens a file of JSON lines. Values without a dtype take that of the model's input, or float32. */
export async function jsonlDataset(open: () => Promise<ByteSource>, ports?: readonly InputPort[]): Promise<Dataset> {
  const source = await open();
  try {
    const records = await indexRecords(source, false);
    const first = parseSample(await recordReader(source, records)(0), ports, `${source.name}, line 1`);
    const labelled = first.label !== undefined;
    return datasetOf({
      size: records.count,
      ...(labelled && { labels: once(() => readLabels(open, records)) }),
      async open() {
        const bytes = await open();
        const read = recordReader(bytes, records);
        return {
          async read(position) {
            const sample = parseSample(await read(position), ports, `${bytes.name}, line ${position + 1}`);
            ensure(
              (sample.label !== undefined) === labelled,
              () => new DataError("some lines have a label and others have none", { where: sample.source }),
            );
            return sample;
          },
          close: () => bytes.close(),
        };
      },
    });
  } finally {
    await source.close();
  }
}

async function readLabels(open: () => Promise<ByteSource>, records: RecordIndex): Promise<Float64Array> {
  const source = await open();
  try {
    const read = recordReader(source, records);
    const labels = new Float64Array(records.count);
    for (let i = 0; i < records.count; i++) {
      const where = `${source.name}, line ${i + 1}`;
      const label = parseLabel(fieldsOf(parseJson(await read(i), where), where).get("label"), where);
      if (label === undefined) throw new DataError("a line has no label", { where });
      labels[i] = label;
    }
    return labels;
  } finally {
    await source.close();
  }
}

function parseSample(line: string, ports: readonly InputPort[] | undefined, where: string): Sample {
  const value = parseJson(line, where);
  if (Array.isArray(value)) return { inputs: named(new Map([[defaultInputName, value]]), ports, where), source: where };
  const fields = fieldsOf(value, where);
  const unknown = [...fields.keys()].find((key) => key !== "inputs" && key !== "label");
  ensure(
    unknown === undefined,
    () =>
      new FormatError("a line has an unknown key", {
        expected: '"inputs" and "label"',
        got: JSON.stringify(unknown),
        where,
      }),
  );
  const label = parseLabel(fields.get("label"), where);
  const inputs = named(fieldsOf(fields.get("inputs"), where), ports, where);
  return { inputs, ...(label !== undefined && { label }), source: where };
}

function named(
  values: ReadonlyMap<string, unknown>,
  ports: readonly InputPort[] | undefined,
  where: string,
): ReadonlyMap<string, Tensor> {
  if (!ports)
    return new Map(
      [...values].map(([name, value]) => [name, parseTensor(value, undefined, `${where}, ${JSON.stringify(name)}`)]),
    );
  const [only] = ports.length === 1 && values.size === 1 ? values.values() : [];
  return new Map(
    ports.map((port) => {
      const value = only ?? values.get(port.name);
      if (value === undefined) {
        throw new DataError("a line lacks one of the model's inputs", { expected: JSON.stringify(port.name), where });
      }
      return [port.name, parseTensor(value, port, `${where}, ${JSON.stringify(port.name)}`)];
    }),
  );
}

function parseTensor(value: unknown, port: InputPort | undefined, where: string): Tensor {
  const explicit = !Array.isArray(value) && typeof value === "object" && value !== null;
  const result = explicit ? explicitTensor(value, where) : nestedTensor(value, port?.dtype ?? "float32", where);
  if (!port) return result;
  checkItemDims(result, port, where);
  ensure(
    port.dtype === undefined || port.dtype === result.dtype,
    () =>
      new DataError("a value's dtype does not fit the model's input", {
        expected: `${port.dtype}`,
        got: result.dtype,
        where,
      }),
  );
  return result;
}

function explicitTensor(value: object, where: string): Tensor {
  const fields = new Map<string, unknown>(Object.entries(value));
  const [dtype, dims, data] = ["dtype", "dims", "data"].map((key) => fields.get(key));
  const known = typeof dtype === "string" && Object.hasOwn(dataTypes, dtype) ? (dtype as DataType) : undefined;
  ensure(
    known && fields.size === 3 && isNumbers(dims) && isNumbers(data),
    () => new FormatError("a value is not { dtype, dims, data }", { got: JSON.stringify(value).slice(0, 100), where }),
  );
  checkDims(dims as number[], where);
  ensure(
    sizeOf(dims as number[]) === (data as number[]).length,
    () =>
      new FormatError("a value's data does not fill its dims", { got: `${(data as number[]).length} numbers`, where }),
  );
  return numbers(known, dims as number[], data as number[], where);
}

function nestedTensor(value: unknown, dtype: DataType, where: string): Tensor {
  const dims: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) dims.push(level.length);
  checkDims(dims, where);
  const values: number[] = [];
  flatten(value, dims, 0, values, where);
  return numbers(dtype, dims, values, where);
}

function flatten(value: unknown, dims: readonly number[], axis: number, out: number[], where: string): void {
  if (axis === dims.length) {
    const number = typeof value === "boolean" ? Number(value) : value;
    ensure(
      typeof number === "number",
      () => new FormatError("a value is no number", { got: JSON.stringify(value) ?? "nothing", where }),
    );
    out.push(number as number);
    return;
  }
  ensure(
    Array.isArray(value) && value.length === dims[axis],
    () => new FormatError("a nested list is ragged", { expected: `${dims[axis]} items at depth ${axis}`, where }),
  );
  for (const item of value as unknown[]) flatten(item, dims, axis + 1, out, where);
}

function numbers(dtype: DataType, dims: readonly number[], values: readonly number[], where: string): Tensor {
  const { kind } = dataTypes[dtype];
  ensure(
    kind !== "string" && kind !== "complex",
    () => new FormatError("a value's dtype is not one of numbers", { got: dtype, where }),
  );
  if (kind === "int" || kind === "uint") checkIntegers(dtype, values, where);
  return tensorFromNumbers(dtype, dims, values);
}

function checkIntegers(dtype: DataType, values: readonly number[], where: string): void {
  const { kind, bits } = dataTypes[dtype];
  const low = kind === "int" ? -(2 ** (bits - 1)) : 0;
  const high = kind === "int" ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const wrong = values.find((value) => !Number.isSafeInteger(value) || value < low || value > high);
  ensure(wrong === undefined, () => new FormatError(`a number does not fit ${dtype}`, { got: `${wrong}`, where }));
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}

function parseLabel(value: unknown, where: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  ensure(
    typeof value === "number",
    () => new FormatError("a label is no number", { got: JSON.stringify(value), where }),
  );
  return value as number;
}

function fieldsOf(value: unknown, where: string): ReadonlyMap<string, unknown> {
  ensure(
    typeof value === "object" && value !== null && !Array.isArray(value),
    () => new FormatError("a line is no sample", { expected: '{ "inputs": { … }, "label"? }', where }),
  );
  return new Map(Object.entries(value as object));
}
