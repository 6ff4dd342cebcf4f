/** @file A teacher's answers computed once per sample and kept on disk, as further inputs of the samples. */
import { must, nth } from "../checked.ts";
import { batchOf, type Dataset, type InputPort, type Sample } from "../data/index.ts";
import { DataError } from "../errors.ts";
import {
  bytesOfTensor,
  type DataType,
  isSparse,
  type Model,
  numbersOf,
  printModel,
  sizeOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
  valuesOf,
  withGraph,
} from "../ir/index.ts";
import { checkCancelled, type OpenSession, openSession, type Session, type SessionOptions } from "../runtime/index.ts";
import type { Row, RowLayout } from "./answer-file.ts";
import { teacherInputs } from "./joint-model.ts";

/** What needs Node is loaded when it is called. */
function answerFiles() {
  return import("./answer-file.ts");
}

/** Where answers are kept, and how. */
export interface AnswerCache {
  readonly folder: string;
  /** Of what is kept of floats; what trains is float32 again. `float32` (default) keeps every bit. */
  readonly dtype?: "float32" | "float16";
}

export interface KeptAnswersOptions extends AnswerCache {
  readonly student: Model;
  readonly teacher: Model;
  /** Values of the teacher by the input of a sample that holds them. */
  readonly values: () => Promise<ReadonlyMap<string, string>>;
  /** Tells several data sets of one folder apart. */
  readonly name: string;
  /** Samples that are answered at once. */
  readonly batch: number;
  readonly open?: OpenSession | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One value of a sample. */
interface Part {
  readonly input: string;
  readonly value: string;
  readonly dims: readonly number[];
  /** As it is kept, and as it is handed out. */
  readonly kept: DataType;
  readonly dtype: DataType;
}

interface Store {
  readonly layout: RowLayout;
  readonly parts: readonly Part[];
}

/**
 * The data with the teacher's answers as inputs. They are computed when a sample is first read, all of them at once, and found again by the digest of
 * the teacher and of the sample's inputs. At most a part of the answers is held in memory.
 *
 * @throws DataError, when read, for a sample that is not the one that was answered
 */
export function keptAnswers(data: Dataset, options: KeptAnswersOptions): Dataset {
  let store: Promise<Store> | undefined;
  async function* pick(positions: readonly number[]): AsyncGenerator<Sample> {
    store ??= filled(data, options);
    const { layout, parts } = await store;
    const { readRows, checkDigest } = await answerFiles();
    const reader = readRows(layout);
    try {
      let i = 0;
      for await (const sample of data.pick(positions)) {
        const { digest, data: bytes } = await reader.read(nth(positions, i++));
        checkDigest(digest, await sampleDigest(sample), sample.source);
        yield { ...sample, inputs: new Map([...sample.inputs, ...unpacked(bytes, parts)]) };
      }
    } finally {
      await reader.close();
    }
  }
  const { size, classes, assumptions } = data;
  return {
    size,
    ...(classes && { classes }),
    ...(assumptions && { assumptions }),
    ...(data.labels && { labels: () => data.labels!() }),
    pick,
    [Symbol.asyncIterator]: () => pick(Array.from({ length: size }, (_, i) => i)),
  };
}

async function filled(data: Dataset, options: KeptAnswersOptions): Promise<Store> {
  const { partsDone, rowsPerPart, writePart } = await answerFiles();
  const values = await options.values();
  const asked = asking(options.teacher, [...values.values()]);
  await using session = await (options.open ?? openSession)(asked, { step: "answering", ...options.session });
  const answering: Answering = { data, session, options };
  const parts = await partsOf(answering, values);
  const layout = await layoutOf(asked, parts, answering);
  const perPart = rowsPerPart(layout);
  let part = await partsDone(layout);
  let rows: Row[] = [];
  for await (const { sample, answers } of answersFrom(answering, part * perPart)) {
    rows.push({ digest: await sampleDigest(sample), data: packed(answers, parts, layout.bytes) });
    if (rows.length < perPart) continue;
    await writePart(layout, part++, rows);
    rows = [];
  }
  if (rows.length > 0) await writePart(layout, part, rows);
  return { layout, parts };
}

interface Answering {
  readonly data: Dataset;
  readonly session: Session;
  readonly options: KeptAnswersOptions;
}

/** The teacher with the values that are asked for as its outputs. */
function asking(teacher: Model, names: readonly string[]): Model {
  const known = new Map([...valuesOf(teacher.graph)].map((value) => [value.name, value]));
  return withGraph(teacher, { ...teacher.graph, outputs: names.map((name) => must(known, name)) });
}

interface Answered {
  readonly sample: Sample;
  /** By the names of the teacher's values, without the batch axis. */
  readonly answers: ReadonlyMap<string, Tensor>;
}

/** The samples from a position on, in batches as training has them. */
async function* answersFrom({ data, session, options }: Answering, from: number): AsyncGenerator<Answered> {
  const { batch, signal, student, teacher } = options;
  const inputs = [...teacherInputs(student.graph, teacher.graph)];
  const port = inputs.map(([, own]) => portOf(own));
  let group: Sample[] = [];
  const answered = async function* (samples: readonly Sample[]): AsyncGenerator<Answered> {
    checkCancelled(signal);
    const { feeds } = batchOf(samples, { port });
    const results = await session.run(new Map(inputs.map(([value, own]) => [value.name, must(feeds, own.name)])));
    for (const [i, sample] of samples.entries()) yield { sample, answers: rowOf(results, i, samples.length) };
  };
  for await (const sample of data.pick(Array.from({ length: data.size - from }, (_, i) => from + i))) {
    group.push(sample);
    if (group.length < batch) continue;
    yield* answered(group);
    group = [];
  }
  if (group.length > 0) yield* answered(group);
}

function portOf({ name, type }: Value): InputPort {
  if (type?.kind !== "tensor") return { name, dtype: undefined };
  return { name, dtype: type.dtype, ...(type.dims && { dims: type.dims }) };
}

function rowOf(results: ReadonlyMap<string, Tensor>, row: number, count: number): Map<string, Tensor> {
  return new Map([...results].map(([name, tensor]) => [name, oneOf(name, tensor, row, count)]));
}

function oneOf(name: string, tensor: Tensor, row: number, count: number): Tensor {
  const [batch = 0, ...dims] = tensor.dims;
  if (batch < count || tensor.dims.length === 0) {
    throw new DataError("answers are kept sample by sample, and a value of the teacher has no rows of samples", {
      expected: `${count} rows`,
      got: `[${tensor.dims.join(", ")}]`,
      where: `value ${JSON.stringify(name)} of the teacher`,
      hint: "Leave the teacher in the step graph: keep no answers.",
    });
  }
  const bytes = bytesOfTensor(tensor);
  const length = bytes.byteLength / batch;
  return { dtype: tensor.dtype, dims, data: bytes.slice(row * length, (row + 1) * length) };
}

/** How the values of one sample are kept. */
async function partsOf(answering: Answering, values: ReadonlyMap<string, string>): Promise<readonly Part[]> {
  const { dtype = "float32" } = answering.options;
  for await (const { answers } of answersFrom(answering, 0)) {
    return [...values].map(([input, value]) => {
      const { dims, dtype: own } = must(answers, value);
      return { input, value, dims, dtype: own, kept: own === "float32" ? dtype : own };
    });
  }
  throw new DataError("the data has no sample");
}

/** The files of a teacher's answers: others for another teacher, other values or another precision. */
async function layoutOf(asked: Model, parts: readonly Part[], { data, options }: Answering): Promise<RowLayout> {
  const { digestOf } = await answerFiles();
  const text = new TextEncoder();
  const described = text.encode(JSON.stringify([printModel(asked), parts, data.size]));
  const weights = [...asked.graph.initializers.values()].map((data) => (isSparse(data) ? data.values : data));
  const digest = digestOf([described, ...weights.map(bytesOfTensor)]);
  const bytes = parts.reduce((sum, { kept, dims }) => sum + zeros(kept, dims).byteLength, 0);
  const name = `${options.name}-${Buffer.from(digest).toString("hex")}`;
  return { folder: options.folder, name, rows: data.size, bytes };
}

function zeros(dtype: DataType, dims: readonly number[]): Uint8Array {
  return bytesOfTensor(tensorFromNumbers(dtype, dims, new Float64Array(sizeOf(dims))));
}

async function sampleDigest({ inputs }: Sample): Promise<Uint8Array> {
  const { digestOf } = await answerFiles();
  return digestOf([...inputs.values()].map(bytesOfTensor));
}

function packed(answers: ReadonlyMap<string, Tensor>, parts: readonly Part[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const { value, kept, dims } of parts) {
    const own = bytesOfTensor(converted(must(answers, value), kept, dims));
    bytes.set(own, offset);
    offset += own.byteLength;
  }
  return bytes;
}

function unpacked(bytes: Uint8Array, parts: readonly Part[]): [string, Tensor][] {
  let offset = 0;
  return parts.map(({ input, kept, dtype, dims }) => {
    const { byteLength } = zeros(kept, dims);
    const own: Tensor = { dtype: kept, dims, data: bytes.slice(offset, offset + byteLength) };
    offset += byteLength;
    return [input, converted(own, dtype, dims)];
  });
}

function converted(tensor: Tensor, dtype: DataType, dims: readonly number[]): Tensor {
  return tensor.dtype === dtype ? tensor : tensorFromNumbers(dtype, dims, numbersOf(tensor));
}
