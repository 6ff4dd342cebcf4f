/** @file The gradient of every operator that has one: the cases of the gradient law, by the operator that they stand for. */
import { gradientCases } from "../../../laws/gradient-cases/index.ts";
import { prepare } from "../../../laws/gradient-check.ts";
import { type Cases, each } from "../case.ts";

const operators = [...new Set(gradientCases.flatMap(({ covers }) => covers.slice(0, 1)))].sort();

export const gradients: Cases = each("operator", operators, (operator) =>
  gradientCases
    .filter(({ covers }) => covers[0] === operator)
    .map((one) => {
      const { gradient, loss, gradients } = prepare(one, 1);
      return { name: one.name, gradient, loss, gradients };
    }),
);
