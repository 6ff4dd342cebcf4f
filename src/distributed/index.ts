/** @file Training on many machines: ranks, messages, collectives. */
export { allGather, allGatherParts } from "./collectives/all-gather.ts";
export {
  type AllReduceAlgorithmName,
  type AllReduceOptions,
  allReduce,
  allReduceAlgorithms,
} from "./collectives/all-reduce/index.ts";
export { allToAll } from "./collectives/all-to-all.ts";
export { barrier } from "./collectives/barrier.ts";
export { broadcast } from "./collectives/broadcast.ts";
export { reduce } from "./collectives/reduce.ts";
export { reduceScatter } from "./collectives/reduce-scatter.ts";
export { partOf, type ReduceOperation, reduceOperations, type Values } from "./collectives/values.ts";
export type { Communicator, Line, Payload, Traffic } from "./communicator/communicator.ts";
export { lineAmong } from "./communicator/line-among.ts";
export { openCommunicator } from "./communicator/open-communicator.ts";
export { RankLostError } from "./communicator/rank-lost.ts";
export {
  type ByteCompressor,
  type CollectiveCompressor,
  type Compressor,
  type CompressorName,
  compressors,
  type PlacedTensor,
  type PowerSgdOptions,
  type QsgdOptions,
  type RandomKOptions,
  type SampledTopKOptions,
  type TernGradOptions,
  type ThresholdOptions,
  type TopKOptions,
} from "./compressors/index.ts";
export { type DataParallelOptions, dataParallel } from "./data-parallel/data-parallel.ts";
export { type DilocoOptions, diloco, type LocalSgdOptions, localSgd } from "./data-parallel/local-sgd.ts";
export { type CompressedExchangeOptions, compressedExchange } from "./exchange/compressed.ts";
export { type DenseExchangeOptions, denseExchange } from "./exchange/dense.ts";
export { type DgcOptions, deepGradientCompression } from "./exchange/dgc.ts";
export type { ExchangeState, GradientExchange, LocalGradient } from "./exchange/exchange.ts";
export { type OneBitAdamOptions, oneBitAdam } from "./exchange/one-bit-adam.ts";
export type { Place } from "./exchange/place.ts";
export { type DgcMemoryOptions, type Memory, type MemoryName, memories } from "./memories/index.ts";
export {
  type CompressedBroadcastOptions,
  compressedBroadcast,
  type ParameterBroadcast,
} from "./parameters/compressed-broadcast.ts";
export { type ParameterDeltas, parameterDeltas } from "./parameters/parameter-deltas.ts";
export * from "./pipeline/index.ts";
export * from "./planner/index.ts";
export * from "./simulator/index.ts";
export { localTransports } from "./transports/local.ts";
export { portsBetween, portTransport, type RankPorts } from "./transports/ports.ts";
export type { Frame, Transport, TransportListener } from "./transports/transport.ts";
