/** @file A model without a residual block computes what it computes with zeros in the place of the block's branch. */
import { describe, expect, it } from "vitest";
import type { ResidualStep } from "../../src/branches/index.ts";
import { lastOf, nth } from "../../src/checked.ts";
import { random } from "../../src/data/index.ts";
import {
  editModel,
  labelOf,
  type Model,
  makeNode,
  type Node,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
  verify,
  withGraph,
} from "../../src/ir/index.ts";
import { resnet } from "../../src/models/index.ts";
import { loadModel } from "../../src/onnx/files.ts";
import { dropBlocks, droppableBlocks, withoutBlocks, withoutBranch } from "../../src/prune/drop-blocks.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import { describeShared, sharedPath } from "../shared.ts";
import { sampleOf, smallNetworks } from "../small-networks.ts";

/** All terms of the block times zero. */
function withZeroBranch(model: Model, { terms, additions }: ResidualStep): Model {
  return editModel(model, (draft) => {
    const zero = draft.constant("zero", tensorFromNumbers("float32", [], [0]));
    for (const addition of additions) {
      const added: Node[] = [];
      const inputs = addition.inputs.map((value) => {
        if (!value || !terms.includes(value)) return value;
        const nothing = draft.value(`${value.name}_zero`, value.type);
        added.push(makeNode("Mul", [value, zero], [nothing]));
        return nothing;
      });
      draft.replaceNode(addition, ...added, { ...addition, inputs });
    }
  });
}

function expectSame(a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>, tolerance: number): void {
  expect(a.size).toBeGreaterThan(0);
  for (const [name, tensor] of a) {
    const [x, y] = [numbersOf(tensor), numbersOf(b.get(name)!)];
    expect(b.get(name)!.dims).toEqual(tensor.dims);
    const scale = y.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    for (const [i, value] of x.entries()) expect(Math.abs(value - y[i]!) / scale).toBeLessThanOrEqual(tolerance);
  }
}

const residual = ["resnet", "imagenetResnet", "mobilenetV2", "vit", "gpt", "paraFormer", "paraGpt"] as const;

describe.each(residual)("%s without a block", (name) => {
  const entry = smallNetworks[name];

  it("is the network with a branch of zeros", () => {
    const model = entry.make(1);
    const feeds = new Map([[entry.input, sampleOf(entry)]]);
    const blocks = droppableBlocks(model);
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) {
      const shorter = withoutBranch(model, block);
      expect(verify(shorter)).toEqual([]);
      expect(shorter.graph.nodes.length).toBeLessThan(model.graph.nodes.length);
      expectSame(evaluate(shorter, feeds), evaluate(withZeroBranch(model, block), feeds), 1e-12);
    }
  });
});

describe("dropping blocks", () => {
  const network = resnet(random(1), { depth: 14, width: 4, size: 8, classes: 3 });
  const batches = () => [1, 2].map((seed) => new Map([["input", sampleOf(smallNetworks.resnet, seed)]]));

  /** The network with a block that adds almost nothing. */
  function withIdle(block: number): { readonly model: Model; readonly name: string } {
    const step = nth(droppableBlocks(network), block);
    const [, scale, bias] = lastOf(step.members).inputs;
    const initializers = new Map(network.graph.initializers);
    for (const value of [scale!, bias!]) {
      const [length] = (initializers.get(value) as Tensor).dims;
      initializers.set(value, tensorFromNumbers("float32", [length!], new Array<number>(length!).fill(1e-7)));
    }
    return { model: withGraph(network, { ...network.graph, initializers }), name: labelOf(lastOf(step.additions)) };
  }

  it("takes the one that the answers miss least, then measures anew", async () => {
    const count = droppableBlocks(network).length;
    for (const place of [0, 2]) {
      const { model, name } = withIdle(place);
      const {
        dropped,
        blocks,
        macs,
        model: shorter,
      } = await dropBlocks(model, { blocks: 2, open: openReference, batches });
      expect(dropped[0]).toBe(name);
      expect(blocks.filter(({ round }) => round === 0)).toHaveLength(count);
      expect(blocks.filter(({ round }) => round === 1)).toHaveLength(count - 1);
      expect(blocks.filter(({ isDropped }) => isDropped).map((block) => block.name)).toEqual(dropped);
      expect(blocks.find((block) => block.name === name)!.error).toBeLessThan(1e-4);
      const least = Math.min(...blocks.filter(({ round }) => round === 1).map(({ error }) => error));
      expect(blocks.find(({ round, isDropped }) => round === 1 && isDropped)!.error).toBe(least);
      expect(macs.after).toBeLessThan(macs.before);
      const [feeds] = batches();
      expectSame(evaluate(withoutBlocks(model, dropped), feeds!), evaluate(shorter, feeds!), 0);
    }
  });

  it("says how many there are", async () => {
    const most = droppableBlocks(network).length;
    const options = { open: openReference, batches };
    await expect(dropBlocks(network, { ...options, blocks: most + 1 })).rejects.toThrow(`${most} at most`);
    await expect(dropBlocks(network, { ...options, blocks: 0 })).rejects.toThrow(
      /blocks must be a whole number of at least 1/,
    );
    await expect(dropBlocks(smallNetworks.lenet.make(1), { ...options, blocks: 1 })).rejects.toThrow(/there is none/);
  });
});

describeShared("pretrained without a block", () => {
  it.each([
    ["cifar10-resnet20", 7],
    ["cifar10-resnet56", 25],
  ])("%s is the network with a branch of zeros", async (file, count) => {
    const model = await loadModel(sharedPath(`models/${file}.onnx`));
    const blocks = droppableBlocks(model);
    expect(blocks).toHaveLength(count);
    const values = Array.from(
      { length: 3 * 32 * 32 },
      (
        (draws) => () =>
          draws.normal()
      )(random(3, 1)),
    );
    const [input] = model.graph.inputs;
    const feeds = new Map([[input!.name, tensorFromNumbers("float32", [1, 3, 32, 32], values)]]);
    for (const block of [nth(blocks, 0), lastOf(blocks)]) {
      await using shorter = await openSession(withoutBranch(model, block));
      await using zeros = await openSession(withZeroBranch(model, block));
      expectSame(await shorter.run(feeds), await zeros.run(feeds), 1e-5);
    }
  });
});
