/** @file A call that another thread can repeat. */
import { ensure, UsageError } from "../errors.ts";

/** An exported function of a module, and its arguments: plain data, which `structuredClone` takes, or recipes in turn. */
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

/**
 * Calls the function and notes the recipe in what it returns, so that worker threads can make the same: a dataset, an
 * augmentation, a transform. A module without such a function is a `UsageError`.
 *
 *     const data = await fromRecipe<Dataset>({ module: import.meta.resolve("./pictures.js"), export: "pictures", arguments: ["photos/"] });
 */
export async function fromRecipe<T extends object>(recipe: Recipe): Promise<T & { readonly recipe: Recipe }> {
  const made = (await callRecipe(recipe)) as T;
  ensure(
    typeof made === "function" || (typeof made === "object" && made !== null),
    () =>
      new UsageError("a recipe makes neither object nor function", {
        got: typeof made,
        where: `${recipe.export} of ${recipe.module}`,
      }),
  );
  return Object.assign(made, { recipe });
}

async function callRecipe({ module, export: name, arguments: given }: Recipe): Promise<unknown> {
  const where = `${name} of ${module}`;
  const exported = await import(/* @vite-ignore */ /* webpackIgnore: true */ module).catch((cause: Error) => {
    throw new UsageError("the module of a recipe cannot be loaded", { got: cause.message, where, cause });
  });
  const made = Object.hasOwn(exported, name) ? exported[name] : undefined;
  ensure(
    typeof made === "function",
    () => new UsageError("the module of a recipe exports no such function", { got: typeof made, where }),
  );
  return made(...(await Promise.all(given.map((value) => (isRecipe(value) ? callRecipe(value) : value)))));
}

function isRecipe(value: unknown): value is Recipe {
  const recipe = value as Partial<Recipe> | null;
  return typeof recipe === "object" && typeof recipe?.module === "string" && Array.isArray(recipe.arguments);
}
