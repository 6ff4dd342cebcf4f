import { expect, it } from "vitest";
import { timedSession } from "../../test/timed-session.ts";
import type { Model } from "../ir/index.ts";
import type { OpenSession } from "../runtime/index.ts";
import { measureKernelBlocks } from "./kernel-blocks.ts";

/** What a run takes where kernels compute `read` channels of the input and `made` of the output at once, in milliseconds. */
function machine(blocks: {
  readonly convolution: readonly [number, number];
  readonly product: readonly [number, number];
}) {
  const opened: string[] = [];
  let isOpen = 0;
  const open: OpenSession = async ({ graph }: Model, options = {}) => {
    opened.push(`${options.ep} ${options.threads} ${options.stock}`);
    isOpen++;
    const isConvolution = graph.nodes.some(({ opType }) => opType === "Conv");
    const [read, made] = blocks[isConvolution ? "convolution" : "product"];
    const { type } = graph.inputs[0]!;
    const width = type?.kind === "tensor" ? Number(type.dims?.[1]) : Number.NaN;
    const time = (padded(width, read) * padded(width, made)) / 1000;
    return { ...timedSession(() => time), release: async () => void isOpen-- };
  };
  return { open, opened, left: () => isOpen };
}

const padded = (width: number, block: number): number => block * Math.ceil(width / block);

it.each([
  [
    { convolution: [16, 16], product: [1, 16] },
    { convolution: 16, product: 16 },
  ],
  [
    { convolution: [8, 8], product: [4, 4] },
    { convolution: 8, product: 4 },
  ],
  [
    { convolution: [1, 1], product: [1, 8] },
    { convolution: 1, product: 8 },
  ],
  [
    { convolution: [1, 32], product: [2, 2] },
    { convolution: 32, product: 2 },
  ],
] as const)("finds what kernels pad to: %j", async (blocks, expected) => {
  const { open, opened, left } = machine(blocks);
  const kinds: string[] = [];
  const table = await measureKernelBlocks(open, { threads: 2, rounds: 3, onKind: (kind) => kinds.push(kind) });
  expect(table).toMatchObject({ ep: "cpu", threads: 2, blocks: expected });
  expect(table.rows).toContainEqual({
    ...{ kind: "convolution", narrow: 72, wide: 80, work: 0.81 },
    time: expect.closeTo(
      (padded(72, blocks.convolution[0]) * padded(72, blocks.convolution[1])) /
        (padded(80, blocks.convolution[0]) * padded(80, blocks.convolution[1])),
      9,
    ),
  });
  expect(new Set(opened)).toEqual(new Set(["cpu 2 true"]));
  expect(left()).toBe(0);
  expect(kinds).toEqual(["convolution", "product"]);
});
