/** @file Windows of a sequence of tokens, labelled with the next tokens. */
import { DataError, ensure } from "../../errors.ts";
import { type Tensor, tensor } from "../../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { type Dataset, datasetOf } from "../dataset.ts";
import { ownRecipe } from "../recipe.ts";

export interface WindowOptions {
  /** Tokens per window. */
  readonly context: number;
  /** Tokens from the start of a window to that of the next; `context` by default, so that windows do not overlap. */
  readonly stride?: number;
  /** The input that takes the tokens; `ids` by default. */
  readonly input?: string;
  /** The input of a sample that holds its labels; `labels` by default. */
  readonly labels?: string;
}

const windowOptionsNames: OptionNames<WindowOptions> = { context: true, stride: true, input: true, labels: true };

/**
 * Sample i holds tokens[s … s + context) as int64 and, as its labels, the tokens one place further, with s = i · stride. A
 * last stretch without a whole window is left out. Fewer than context + 1 tokens are a `DataError`.
 */
export function tokenWindows(tokens: Int32Array, options: WindowOptions): Dataset {
  checkOptions(options, windowOptionsNames);
  const { context, stride = context, input = "ids", labels = "labels" } = options;
  checkCount("context", context);
  checkCount("stride", stride);
  ensure(
    tokens.length > context,
    () =>
      new DataError("the text is shorter than one window and its label", {
        expected: `${context + 1} tokens or more`,
        got: `${tokens.length}`,
        hint: "Give more text or a smaller context.",
      }),
  );
  const window = (start: number): Tensor => tensor("int64", [context], [...tokens.subarray(start, start + context)]);
  const windows = datasetOf({
    size: Math.floor((tokens.length - 1 - context) / stride) + 1,
    open: () => ({
      read(position) {
        const start = position * stride;
        return {
          inputs: new Map([
            [input, window(start)],
            [labels, window(start + 1)],
          ]),
          source: `token ${start}`,
        };
      },
    }),
  });
  return { ...windows, recipe: ownRecipe("tokenWindows", tokens, options) };
}
