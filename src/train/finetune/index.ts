/** @file Fine-tuning imported models: a new head, low-rank adapters. */
export { addLora, type LoraOptions, type WithLora } from "./add-lora.ts";
export { applyLora } from "./apply-lora.ts";
export { loraTensors } from "./lora-tensors.ts";
export { mergeLora } from "./merge-lora.ts";
export { type HeadOptions, type NewHead, replaceHead } from "./replace-head.ts";
