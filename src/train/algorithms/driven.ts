/** @file Inputs of the model that the run feeds itself. */
import { UsageError } from "../../errors.ts";
import type { Drives } from "../feeds/drive.ts";
import type { Algorithm } from "./algorithm.ts";

/** Feeds inputs that the data does not have, by a rule for each. */
export function driven(drives: Drives): Algorithm {
  return {
    name: "driven",
    start: () => ({
      prepare({ drive = {}, ...rest }) {
        const twice = Object.keys(drives).find((name) => Object.hasOwn(drive, name));
        if (twice !== undefined) throw new UsageError("an input is driven twice", { got: JSON.stringify(twice) });
        return { ...rest, drive: { ...drive, ...drives } };
      },
    }),
  };
}
