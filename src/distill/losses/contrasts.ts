/** @file Contrasts: Tian, Krishnan and Isola, "Contrastive representation distillation" (2019), arXiv:1910.10699. */
import { random } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import {
  type DataType,
  int64s,
  type Names,
  type Tensor,
  tensorFromNumbers,
  tensorType,
  type Value,
} from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number, whole } from "../../settings/index.ts";
import { type Drive, randomWords, type StepBuilder } from "../../train/index.ts";
import { contrast } from "./contrast.ts";
import {
  type DistillationLoss,
  dimsOf,
  type Memory,
  type PairOptions,
  pairLoss,
  pairOptionsNames,
  type Remembered,
} from "./distillation-loss.ts";

export interface ContrastOptions extends PairOptions {
  /** The class of every sample that is trained on, in order; a number of its own for each where none is known. */
  readonly classes: ArrayLike<number>;
  /** d, the width of what is compared; 128 by default, as published. */
  readonly width?: number;
  /** K, how many samples of other classes each one is held against; 1024 by default. */
  readonly negatives?: number;
  /** τ; 0.07 by default. */
  readonly temperature?: number;
  /** How much of a bank's row stays when its sample is seen; 0.5 by default. */
  readonly momentum?: number;
  /** Of the projections, the banks and the negatives; 0 by default. */
  readonly seed?: number;
}

const contrastOptionsNames: OptionNames<ContrastOptions> = {
  ...pairOptionsNames,
  classes: true,
  width: true,
  negatives: true,
  temperature: true,
  momentum: true,
  seed: true,
};

/**
 * Both values pass a linear layer of their own onto a sphere. A bank for each holds where every sample of the data last stood, and
 * the student's place is held against the teacher's bank, and the other way around: near its own row, far from K rows of other classes.
 * −[log(h⁺ / (h⁺ + K/N)) + Σ log((K/N) / (h⁻ + K/N))], h = exp(a·b / τ) / Z, mean over the samples, for both directions; Z is N times the mean
 * of the first batch. The banks and Z are in the state of the run. In evaluations it is 0: samples that are held out have no rows. (CRD)
 */
export function contrasts(options: ContrastOptions): DistillationLoss {
  const given = checkOptions(options, contrastOptionsNames);
  const settings = { width: 128, negatives: 1024, temperature: 0.07, momentum: 0.5, seed: 0, ...given };
  checkSettings(settings);
  const table = classTable(settings.classes);
  return {
    ...pairLoss("contrasts", given, { build: (_, __, value) => value }),
    remember: (g, pair, scope) => remembered(g, pair, scope, { ...settings, ...table }),
  };
}

member(contrasts, {
  pairs: "given",
  classes: "given",
  weight: number(),
  width: whole(1),
  negatives: whole(1),
  temperature: number(),
  momentum: number(),
  seed: whole(0),
});

/** Of random numbers, and of the words of a batch. */
const [STREAM, LAYER] = [0x0c, 0x0c];

type Settings = Required<Omit<ContrastOptions, "pairs" | "weight">>;

function checkSettings({ width, negatives, temperature, momentum }: Settings): void {
  const fits = {
    width: Number.isSafeInteger(width) && width > 0,
    negatives: Number.isSafeInteger(negatives) && negatives > 0,
    temperature: temperature > 0 && Number.isFinite(temperature),
    momentum: momentum >= 0 && momentum < 1,
  };
  const wrong = Object.entries(fits).find(([, isFine]) => !isFine);
  if (wrong) throw new UsageError(`the ${wrong[0]} of contrasts is out of range`, { where: "contrasts" });
}

/** The samples by class, and where the class of each begins among them. */
interface ClassTable {
  readonly order: readonly number[];
  readonly starts: readonly number[];
  readonly counts: readonly number[];
}

function classTable(classes: ArrayLike<number>): ClassTable {
  const order = Array.from(classes, (_, i) => i).sort((a, b) => classes[a]! - classes[b]! || a - b);
  const ranges = new Map<number, { start: number; count: number }>();
  for (const [place, sample] of order.entries()) {
    const range = ranges.get(classes[sample]!) ?? { start: place, count: 0 };
    ranges.set(classes[sample]!, { ...range, count: range.count + 1 });
  }
  if (ranges.size < 2) {
    throw new UsageError("contrasts hold samples against those of other classes", {
      expected: "samples of two classes or more",
      got: `${order.length} samples of ${ranges.size}`,
    });
  }
  const of = (what: "start" | "count") => Array.from(classes, (name) => ranges.get(name)![what]);
  return { order, starts: of("start"), counts: of("count") };
}

