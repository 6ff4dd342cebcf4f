/** @file The last resort of a command that ends without an answer: whatever it waited for has gone. */
import { writeSync } from "node:fs";
import { RuntimeError } from "../errors.ts";

/** The code with which Node ends a program that waits for what can no longer happen. */
const UNSETTLED = 13;

/** Says so in place of a command that comes to no end; `answered` takes it back. */
export function guardAnswer(json: boolean): { answered(): void } {
  const onExit = (code: number): void => {
    if (code !== UNSETTLED) return;
    const error = new RuntimeError("the command ended without an answer", {
      hint: "This is a defect of lithe. Please report it with the model.",
    });
    writeSync(json ? 1 : 2, json ? `${JSON.stringify({ error })}\n` : `${error.name}: ${error.message}\n`);
    process.exitCode = 1;
  };
  process.on("exit", onExit);
  return { answered: () => void process.off("exit", onExit) };
}
