/** @file The formulas of contrasts: two embeddings against the banks of each other, and what the banks become. */
import type { Value } from "../../ir/index.ts";
import type { StepBuilder } from "../../train/index.ts";

export interface ContrastParts {
  /** What the linear layers give of a batch: [B, d], of any length. */
  readonly teacher: Value;
  readonly student: Value;
  /** [N, d], rows of length 1 but at first. */
  readonly teacherBank: Value;
  readonly studentBank: Value;
  /** [2]: Z of the student's side and of the teacher's; 0 before the first batch. */
  readonly scale: Value;
  /** int64 [B]: the rows of the samples. */
  readonly sample: Value;
  /** int64 [B, K]: the rows that they are held against. */
  readonly others: Value;
  /** N. */
  readonly size: number;
  /** K. */
  readonly negatives: number;
  readonly temperature: number;
  readonly momentum: number;
}

export interface Contrast {
  /** Both directions together, a scalar. */
  readonly loss: Value;
  readonly teacherBank: Value;
  readonly studentBank: Value;
  readonly scale: Value;
}

export function contrast(g: StepBuilder, parts: ContrastParts): Contrast {
  const { teacherBank, studentBank, scale, sample, others } = parts;
  const [teacher, student] = [unit(g, parts.teacher), unit(g, parts.student)];
  const rows = g.concat([g.unsqueeze(sample, [1]), others], 1);
  const ofStudent = side(g, student, teacherBank, rows, { ...parts, known: g.slice(scale, [0], [1], [0]) });
  const ofTeacher = side(g, teacher, studentBank, rows, { ...parts, known: g.slice(scale, [1], [2], [0]) });
  return {
    loss: g.add(ofStudent.loss, ofTeacher.loss),
    teacherBank: moved(g, teacherBank, teacher, parts),
    studentBank: moved(g, studentBank, student, parts),
    scale: g.concat([ofStudent.scale, ofTeacher.scale], 0),
  };
}

function unit(g: StepBuilder, x: Value): Value {
  return g.div(x, g.max(g.sqrt(g.sum(g.mul(x, x), [1], true)), 1e-12));
}

type Side = Pick<ContrastParts, "size" | "negatives" | "temperature"> & { readonly known: Value };

/** One direction: places [B, d] against rows of a bank, the first of which is their own. */
function side(g: StepBuilder, places: Value, bank: Value, rows: Value, { known, size, negatives, temperature }: Side) {
  const near = g.squeeze(g.matmul(g.gather(bank, rows, 0), g.unsqueeze(places, [2])), [2]);
  const likeness = g.exp(g.div(near, temperature));
  const first = fixed(g, g.mul(g.unsqueeze(g.mean(likeness), [0]), size));
  const scale = g.where(g.greater(known, 0), known, first);
  const shares = g.div(likeness, scale);
  const noise = negatives / size;
  const whole = g.add(shares, noise + 1e-7);
  const own = g.log(g.div(g.slice(shares, [0], [1], [1]), g.slice(whole, [0], [1], [1])));
  const others = g.log(g.div(noise, g.slice(whole, [1], [negatives + 1], [1])));
  const each = g.sum(g.concat([own, others], 1), [1]);
  return { loss: g.neg(g.mean(each)), scale };
}

/** The number as a constant to gradients: by way of a whole number of 2⁻²⁰, which a float32 of 16 and more is exactly; Z is of the size of N. */
function fixed(g: StepBuilder, x: Value): Value {
  const scaled = g.mul(g.cast(x, "float64"), 2 ** 20);
  return g.cast(g.div(g.cast(g.cast(scaled, "int64"), "float64"), 2 ** 20), x);
}

/** The bank with the rows of a batch moved towards where its samples stand now. */
function moved(g: StepBuilder, bank: Value, places: Value, { sample, momentum }: ContrastParts): Value {
  const rows = g.add(g.mul(g.gather(bank, sample, 0), momentum), g.mul(places, 1 - momentum));
  return g.op("ScatterND", [bank, g.unsqueeze(sample, [1]), unit(g, rows)]);
}
