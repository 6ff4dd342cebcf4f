/** @file Training gives the losses of PyTorch from the same weights, batches and optimizer. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { largestDifference, type Peer, recordedLosses, trainedLosses } from "../../experiments/train-parity.ts";
import { optimizersOf, parityTasks } from "../../experiments/training-tasks.ts";

const peer = JSON.parse(readFileSync(recordedLosses, "utf8")) as Peer;
const quick = parityTasks.filter(({ network }) => network !== "resnet");

describe.each(quick)("$name", (task) => {
  it.each(optimizersOf(task))("learns as in PyTorch with $name", async (optimizer) => {
    const theirs = peer.results.find((found) => found.task === task.name && found.optimizer === optimizer.name);
    const ours = await trainedLosses(task, optimizer);
    expect(theirs?.float32).toHaveLength(ours.length);
    expect(ours.at(-1)).toBeLessThan(0.8 * ours[0]!);
    expect(largestDifference(ours, theirs!.float32)).toBeLessThan(1e-4);
  });
});
