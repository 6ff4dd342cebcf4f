/** @file Key-value lists, opset imports and unknown fields: the small parts that several messages share. */

import { create, type Message } from "@bufbuild/protobuf";
import { FormatError, InvalidModelError } from "../errors.ts";
import { exactBigint, nearestNumber } from "../ir/index.ts";
import {
  type OperatorSetIdProto,
  OperatorSetIdProtoSchema,
  type StringStringEntryProto,
  StringStringEntryProtoSchema,
} from "./schema/onnx_pb.ts";

export type UnknownFields = NonNullable<Message["$unknown"]>;

/** Fields that the schema does not know, for `preserved`; absent when there are none. */
export function unknownOf(message: Message): { unknown?: UnknownFields } {
  return message.$unknown && message.$unknown.length > 0 ? { unknown: message.$unknown } : {};
}

export function withUnknown<M extends Message>(message: M, unknown: UnknownFields | undefined): M {
  if (unknown) message.$unknown = unknown;
  return message;
}

/** `{ preserved }` when anything is to be preserved. */
export function preserving<T extends object>(preserved: T): { preserved?: T } {
  return Object.keys(preserved).length > 0 ? { preserved } : {};
}

/** `{ docString }` when the message has one, even an empty one. */
export function docStringOf(message: { readonly docString: string }): { docString?: string } {
  return Object.hasOwn(message, "docString") ? { docString: message.docString } : {};
}

/** Of a key given twice the last entry counts. */
export function decodeEntries(entries: readonly StringStringEntryProto[]): Map<string, string> {
  return new Map(entries.map(({ key, value }) => [key, value]));
}

/** `{ metadata }` when there are entries. */
export function metadataOf(message: { readonly metadataProps: readonly StringStringEntryProto[] }): {
  metadata?: Map<string, string>;
} {
  return message.metadataProps.length > 0 ? { metadata: decodeEntries(message.metadataProps) } : {};
}

export function encodeEntries(entries: Iterable<readonly [string, string]> = []): StringStringEntryProto[] {
  return Array.from(entries, ([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
}

export function decodeOpsets(imports: readonly OperatorSetIdProto[], where: string): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of imports) {
    const number = safeInteger(version, `${where}, opset import ${JSON.stringify(domain)}`);
    const known = opsets.get(domain);
    if (known !== undefined && known !== number) {
      throw new InvalidModelError(`the domain ${JSON.stringify(domain)} is imported in two versions`, {
        got: `${known} and ${number}`,
        where,
      });
    }
    opsets.set(domain, number);
  }
  return opsets;
}

export function encodeOpsets(opsets: ReadonlyMap<string, number>): OperatorSetIdProto[] {
  return Array.from(opsets, ([domain, version]) =>
    create(OperatorSetIdProtoSchema, { domain, version: exactBigint(version) }),
  );
}

export function safeInteger(value: bigint, where: string): number {
  const number = nearestNumber(value);
  if (Number.isSafeInteger(number)) return number;
  throw new FormatError("a number is out of range", { expected: "at most 2^53 - 1", got: `${value}`, where });
}
