/** @file Bytes → Model. */
import { fromBinary } from "@bufbuild/protobuf";
import { FormatError, LitheError } from "../errors.ts";
import type { Model, TrainingInfo } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import {
  decodeOpsets,
  docStringOf,
  metadataOf,
  preserving,
  safeInteger,
  type UnknownFields,
  unknownOf,
} from "./entries.ts";
import { decodeFunction, decodeGraph, type Scope } from "./graph.ts";
import { type Limits, limitsFrom } from "./limits.ts";
import { scanMessage } from "./scan.ts";
import {
  type DeviceConfigurationProto,
  type ModelProto,
  ModelProtoSchema,
  type TrainingInfoProto,
} from "./schema/onnx_pb.ts";

export interface DecodeOptions {
  /** Changes to `defaultLimits`. */
  readonly limits?: Partial<Limits>;
}

export interface PreservedModel {
  readonly configurations?: readonly DeviceConfigurationProto[];
  /** The file holds sparse weights, which are dense here. */
  readonly hasSparse?: true;
  readonly unknown?: UnknownFields;
}

export interface PreservedTraining {
  readonly unknown?: UnknownFields;
}

const decodeOptionsNames: OptionNames<DecodeOptions> = { limits: true };

/**
 * Reads an ONNX model. Tensors are views of `bytes`, external data stays a reference, sparse weights stay sparse, nodes come in topological order, and
 * what the IR has no noun for is kept for `encodeModel`. Nothing is computed and nothing is looked up: `verify` tells what
 * is wrong with the model itself.
 *
 * @throws FormatError the bytes are not a well-formed model
 * @throws LimitError more is asked for than `limits` allow, before it is allocated
 * @throws PathError external data lies outside of the model's folder
 * @throws InvalidModelError a cycle, or a name that stands for two things
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  const { limits: changes } = checkOptions(options, decodeOptionsNames);
  const limits = limitsFrom(changes);
  scanMessage(ModelProtoSchema, bytes, limits);
  const proto = parse(bytes, limits.depth);
  if (!proto.graph) throw new FormatError("the file has no graph, or is not an ONNX model");
  const { graph, scope } = decodeGraph(proto.graph);
  const preserved: PreservedModel = {
    ...(proto.configuration.length > 0 ? { configurations: proto.configuration } : {}),
    ...unknownOf(proto),
  };
  return {
    irVersion: safeInteger(proto.irVersion, "the IR version"),
    opsets: decodeOpsets(proto.opsetImport, "the model"),
    graph,
    functions: proto.functions.map(decodeFunction),
    metadata: metadataOf(proto).metadata ?? new Map(),
    trainingInfo: proto.trainingInfo.map((info) => decodeTraining(info, scope)),
    ...textOf(proto),
    ...(Object.hasOwn(proto, "modelVersion") ? { modelVersion: proto.modelVersion } : {}),
    ...docStringOf(proto),
    ...preserving(preserved),
  };
}

function parse(bytes: Uint8Array, depth: number): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes, { recursionLimit: depth });
  } catch (cause) {
    if (cause instanceof LitheError) throw cause;
    throw new FormatError("the bytes are not an ONNX model", { got: String(cause), cause });
  }
}

function textOf(proto: ModelProto): Pick<Model, "producerName" | "producerVersion" | "domain"> {
  return {
    ...(Object.hasOwn(proto, "producerName") ? { producerName: proto.producerName } : {}),
    ...(Object.hasOwn(proto, "producerVersion") ? { producerVersion: proto.producerVersion } : {}),
    ...(Object.hasOwn(proto, "domain") ? { domain: proto.domain } : {}),
  };
}

/** Training graphs may read the initializers of the main graph. */
function decodeTraining(proto: TrainingInfoProto, scope: Scope): TrainingInfo {
  const pairs = (bindings: TrainingInfoProto["updateBinding"]): [string, string][] =>
    bindings.map(({ key, value }) => [key, value]);
  return {
    ...(proto.initialization ? { initialization: decodeGraph(proto.initialization, scope).graph } : {}),
    ...(proto.algorithm ? { algorithm: decodeGraph(proto.algorithm, scope).graph } : {}),
    initializationBindings: pairs(proto.initializationBinding),
    updateBindings: pairs(proto.updateBinding),
    ...preserving<PreservedTraining>(unknownOf(proto)),
  };
}
