/** @file A call that another thread can repeat. */

/** An exported function of a module with arguments that are plain data: what `structuredClone` takes. */
export interface Recipe {
  /** The name of a package, or the URL of a file: `import.meta.resolve("./pictures.js")`. */
  readonly module: string;
  readonly export: string;
  readonly arguments: readonly unknown[];
}

/** The recipe of a function that this package exports. */
export function ownRecipe(name: string, ...given: readonly unknown[]): Recipe {
  return { module: "litheml/data", export: name, arguments: given };
}
