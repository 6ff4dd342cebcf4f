/** @file Where real models and data stand, beside the checkout; they may be absent. */
import { fileURLToPath } from "node:url";

export const sharedRoot = fileURLToPath(new URL("../../shared/", import.meta.url));
