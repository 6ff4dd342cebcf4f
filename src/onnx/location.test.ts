import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { FormatError, PathError } from "../errors.ts";
import { checkLocation, decodeReference } from "./location.ts";
import { StringStringEntryProtoSchema } from "./schema/onnx_pb.ts";

const entries = (...pairs: [string, string][]) =>
  pairs.map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));

describe("checkLocation", () => {
  it.each(["w", "w.bin", "a/b/c.bin", "./w.bin", ".hidden", "..a", "a..b", "%2e%2e/w", "ä ö/w.bin", "__proto__"])(
    "takes %j",
    (location) => {
      expect(() => checkLocation(location, "here")).not.toThrow();
    },
  );

  it.each([
    "",
    "..",
    "../w",
    "a/../../b",
    "a/..",
    "/etc/passwd",
    "~/w",
    "C:\\x",
    "C:x",
    "c:/x",
    "file:///x",
    "w.bin:stream",
    "\\\\host\\x",
    "//host/x",
    "a\\..\\b",
    "w\0.bin",
    "w\n",
    "w ",
    "w.",
    "a./w",
    "a//w",
    "w/",
    "x".repeat(10_000),
    "*/_ORT_MEM_ADDR_/*",
    "*/_ORT_MEM_ADDR_/*0",
    "_ORT_MEM_ADDR_",
  ])("refuses %j", (location) => {
    expect(() => checkLocation(location, "here")).toThrow(PathError);
  });
});

describe("decodeReference", () => {
  it("reads the four keys", () => {
    const proto = entries(["location", "w"], ["offset", "64"], ["length", "9007199254740991"], ["checksum", "ab"]);
    expect(decodeReference(proto, "here")).toEqual({
      location: "w",
      offset: 64,
      length: Number.MAX_SAFE_INTEGER,
      checksum: "ab",
    });
  });

  it.each([
    ["an unknown key", entries(["location", "w"], ["__proto__", "1"])],
    ["a key given twice", entries(["location", "w"], ["location", "v"])],
    ["a negative number", entries(["location", "w"], ["offset", "-1"])],
    ["a number beyond 2^53", entries(["location", "w"], ["length", "9007199254740993"])],
    ["a number that is not decimal", entries(["location", "w"], ["length", "0x10"])],
    ["an empty number", entries(["location", "w"], ["offset", ""])],
  ])("refuses %s", (_name, proto) => {
    expect(() => decodeReference(proto, "here")).toThrow(FormatError);
  });
});
