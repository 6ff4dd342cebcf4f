export * from "./checked.ts";
export * from "./determinism.ts";
export * from "./driver.ts";
export { inferenceApart, inferenceOf } from "./inferred.ts";
export * from "./isomorphism.ts";
export * from "./pass.ts";
export * from "./rule.ts";
export * from "./trace.ts";
export { typesApart, typesIn } from "./types.ts";
