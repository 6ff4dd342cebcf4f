/** @file Runs in every test file of the copy: what is reached belongs to the test under way, or to the whole file before and between tests. */
import { afterEach, beforeEach } from "vitest";
import { variables } from "./instrument.ts";

declare global {
  var __mutantsSeen: Set<number> | undefined;
}

function begin(test: string): void {
  process.env[variables.test] = test;
  globalThis.__mutantsSeen?.clear();
}

begin("");
beforeEach(({ task }) => begin(task.id));
afterEach(() => begin(""));
