/** @file References to external data, as a model file states them: which are well-formed, and which may be followed. */
import { FormatError, PathError } from "../errors.ts";
import type { ExternalReference } from "../ir/index.ts";
import type { StringStringEntryProto } from "./schema/onnx_pb.ts";

const keys = new Set(["location", "offset", "length", "checksum"]);

/**
 * Reads a tensor's external data entries. Only the keys of the specification, each once, with decimal numbers up to 2^53,
 * are taken: `FormatError`. The location is checked by `checkLocation`.
 */
export function decodeReference(entries: readonly StringStringEntryProto[], where: string): ExternalReference {
  const fields = new Map<string, string>();
  for (const { key, value } of entries) {
    if (!keys.has(key) || fields.has(key)) {
      throw new FormatError("an external data entry is unknown or given twice", {
        expected: [...keys].join(", "),
        got: JSON.stringify(key.slice(0, 100)),
        where,
      });
    }
    fields.set(key, value);
  }
  const location = fields.get("location") ?? "";
  checkLocation(location, where);
  const length = fields.get("length");
  const checksum = fields.get("checksum");
  return {
    location,
    offset: decimal(fields.get("offset") ?? "0", "offset", where),
    ...(length === undefined ? {} : { length: decimal(length, "length", where) }),
    ...(checksum === undefined ? {} : { checksum }),
  };
}

function decimal(text: string, key: string, where: string): number {
  const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new FormatError(`the ${key} of external data is not a length`, {
    expected: "decimal digits, at most 2^53 - 1",
    got: JSON.stringify(text.slice(0, 100)),
    where,
  });
}

interface PathRule {
  readonly reason: string;
  broken(location: string): boolean;
}

const pathRules: readonly PathRule[] = [
  { reason: "it is empty", broken: (location) => location === "" },
  { reason: "it is longer than 1,024 characters", broken: (location) => location.length > 1024 },
  { reason: "it has a control character", broken: (location) => /[\u0000-\u001f\u007f]/.test(location) },
  { reason: "it is an address in memory", broken: (location) => /^\*|_ORT_MEM_ADDR_|_MEM_ADDR_/.test(location) },
  { reason: "it is absolute", broken: (location) => /^[/\\~]/.test(location) },
  { reason: "it names a drive, a stream or a URL", broken: (location) => location.includes(":") },
  { reason: "it has a backslash", broken: (location) => location.includes("\\") },
  { reason: "it leaves the model's folder", broken: (location) => location.split("/").includes("..") },
  {
    reason: "a part of it is empty or ends in a dot or a space",
    broken: (location) => location.split("/").some((part) => part === "" || (part !== "." && /[. ]$/.test(part))),
  },
];

/** Throws `PathError` unless `location` is a plain relative path that stays inside its folder on every platform. */
export function checkLocation(location: string, where: string): void {
  const rule = pathRules.find(({ broken }) => broken(location));
  if (!rule) return;
  throw new PathError(`the location of external data is refused: ${rule.reason}`, {
    expected: "a relative path inside the model's folder",
    got: JSON.stringify(location.slice(0, 100)),
    where,
  });
}
