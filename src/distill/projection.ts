/** @file The linear layer between a student's value and a teacher's of another width. */
import { nth } from "../checked.ts";
import { ShapeError } from "../errors.ts";
import {
  makeNode,
  type Names,
  type Node,
  type Tensor,
  tensorFromNumbers,
  tensorType,
  type Value,
} from "../ir/index.ts";
import { channelAxis, dimsOf } from "./losses/distillation-loss.ts";

export interface Projection {
  readonly node: Node;
  readonly parameter: Value;
  readonly initial: Tensor;
  readonly output: Value;
}

/**
 * W·x over the channels, W as near to the identity as its dims allow, where only the numbers of channels differ;
 * `undefined` where they agree.
 *
 * @throws ShapeError where anything else differs.
 */
export function projection(student: Value, teacher: Value, scope: Names): Projection | undefined {
  const [from, to] = [dimsOf(student), dimsOf(teacher)];
  const axis = channelAxis(student);
  const differs = from.length !== to.length || from.some((dim, i) => i !== axis && isOther(dim, nth(to, i)));
  const [inner, outer] = [from[axis], to[axis]];
  if (differs || typeof inner !== "number" || typeof outer !== "number") {
    throw new ShapeError("two values cannot be compared", {
      expected: `[${to.join(", ")}], whatever the number of channels`,
      got: `[${from.join(", ")}]`,
      where: `value ${JSON.stringify(student.name)} of the student`,
    });
  }
  if (inner === outer) return undefined;
  return axis === from.length - 1
    ? layer("MatMul", [inner, outer], student, teacher, scope)
    : layer("Conv", [outer, inner, ...from.slice(2).map(() => 1)], student, teacher, scope);
}

function isOther(a: number | string, b: number | string): boolean {
  return typeof a === "number" && typeof b === "number" && a !== b;
}

function layer(opType: string, dims: readonly number[], student: Value, teacher: Value, scope: Names): Projection {
  const dtype = teacher.type?.kind === "tensor" ? teacher.type.dtype : "float32";
  const [rows, columns] = dims as [number, number];
  const identity = new Float64Array(rows * columns).map((_, i) => Number(Math.floor(i / columns) === i % columns));
  const parameter: Value = { name: scope.fresh(`projection/${student.name}`), type: tensorType(dtype, dims) };
  const channels = nth(dimsOf(teacher), channelAxis(teacher));
  const type = tensorType(
    dtype,
    dimsOf(student).map((dim, i) => (i === channelAxis(student) ? channels : dim)),
  );
  const output: Value = { name: scope.fresh(`projected/${student.name}`), type };
  const node = makeNode(opType, [student, parameter], [output], { name: output.name });
  return { node, parameter, initial: tensorFromNumbers(dtype, dims, identity), output };
}