function remembered(g: StepBuilder, pair: Remembered, scope: Names, settings: Settings & ClassTable): Memory {
  const parameters = new Map<Value, Tensor>();
  const { order, width, seed, negatives } = settings;
  const size = order.length;
  const draw = random(seed, STREAM);
  const uniform = (dims: readonly number[], bound: number): Tensor => {
    const values = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
    return tensorFromNumbers(
      "float32",
      dims,
      values.map(() => draw.between(-bound, bound)),
    );
  };
  const held = (name: string, initial: Tensor) => ({ value: fresh(scope, name, initial.dtype, initial.dims), initial });
  const embedded = (who: string, x: Value): Value => {
    const bound = 1 / Math.sqrt(flatWidth(x));
    const made = (name: string, dims: readonly number[]): Value => {
      const { value, initial } = held(`${who}/${name}`, uniform(dims, bound));
      parameters.set(value, initial);
      return value;
    };
    const flat = dimsOf(x).length === 2 ? x : g.op("Flatten", [x], { axis: 1 });
    return g.add(g.matmul(flat, made("weight", [flatWidth(x), width])), made("bias", [width]));
  };
  const [teacher, student] = [embedded("teacher", pair.teacher), embedded("student", pair.student)];
  const bank = (who: string) => held(`${who}/bank`, uniform([size, width], Math.sqrt(3 / width)));
  const [teacherBank, studentBank] = [bank("teacher"), bank("student")];
  const scale = held("scale", tensorFromNumbers("float32", [2], [0, 0]));
  const key = fresh(scope, "key", "uint32", [2]);
  const isTraining = fresh(scope, "training", "float32", []);
  const banks = { teacherBank: teacherBank.value, studentBank: studentBank.value, scale: scale.value };
  const others = negativesOf(g, pair.sample, key, { ...settings, negatives });
  const made = contrast(g, { ...settings, ...banks, teacher, student, others, sample: pair.sample, size });
  return {
    value: g.where(g.greater(isTraining, 0), made.loss, 0),
    parameters,
    carried: [
      { ...teacherBank, next: made.teacherBank },
      { ...studentBank, next: made.studentBank },
      { ...scale, next: made.scale },
    ],
    driven: [
      { input: key, drive: keyDrive(seed) },
      { input: isTraining, drive: trainingDrive },
    ],
  };
}

function fresh(scope: Names, name: string, dtype: DataType, dims: readonly number[]): Value {
  return { name: scope.fresh(`contrasts/${name}`), type: tensorType(dtype, dims) };
}

/** For each sample K positions of samples of other classes, drawn anew for every batch: int64 [batch, K]. */
export function negativesOf(
  g: StepBuilder,
  sample: Value,
  key: Value,
  { order, starts, counts, negatives }: ClassTable & Pick<Settings, "negatives">,
): Value {
  const table = (name: string, list: readonly number[]) => g.constant(name, int64s(list));
  const row = (name: string, list: readonly number[]) => g.unsqueeze(g.gather(table(name, list), sample, 0), [1]);
  const [start, count] = [row("starts", starts), row("counts", counts)];
  const drawn = g.add(g.unsqueeze(sample, [1]), g.ints(new Array<number>(negatives).fill(0)));
  const words = g.reshape(g.cast(randomWords(g, drawn, key, LAYER), "float64"), [-1, negatives]);
  const choices = g.cast(g.sub(g.number(order.length, "int64"), count), "float64");
  const place = g.cast(g.op("Floor", [g.mul(words, g.div(choices, 2 ** 32))]), "int64");
  return g.gather(table("order", order), g.where(g.less(place, start), place, g.add(place, count)), 0);
}

function flatWidth(x: Value): number {
  const [, ...dims] = dimsOf(x);
  const lengths = dims.map(Number);
  if (lengths.length > 0 && lengths.every((length) => length > 0)) return lengths.reduce((a, b) => a * b);
  throw new UsageError("contrasts need values of known width", {
    got: `[${dimsOf(x).join(", ")}]`,
    where: `value ${JSON.stringify(x.name)}`,
  });
}

/** Two words that differ from batch to batch and from run to run. */
function keyDrive(seed: number): Drive {
  const words = (own: number, batch: number) => {
    const first = random(seed, STREAM, own >>> 0).word();
    return tensorFromNumbers("uint32", [2], [first, batch]);
  };
  return { train: ({ batch, seed: own }) => words(own, batch), evaluate: words(0, 0) };
}

const flagOf = (x: number): Tensor => tensorFromNumbers("float32", [], [x]);
const trainingDrive: Drive = { train: () => flagOf(1), evaluate: flagOf(0) };
