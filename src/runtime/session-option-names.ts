/** @file The names of a session's options, for whoever takes them among its own. */
import type { OptionNames } from "../options.ts";
import type { SessionOptions } from "./session.ts";

export const sessionOptionNames: OptionNames<SessionOptions> = {
  ep: true,
  threads: true,
  optimization: true,
  profile: true,
  config: true,
  stock: true,
  isolate: true,
  limits: true,
  assets: true,
  resident: true,
  name: true,
  step: true,
};
