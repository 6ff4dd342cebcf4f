/** @file Sequences and optionals. */
import { nth } from "../checked.ts";
import { InvalidModelError } from "../errors.ts";
import { graphOf, intOf } from "../ir/index.ts";
import { type Dense, dense, type Held, isDense, numbers, reshaped, type Sequence } from "./dense.ts";
import { concatenated, normalAxis } from "./indexing.ts";
import { type Call, inputOf, type Kernels, optionalInput, scalarInput, sequenceInput } from "./kernel.ts";
import { parts } from "./movement.ts";

/** A position in a sequence, counted from the end when negative. */
function position(call: Call, input: number, length: number, fallback: number): number {
  const given = scalarInput(call, input, fallback);
  const at = given < 0 ? given + length : given;
  if (at >= 0 && at <= length) return at;
  throw new InvalidModelError("a position is outside the sequence", {
    got: `${given} of ${length}`,
    where: call.where,
  });
}

function construct({ inputs }: Call): Sequence {
  return { items: inputs.filter((held) => held !== undefined) };
}

function insert(call: Call): Sequence {
  const { items } = sequenceInput(call, 0);
  return { items: items.toSpliced(position(call, 2, items.length, items.length), 0, inputOf(call, 1)) };
}

function erase(call: Call): Sequence {
  const { items } = sequenceInput(call, 0);
  return { items: items.toSpliced(position(call, 1, items.length, items.length - 1), 1) };
}

function at(call: Call): Held {
  const { items } = sequenceInput(call, 0);
  const item = items[position(call, 1, items.length, 0)];
  if (!item) throw new InvalidModelError("a position is outside the sequence", { where: call.where });
  return item;
}

function arrays(call: Call): Dense[] {
  const { items } = sequenceInput(call, 0);
  if (items.every(isDense)) return [...items];
  throw new InvalidModelError("a sequence does not hold tensors", { where: call.where });
}

function concatFromSequence(call: Call): Dense {
  const items = arrays(call);
  const axis = intOf(call.node, "axis", 0);
  if (intOf(call.node, "new_axis", 0) === 0) return concatenated(items, normalAxis(axis, nth(items, 0).dims.length));
  const added = normalAxis(axis, nth(items, 0).dims.length + 1);
  return concatenated(
    items.map((x) => reshaped(x, [...x.dims.slice(0, added), 1, ...x.dims.slice(added)])),
    added,
  );
}

/** A scalar split gives parts of that length (the last may be shorter); none gives parts of one, with the axis dropped. */
function splitToSequence(call: Call): Sequence {
  const x = inputOf(call, 0);
  const axis = normalAxis(intOf(call.node, "axis", 0), x.dims.length);
  const length = nth(x.dims, axis);
  const split = optionalInput(call, 1);
  const each = split ? (numbers(split)[0] ?? 1) : 1;
  const even = Array.from({ length: Math.ceil(length / each) }, (_, i) => Math.min(each, length - i * each));
  const items = parts(x, axis, split && split.dims.length > 0 ? [...numbers(split)] : even);
  const drop = !split && intOf(call.node, "keepdims", 1) === 0;
  return {
    items: drop
      ? items.map((item) =>
          reshaped(
            item,
            item.dims.filter((_, i) => i !== axis),
          ),
        )
      : items,
  };
}

/** Runs the body for each item; tensors beside the sequences are given to every step. */
function map(call: Call): Sequence[] {
  const body = graphOf(call.node, "body");
  if (!body) throw new InvalidModelError('the attribute "body" is missing', { where: call.where });
  const steps = sequenceInput(call, 0).items.map((_, i) =>
    call.run(
      body,
      call.inputs.map((held) => (held && "items" in held ? nth(held.items, i) : held!)),
    ),
  );
  return body.outputs.map((_, output) => ({ items: steps.map((results) => nth(results, output)) }));
}

function isEmpty(held: Held | undefined): boolean {
  return held === undefined || "empty" in held;
}

function element(call: Call): Held {
  const [held] = call.inputs;
  if (held && !isEmpty(held)) return held;
  throw new InvalidModelError("an optional is empty", { where: call.where });
}

export const sequences = {
  SequenceConstruct: construct,
  SequenceEmpty: () => ({ items: [] }),
  SequenceInsert: insert,
  SequenceErase: erase,
  SequenceAt: at,
  SequenceLength: (call) => dense("int64", [], [sequenceInput(call, 0).items.length]),
  ConcatFromSequence: concatFromSequence,
  SplitToSequence: splitToSequence,
  SequenceMap: map,
  Optional: ({ inputs }) => inputs[0] ?? { empty: true },
  OptionalHasElement: ({ inputs }) => dense("bool", [], [isEmpty(inputs[0]) ? 0 : 1]),
  OptionalGetElement: element,
  Identity: (call) => call.inputs[0] ?? inputOf(call, 0),
} satisfies Kernels;
