/** @file Every experiment, in the order of the page of results. */
import { accelerateModels } from "./accelerate-models.ts";
import { binaryTernary } from "./binary-ternary.ts";
import { branchLatency } from "./branch-latency.ts";
import { cifar10Resnet20 } from "./cifar10-resnet20.ts";
import { codec } from "./codec.ts";
import { compatibility } from "./compat.ts";
import { conformance } from "./conformance.ts";
import { counts } from "./counts.ts";
import { deepOrWide } from "./deep-or-wide.ts";
import { distillation } from "./distillation.ts";
import { earlyExit } from "./early-exit.ts";
import { everyCommand } from "./every-command.ts";
import type { Experiment } from "./experiment.ts";
import { fashionMnist } from "./fashion-mnist.ts";
import { faults } from "./faults.ts";
import { finetune } from "./finetune.ts";
import { fusedBranches } from "./fuse-branches.ts";
import { fuzzing } from "./fuzz.ts";
import { gradientCompression } from "./gradient-compression.ts";
import { gradientSize } from "./gradient-size.ts";
import { gradients } from "./gradients.ts";
import { largeModels } from "./large-models.ts";
import { lowBits } from "./low-bits.ts";
import { metaPruningExperiment } from "./meta-pruning.ts";
import { moeBalance } from "./moe-balance.ts";
import { moeCost } from "./moe-cost.ts";
import { moeQuality } from "./moe-quality.ts";
import { mutation } from "./mutation.ts";
import { packageModels } from "./package-models.ts";
import { pairwise } from "./pairwise.ts";
import { paraFormerTables } from "./para-former.ts";
import { parallelizeExperiment } from "./parallelize.ts";
import { progressive } from "./progressive-branches.ts";
import { providers } from "./providers.ts";
import { pruneModels } from "./prune-models.ts";
import { pruneRecovery } from "./prune-recovery.ts";
import { pruneRounding } from "./prune-rounding.ts";
import { ptq } from "./ptq.ts";
import { qat } from "./qat.ts";
import { resume } from "./resume.ts";
import { selfComparison } from "./self-comparison.ts";
import { shakespeare } from "./shakespeare.ts";
import { sparseLanguage } from "./sparse-language.ts";
import { sparsity } from "./sparsity.ts";
import { tinybert } from "./tinybert.ts";
import { tokenMerging } from "./token-merging.ts";
import { trainParity } from "./train-parity.ts";
import { trainSpeed } from "./train-speed.ts";
import { xnorKernel } from "./xnor-kernel.ts";

// biome-ignore lint/suspicious/noExplicitAny: each experiment has a result type of its own
export const experiments: readonly Experiment<any>[] = [
  ptq,
  qat,
  binaryTernary,
  xnorKernel,
  lowBits,
  pruneModels,
  pruneRounding,
  pruneRecovery,
  accelerateModels,
  packageModels,
  everyCommand,
  selfComparison,
  providers,
  counts,
  conformance,
  compatibility,
  codec,
  largeModels,
  fuzzing,
  faults,
  mutation,
  gradients,
  pairwise,
  resume,
  trainParity,
  trainSpeed,
  gradientSize,
  fashionMnist,
  finetune,
  distillation,
  tinybert,
  cifar10Resnet20,
  shakespeare,
  paraFormerTables,
  deepOrWide,
  progressive,
  branchLatency,
  fusedBranches,
  parallelizeExperiment,
  moeBalance,
  moeCost,
  moeQuality,
  sparsity,
  sparseLanguage,
  earlyExit,
  metaPruningExperiment,
  tokenMerging,
  gradientCompression,
];
