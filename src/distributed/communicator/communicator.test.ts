import { describe, expect, it } from "vitest";
import { allReduce, allToAll, localTransports, openCommunicator } from "../index.ts";

describe("a communicator", () => {
  const pair = () => localTransports(2).map(openCommunicator);

  it.each([0, 2, -1, 0.5])("sends nothing to rank %s", async (to) => {
    const [first] = pair();
    await expect(first!.begin().send(to, Uint8Array.of(1))).rejects.toThrow("a rank from 0 to 1 other than 0");
  });

  it("sends what the values were when it was called", async () => {
    const [first, second] = pair();
    const values = Float32Array.of(1, 2);
    const sent = first!.begin().send(1, values.subarray(1));
    values.fill(0);
    await sent;
    expect(new Float32Array((await second!.begin().receive(0)).buffer)).toEqual(Float32Array.of(2));
  });

  it("names unknown algorithms, reductions and options", async () => {
    const line = localTransports(1).map(openCommunicator)[0]!.begin();
    const values = new Float32Array(1);
    await expect(allReduce(line, values, { algorithm: "star" as never })).rejects.toThrow("ring, tree");
    await expect(allReduce(line, values, { operation: "product" as never })).rejects.toThrow("sum, max, min");
    await expect(allReduce(line, values, { ranks: 1 } as never)).rejects.toThrow("unknown option");
    await expect(allReduce(line, values, { ranksPerMachine: 0 })).rejects.toThrow("a whole number of at least 1");
    await expect(allToAll(line, [])).rejects.toThrow("one message for each rank; expected 1; got 0");
  });
});
