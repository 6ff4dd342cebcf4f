/** @file Multi-class hinge loss of scores and class indices, as torch.nn.MultiMarginLoss: Crammer and Singer (2001). */
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number } from "../../settings/index.ts";
import { checkSetting, classAxis, classIndices, type Loss } from "./loss.ts";

export interface HingeOptions {
  readonly margin?: number;
  /** Where the classes stand; 1 by default. */
  readonly axis?: number;
}

const hingeOptionsNames: OptionNames<HingeOptions> = { margin: true, axis: true };

/** Mean over all positions of Σ over the wrong classes j of max(0, margin − x[label] + xⱼ) / K. */
export function hinge(options: HingeOptions = {}): Loss {
  const { margin = 1, axis = 1 } = checkOptions(options, hingeOptionsNames);
  checkSetting("margin", margin, margin > 0, "above 0");
  return {
    name: "hinge",
    ...classIndices(axis),
    build(g, prediction, labels) {
      const { place, classes } = classAxis(prediction, axis);
      const index = g.unsqueeze(labels, [place]);
      const right = g.op("GatherElements", [prediction, index], { axis: place });
      const over = g.relu(g.add(g.sub(prediction, right), margin));
      return g.div(g.sub(g.mean(g.sum(over, [place])), margin), classes);
    },
  };
}

member(hinge, { margin: number(), axis: number() });
