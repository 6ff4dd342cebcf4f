/** @file Tokens in turn: perfect balance, and no meaning. */
import type { Gate } from "../gate.ts";
import { checkExperts } from "../scores.ts";
import { fixedRoute, positions } from "./fixed-route.ts";
import { remainder } from "./hash-words.ts";

/** The token at place t goes to expert t mod experts. */
export function roundRobin(): Gate {
  return {
    name: "round-robin",
    learnable: false,
    hard: true,
    build(n, { tokens }, experts) {
      checkExperts(experts, "round-robin");
      return fixedRoute(n, remainder(n, positions(n, tokens), experts));
    },
  };
}
