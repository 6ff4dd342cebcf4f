/** @file The least for the most, and calls that order or choose left out. */
import ts from "typescript";
import { methodCall, type Operator } from "./operator.ts";

const opposites: Readonly<Record<string, string>> = { max: "min", min: "max" };
const orderings = new Set(["reverse", "toReversed", "sort", "toSorted", "filter", "slice"]);

export const extreme: Operator = (node) => {
  const call = methodCall(node);
  if (call?.object.getText() !== "Math") return [];
  const other = opposites[call.name];
  const list = (node as ts.CallExpression).arguments;
  const isOne = list.length === 1 && !ts.isSpreadElement(list[0]!);
  return other === undefined || isOne ? [] : [`Math.${other}(${list.map((item) => item.getText()).join(", ")})`];
};

export const ordering: Operator = (node) => {
  const call = methodCall(node);
  if (!call || !orderings.has(call.name) || (node.flags & ts.NodeFlags.OptionalChain) !== 0) return [];
  // A copy of all of it differs by identity only.
  const isCopy = call.name === "slice" && (node as ts.CallExpression).arguments.every((item) => item.getText() === "0");
  return isCopy ? [] : [call.object.getText()];
};
