/** @file Options of a session: defaults, and the refusal of whatever the runtime would ignore in silence. */

import { UsageError } from "../errors.ts";
import { checkCount } from "../options.ts";
import { sessionDefaults } from "./defaults.ts";
import { type ExecutionProvider, executionProviders, type SessionLimits, type SessionOptions } from "./session.ts";
import { sessionOptionNames } from "./session-option-names.ts";

const levels = ["disabled", "basic", "extended", "all"] as const;

/** Configuration entries that ONNX Runtime 1.30 reads, without those that name files or change what is loaded. */
const configKeys: ReadonlySet<string> = new Set([
  "ep.enable_weightless",
  "memory.enable_memory_arena_shrinkage",
  "mlas.disable_kleidiai",
  "mlas.kleidiai.conv_igemm_max_work",
  "mlas.nchwc_pointwise_conv_max_input_channel_batch",
  "mlas.use_lut_gemm",
  "optimization.disable_specified_optimizers",
  "optimization.enable_cast_chain_elimination",
  "optimization.enable_gelu_approximation",
  "session.allow_released_opsets_only",
  "session.debug_layout_transformation",
  "session.disable_aot_function_inlining",
  "session.disable_cpu_ep_fallback",
  "session.disable_double_qdq_remover",
  "session.disable_prepacking",
  "session.disable_qdq_constant_folding",
  "session.disable_quant_qdq",
  "session.dynamic_block_base",
  "session.enable_dq_matmulnbits_fusion",
  "session.enable_quant_qdq_cleanup",
  "session.force_spinning_stop",
  "session.gqa_value_layout",
  "session.graph_optimizations_loop_level",
  "session.inter_op.allow_spinning",
  "session.inter_op.spin_backoff_max",
  "session.inter_op.spin_duration_us",
  "session.intra_op.allow_spinning",
  "session.intra_op.spin_backoff_max",
  "session.intra_op.spin_duration_us",
  "session.intra_op_thread_affinities",
  "session.max_shape_override",
  "session.qdq_matmulnbits_accuracy_level",
  "session.qdq_matmulnbits_block_size",
  "session.qdqisint8allowed",
  "session.record_ep_graph_assignment_info",
  "session.set_denormal_as_zero",
  "session.strict_shape_type_inference",
  "session.use_deterministic_compute",
  "session.use_device_allocator_for_initializers",
  "session.use_env_allocators",
  "session.use_per_session_threads",
  "session.x64quantprecision",
]);

export interface ResolvedOptions {
  readonly ep: ExecutionProvider;
  readonly threads: number;
  readonly optimization: (typeof levels)[number];
  readonly profile: boolean;
  readonly config: ReadonlyMap<string, string>;
  readonly stock: boolean;
  readonly isolate: "thread" | "process" | undefined;
  readonly limits: SessionLimits;
  readonly name: string | undefined;
  readonly step: string | undefined;
  readonly assets?: string;
  readonly resident: readonly string[];
}

/** Every option with its value; an unknown name or value is an error, never ignored. */
export function resolveOptions(options: SessionOptions, defaultEp: ExecutionProvider = "cpu"): ResolvedOptions {
  const given = Object.keys(options).find((name) => !Object.hasOwn(sessionOptionNames, name));
  if (given !== undefined) throw wrong("option", Object.keys(sessionOptionNames), given);
  const { ep = defaultEp, threads = 1, optimization = "all", config = new Map(), isolate } = options;
  checkMember("ep", executionProviders, ep);
  checkMember("optimization", levels, optimization);
  if (isolate !== undefined) checkMember("isolate", ["thread", "process"], isolate);
  checkCount("threads", threads);
  checkConfig(config);
  const limits = limitsOf(options);
  const { profile = false, stock = false, assets, resident = [], name = sessionDefaults().name, step } = options;
  const resolved = { ep, threads, optimization, profile, config, stock, isolate, limits, resident, name, step };
  return assets === undefined ? resolved : { ...resolved, assets };
}

function checkConfig(config: ReadonlyMap<string, string>): void {
  for (const [key, value] of config) {
    if (!configKeys.has(key)) throw wrong("config entry", [...configKeys], key);
    if (typeof value !== "string") {
      throw new UsageError("a config value must be a string", { got: typeof value, where: key });
    }
  }
}

function limitsOf({ limits = {}, isolate }: SessionOptions): SessionLimits {
  for (const [name, value] of Object.entries(limits)) {
    checkMember("limits", ["memory", "time"], name);
    checkCount(`limits.${name}`, value);
  }
  if (limits.memory !== undefined && isolate === "thread") {
    throw new UsageError("the memory of a thread has no limit", {
      hint: 'Open the session without { isolate: "thread" }.',
    });
  }
  return isolate === "thread" ? limits : { ...sessionDefaults().limits, ...limits };
}

function checkMember(name: string, valid: readonly string[], value: string): void {
  if (!valid.includes(value)) throw wrong(name, valid, value);
}

function wrong(what: string, valid: readonly string[], got: string): UsageError {
  return new UsageError(`unknown ${what}`, { expected: `one of ${valid.join(", ")}`, got: JSON.stringify(got) });
}
