/** @file Every operator, by the name under which its mutants are listed. */
import { arithmetic } from "./arithmetic.ts";
import { extreme, ordering } from "./call.ts";
import { boundary, comparison } from "./comparison.ts";
import { condition } from "./condition.ts";
import { boolean, list, number, word } from "./literal.ts";
import { logical } from "./logical.ts";
import { negation } from "./negation.ts";
import type { Operator } from "./operator.ts";
import { removal } from "./removal.ts";

export const operators: Readonly<Record<string, Operator>> = {
  arithmetic,
  comparison,
  boundary,
  logical,
  condition,
  negation,
  number,
  boolean,
  word,
  list,
  extreme,
  ordering,
  removal,
};
