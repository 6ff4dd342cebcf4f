/** @file The second session of the model that others are compared with. */
import type { Model } from "../ir/index.ts";
import { checkOptions } from "../options.ts";
import type { OpenSession, Session, SessionOptions } from "./session.ts";
import { sessionOptionNames } from "./session-option-names.ts";

/** Bytes of a model of which there is no room for one session more. */
const LARGEST = 2 ** 28;

/** A control for `LatencyOptions`, of a model of so many bytes; none of a large one. */
export async function openControl(
  open: OpenSession,
  model: Model,
  bytes: number,
  options: SessionOptions,
): Promise<Session | undefined> {
  checkOptions(options, sessionOptionNames);
  return bytes > LARGEST ? undefined : await open(model, { ...options, step: "opening a control" });
}
