/** @file Zeros that stay zeros while the rest is trained. */
import { bytesOfTensor } from "../../ir/index.ts";
import type { Algorithm } from "../../train/index.ts";
import { type Masks, withMasks } from "../masks.ts";

/**
 * Trains the weights that the masks leave. The masks are applied inside of the step graph, behind every update and to averages too, so that
 * several steps may run in one call; the optimizer's own state is left to itself, as it sees no gradient where a mask is.
 */
export function masked(masks: Masks): Algorithm {
  const zeros = [...masks].map(([name, mask]): [string, number] => [
    name,
    bytesOfTensor(mask).reduce((count, kept) => count + (kept === 0 ? 1 : 0), 0),
  ]);
  return {
    name: "masked",
    settings: { zeros: Object.fromEntries(zeros) },
    start: () => ({
      prepare: ({ model, step, ...rest }) => ({
        ...rest,
        model: withMasks(model, masks),
        step: { ...step, masks: new Map([...(step.masks ?? []), ...masks]) },
      }),
    }),
  };
}
