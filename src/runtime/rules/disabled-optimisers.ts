/** The entry with the optimisers to leave out, separated by semicolons. */
export const DISABLED = "optimization.disable_specified_optimizers";
