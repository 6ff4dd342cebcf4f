/** @file What bundlers for browsers put in the place of every module for Node (`browser` in package.json). */
import { UnsupportedError } from "./errors.ts";

throw new UnsupportedError("this needs Node", {
  got: "a browser, which has no files of the machine and no processes",
});
