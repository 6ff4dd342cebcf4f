import { expect, it } from "vitest";
import { nth } from "../../checked.ts";
import { random } from "../../data/index.ts";
import { maxOf } from "../../ir/index.ts";
import { compressedBroadcast, compressors, localTransports, openCommunicator, parameterDeltas } from "../index.ts";

const dims = [30, 20];

/** Parameters after so many updates: a walk of normal steps. */
function walk(updates: number): Float32Array {
  const { normal } = random(4);
  const values = new Float32Array(600).map(normal);
  for (let update = 1; update < updates; update++) values.set(values.map((value) => value + 0.01 * normal()));
  return values;
}

const named = (values: Float32Array) => [{ name: "w", dims, values }];
const farthest = (a: Float32Array, b: Float32Array) => maxOf([...a].map((value, i) => Math.abs(value - b[i]!)));

it.each([
  ["float16", 600 * 2, 0.05 * 2 ** -11],
  ["int8", 600 + 4, (0.05 / 127) * 0.6],
] as const)("%s: others follow the root, and errors do not add up", async (name, bytes, error) => {
  for (const root of [0, 2]) {
    const ranks = localTransports(3).map(openCommunicator);
    const sides = ranks.map(() => compressedBroadcast({ compressor: compressors[name](), root }));
    const before = ranks.map(({ traffic }) => traffic.receivedBytes);
    for (let update = 1; update <= 30; update++) {
      const wanted = walk(update);
      const own = ranks.map(({ rank }) => named(rank === root ? wanted.slice() : new Float32Array(600)));
      await Promise.all(ranks.map((rank, i) => nth(sides, i).broadcast(rank, nth(own, i), update)));
      for (const [rank, [parameter]] of own.entries()) {
        expect(farthest(parameter!.values, wanted)).toBeLessThanOrEqual(rank === root || update === 1 ? 0 : error);
      }
      expect(nth(own, (root + 1) % 3)).toEqual(nth(own, (root + 2) % 3));
    }
    const received = ranks.map(({ traffic }, i) => traffic.receivedBytes - nth(before, i));
    const padded = (length: number) => 4 * Math.ceil(length / 4) + 4;
    const wanted = padded(600 * 4 + 9) + 29 * padded(bytes + 9);
    expect(received.filter((_, rank) => rank !== root)).toEqual([wanted, wanted]);
    await Promise.all(ranks.map((rank) => rank[Symbol.asyncDispose]()));
  }
});

it("goes on from the state of both sides bit for bit, and not from that of one", () => {
  const make = () => parameterDeltas(compressors.int8());
  const [sender, receiver] = [make(), make()];
  const taken = new Float32Array(600);
  for (let update = 1; update <= 3; update++)
    receiver.decode(sender.encode(named(walk(update)), update), named(taken), update);
  const [again, other] = [make(), make()];
  again.restore(sender.readState());
  other.restore(receiver.readState());
  const message = sender.encode(named(walk(4)), 4);
  expect(again.encode(named(walk(4)), 4)).toEqual(message);
  const resumed = new Float32Array(600);
  receiver.decode(message, named(taken), 4);
  other.decode(message, named(resumed), 4);
  expect(resumed).toEqual(taken);
  expect(() => make().decode(message, named(resumed), 4)).toThrow("a difference came before the parameters");
  expect(() => other.decode(message.slice(0, 20), named(resumed), 5)).toThrow("a message of gradients");
  expect(resumed).toEqual(taken);
});
