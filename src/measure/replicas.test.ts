import { expect, it } from "vitest";
import { denseModel } from "../../test/models.ts";
import type { OpenSession, Session } from "../runtime/index.ts";
import { openReplicas, openReplicated } from "./replicas.ts";

/** Opens nothing, and says how many sessions are open; the one at this position cannot be opened. */
function counted(failing = Number.POSITIVE_INFINITY) {
  let [asked, living] = [0, 0];
  const open: OpenSession = async () => {
    if (asked++ === failing) throw new RangeError("no room");
    living++;
    return { release: async () => void living-- } as unknown as Session;
  };
  return { open, living: () => living };
}

const SMALL = 2 ** 27;

it("opens two further sessions of a model, none of a large one, and releases them together", async () => {
  const { open, living } = counted();
  const further = await openReplicas(open, denseModel(), SMALL, {});
  expect([further.sessions.length, living()]).toEqual([2, 2]);
  const whole = await openReplicated(open, denseModel(), SMALL, {});
  expect([whole.replicas.length, living()]).toEqual([2, 5]);
  const large = await openReplicated(open, denseModel(), SMALL + 1, {});
  expect([large.replicas.length, living()]).toEqual([0, 6]);
  for (const opened of [further, whole, large]) await opened[Symbol.asyncDispose]();
  expect(living()).toBe(0);
});

it.each([0, 1, 2])("leaves none open where session %i cannot be opened", async (failing) => {
  const { open, living } = counted(failing);
  await expect(openReplicated(open, denseModel(), SMALL, {})).rejects.toThrow("no room");
  expect(living()).toBe(0);
});
