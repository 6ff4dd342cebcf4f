import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { deflateRawSync, gzipSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  DataError,
  FormatError,
  LimitError,
  type LitheError,
  PathError,
  UnsupportedError,
  UsageError,
} from "../../errors.ts";
import { floatsOf, int64s, numbersOf, tensor } from "../../ir/index.ts";
import { batches, collect, encodeNpy, encodeSafetensors, type OpenOptions, openData } from "../index.ts";
import { limits } from "../limits.ts";
import { dataFormats } from "../node/formats.ts";
import { cifarRecord } from "./cifar.ts";
import { indexRecords } from "./records.ts";
import { crc32 } from "./zip.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "lithe-data-"));
});
afterAll(() => rm(root, { recursive: true }));

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(root, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

/** Inputs as plain numbers, labels and sources of every sample. */
async function read(path: string, options: OpenOptions = {}) {
  const samples = await collect(await openData(path, options));
  return samples.map(({ inputs, label }) => [[...inputs].map(([name, value]) => [name, ...numbersOf(value)]), label]);
}

function idx(code: number, dims: readonly number[], data: readonly number[]): Uint8Array {
  return Uint8Array.from([0, 0, code, dims.length, ...dims.flatMap((dim) => [0, 0, dim >> 8, dim & 255]), ...data]);
}

interface Entry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly deflate?: boolean;
  readonly crc?: number;
  readonly size?: number;
}

function zip(entries: readonly Entry[]): Uint8Array {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data, deflate, crc = crc32(data), size = data.length } of entries) {
    const body = deflate ? deflateRawSync(data) : Buffer.from(data);
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(deflate ? 8 : 0, 4);
    facts.writeUInt32LE(crc, 10);
    facts.writeUInt32LE(body.length, 14);
    facts.writeUInt32LE(size, 18);
    facts.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), facts, Buffer.from(name), body]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\0"), facts, tail, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, ...directory, end]);
}

const picture = (level: number, side = 4) =>
  sharp({ create: { width: side, height: side, channels: 3, background: { r: level, g: level, b: level } } })
    .png()
    .toBuffer();

describe("picture folders", () => {
  it("take subfolders as classes, in the order of their names", async () => {
    await put("classes/b/1.png", await picture(2));
    await put("classes/a/1.png", await picture(1));
    await put("classes/a/0.png", await picture(0));
    await put("classes/a/readme.txt", "x");
    const data = await openData(join(root, "classes"), { preprocess: "raw" });
    expect(data.classes).toEqual(["a", "b"]);
    expect(data.assumptions?.join()).toContain("1 entry is left out");
    const samples = await collect(data);
    expect(samples.map(({ source, label }) => [source, label])).toEqual([
      ["a/0.png", 0],
      ["a/1.png", 0],
      ["b/1.png", 1],
    ]);
    expect(samples.map(({ inputs }) => floatsOf(inputs.get("input")!)[0])).toEqual([0, 1, 2]);
    expect(Array.from(await data.labels!())).toEqual([0, 0, 1]);
  });

  it("without subfolders have no labels", async () => {
    await put("flat/x.png", await picture(9));
    const [sample] = await collect(await openData(join(root, "flat"), { preprocess: "raw" }));
    expect(sample!.label).toBeUndefined();
  });

  it.each([
    ["index.json", '[{"file": "p/2.png", "class": 7}, {"file": "p/1.png", "label": 3}]', [7, 3]],
    ["labels.csv", "file,label\np/2.png,dog\np/1.png,cat\n", [1, 0]],
    ["labels.txt", "p/2.png 5\n# a comment\np/1.png 6\n", [5, 6]],
    ["labels.json", '{"p/2.png": 1, "p/1.png": 0}', [1, 0]],
  ])("are indexed by %s", async (name, content, labels) => {
    const folder = `indexed-${name}`;
    await put(`${folder}/p/1.png`, await picture(1));
    await put(`${folder}/p/2.png`, await picture(2));
    await put(`${folder}/${name}`, content);
    const samples = await collect(await openData(join(root, folder), { preprocess: "raw" }));
    expect(samples.map(({ inputs }) => floatsOf(inputs.get("input")!)[0])).toEqual([2, 1]);
    expect(samples.map(({ label }) => label)).toEqual(labels);
  });

  it.each([
    "../escape/x.png",
    "a/../../escape/x.png",
    "/etc/hosts",
    "C:\\x.png",
    "\\\\host\\x.png",
    "a//x.png",
    "./x.png",
    "x\0.png",
    "link/x.png",
    "link.png",
  ])("do not follow the name %j out of the folder", async (file) => {
    await put("escape/x.png", await picture(1));
    await put("trap/index.json", JSON.stringify([{ file, class: 0 }]));
    await symlink(join(root, "escape"), join(root, "trap/link")).catch(() => {});
    await symlink(join(root, "escape/x.png"), join(root, "trap/link.png")).catch(() => {});
    await expect(read(join(root, "trap"))).rejects.toThrow(PathError);
  });

  it("read literal names that look encoded, and refuse links in listings", async () => {
    await put("literal/%2e%2e", "x");
    await put("literal/index.json", '[{"file": "%2e%2e", "class": 0}]');
    await expect(read(join(root, "literal"))).rejects.toThrow(/no image/);
    await put("linked/x.png", await picture(1));
    await symlink(join(root, "linked/x.png"), join(root, "linked/y.png"));
    await expect(read(join(root, "linked"))).rejects.toThrow(PathError);
  });

  it("drop alpha and keep gray", async () => {
    await put(
      "kinds/a.png",
      await sharp(Buffer.of(1, 2, 3, 4), { raw: { width: 1, height: 1, channels: 4 } })
        .png()
        .toBuffer(),
    );
    await put(
      "kinds/b.png",
      await sharp(Buffer.of(7), { raw: { width: 1, height: 1, channels: 1 } })
        .png()
        .toBuffer(),
    );
    const [a, b] = await collect(await openData(join(root, "kinds"), { preprocess: { channels: "rgb" } }));
    expect([...floatsOf(a!.inputs.get("input")!)]).toEqual([1, 2, 3]);
    expect([...floatsOf(b!.inputs.get("input")!)]).toEqual([7, 7, 7]);
  });
});

describe("IDX", () => {
  it("pairs images and labels, plain or gzip", async () => {
    await put("t-images-idx3-ubyte.gz", gzipSync(idx(8, [2, 1, 2], [1, 2, 3, 4])));
    await put("t-labels-idx1-ubyte", idx(8, [2], [5, 6]));
    expect(await read(join(root, "t-images-idx3-ubyte.gz"), { preprocess: "raw" })).toEqual([
      [[["input", 1, 2]], 5],
      [[["input", 3, 4]], 6],
    ]);
  });

  it("reads big-endian numbers as tensors", async () => {
    const path = await put("values.idx", idx(0x0b, [2, 2], [0, 1, 255, 255, 1, 0, 0, 2]));
    const labels = await put("values.txt", "3\n4\n");
    expect(await read(path, { labels })).toEqual([
      [[["input", 1, -1]], 3],
      [[["input", 256, 2]], 4],
    ]);
  });
});

describe("CIFAR", () => {
  it("round-trips its records", async () => {
    const pixels = Uint8Array.from({ length: 3072 }, (_, i) => i % 251);
    const image = { width: 32, height: 32, channels: 3, pixels } as const;
    const path = await put("c.bin", Buffer.concat([cifarRecord(3, image), cifarRecord(9, image)]));
    const data = await openData(path, { preprocess: { layout: "nhwc", dtype: "uint8" } });
    const samples = await collect(data);
    expect(samples.map(({ label }) => label)).toEqual([3, 9]);
    expect(samples[1]!.inputs.get("input")!.data).toEqual(pixels);
    expect([...Array.from(await data.labels!())]).toEqual([3, 9]);
  });
});

describe("CSV", () => {
  it("takes the numeric columns, a label column and quoted cells", async () => {
    const path = await put("t.csv", '\uFEFFx,"the ""name""",y,kind\r\n1,"a,\nb",-2.5e1,dog\r\n\r\n3,c,4,cat\r\n');
    const data = await openData(path, { labels: "kind" });
    expect(data.classes).toEqual(["cat", "dog"]);
    expect(data.assumptions?.join()).toContain('the \\"name\\"');
    expect(await read(path, { labels: "kind" })).toEqual([
      [[["input", 1, -25]], 1],
      [[["input", 3, 4]], 0],
    ]);
    expect(await read(path, { columns: ["y"], labels: "x" })).toEqual([
      [[["input", -25]], 1],
      [[["input", 4]], 3],
    ]);
  });

  it("names the columns of a table without header", async () => {
    expect(await read(await put("h.tsv", "1\t2\n3\t4"), { labels: "c1" })).toEqual([
      [[["input", 1]], 2],
      [[["input", 3]], 4],
    ]);
  });

  it("reports or skips empty cells", async () => {
    const path = await put("m.csv", "a,b\n1,2\n,4\n5,6\n");
    await expect(openData(path)).rejects.toThrow(/empty cells.*row 2/);
    expect(await read(path, { missing: "skip", labels: "b" })).toEqual([
      [[["input", 1]], 2],
      [[["input", 5]], 6],
    ]);
  });
});

describe("npy and npz", () => {
  const floats = encodeNpy(tensor("float32", [2, 2], [1, 2, 3, 4]));
  const longs = encodeNpy(tensor("int64", [2], [7, 8]));

  it("read samples along the first axis, with labels from a file", async () => {
    const labels = await put("y.npy", longs);
    expect(await read(await put("x.npy", floats), { labels })).toEqual([
      [[["input", 1, 2]], 7],
      [[["input", 3, 4]], 8],
    ]);
  });

  it("read column-major and big-endian arrays", async () => {
    const header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n";
    const data = [0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6];
    const bytes = Uint8Array.from([
      0x93,
      ...Buffer.from("NUMPY"),
      1,
      0,
      header.length,
      0,
      ...Buffer.from(header),
      ...data,
    ]);
    expect(await read(await put("f.npy", bytes))).toEqual([
      [[["input", 1, 2, 3]], undefined],
      [[["input", 4, 5, 6]], undefined],
    ]);
  });

  it.each([false, true])("read archives by input name, deflated: %s", async (deflate) => {
    const path = await put(
      `a-${deflate}.npz`,
      zip([
        { name: "ids.npy", data: longs, deflate },
        { name: "x.npy", data: floats, deflate },
        { name: "labels.npy", data: encodeNpy(tensor("uint8", [2], [1, 0])), deflate },
      ]),
    );
    expect(await read(path)).toEqual([
      [
        [
          ["ids", 7],
          ["x", 1, 2],
        ],
        1,
      ],
      [
        [
          ["ids", 8],
          ["x", 3, 4],
        ],
        0,
      ],
    ]);
    const port = [
      { name: "x", dtype: "float64", dims: ["n", 2] },
      { name: "ids", dtype: "int32" },
    ] as const;
    const [batch] = await collect(batches(await openData(path, { port }), { batch: 2, port }));
    expect([...batch!.feeds].map(([name, { dtype, dims }]) => [name, dtype, ...dims])).toEqual([
      ["x", "float64", 2, 2],
      ["ids", "int32", 2],
    ]);
  });

  it("refuse pixels for a float input unless a preprocessing is given", async () => {
    const path = await put("u.npy", encodeNpy(tensor("uint8", [1, 1, 1, 2], [1, 2])));
    const port = { name: "image", dtype: "float32", dims: ["n", 1, 1, 2] } as const;
    await expect(read(path, { port })).rejects.toThrow(/float32.*uint8.*preprocessing/);
    expect(await read(path, { port, preprocess: "raw" })).toEqual([[[["image", 1, 2]], undefined]]);
    const small = { name: "image", dtype: "int8" } as const;
    await expect(read(await put("v.npy", encodeNpy(tensor("uint8", [1, 1], [200]))), { port: small })).rejects.toThrow(
      /does not fit int8/,
    );
  });

  it("read 8-bit arrays as images when a preprocessing is given", async () => {
    const path = await put("i.npy", encodeNpy(tensor("uint8", [1, 3, 1, 2], [1, 2, 3, 4, 5, 6])));
    expect(await read(path, { preprocess: { layout: "nhwc" } })).toEqual([[[["input", 1, 3, 5, 2, 4, 6]], undefined]]);
  });
});

describe("safetensors", () => {
  it("are read by input name", async () => {
    const bytes = encodeSafetensors(
      new Map([
        ["x", tensor("float32", [2, 1], [1, 2])],
        ["y", int64s([3, 4])],
      ]),
    );
    expect(await read(await put("d.safetensors", bytes))).toEqual([
      [[["x", 1]], 3],
      [[["x", 2]], 4],
    ]);
  });
});

describe("JSONL", () => {
  it("reads nested and explicit values by name", async () => {
    const lines = [
      '{"inputs": {"x": [[1, 2]], "__proto__": {"dtype": "int8", "dims": [1], "data": [-3]}}, "label": 4}',
      "",
      '{"label": 5, "inputs": {"x": [[6, 7]], "__proto__": [8]}}',
    ];
    const path = await put("d.jsonl", lines.join("\r\n"));
    expect(await read(path)).toEqual([
      [
        [
          ["x", 1, 2],
          ["__proto__", -3],
        ],
        4,
      ],
      [
        [
          ["x", 6, 7],
          ["__proto__", 8],
        ],
        5,
      ],
    ]);
    expect(Array.from(await (await openData(path)).labels!())).toEqual([4, 5]);
  });

  it("takes the dtype from the model", async () => {
    const port = { name: "ids", dtype: "int64", dims: [1, 2] } as const;
    const [sample] = await collect(await openData(await put("i.jsonl", '{"inputs": {"ids": [1, 2]}}'), { port }));
    expect(sample!.inputs.get("ids")).toEqual(int64s([1, 2]));
  });
});

describe("malformed data", () => {
  const header = (text: string) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
    return Buffer.concat([length, Buffer.from(text)]);
  };
  const npyHeader = (dict: string) =>
    Buffer.concat([Buffer.from("\x93NUMPY\x01\0", "latin1"), Buffer.of(dict.length, 0), Buffer.from(dict)]);
  const ones = encodeNpy(tensor("float32", [2], [1, 1]));
  const entry = (dtype: string, shape: string, offsets: string) =>
    `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;

  const corpus: [string, string, string | Uint8Array, new (...args: never[]) => LitheError][] = [
    ["an unknown extension", "x.pkl", "x", DataError],
    ["CIFAR of a broken record", "x1.bin", new Uint8Array(3072), FormatError],
    ["CIFAR with a label beyond the classes", "x2.bin", new Uint8Array(3073).fill(200), FormatError],
    ["an empty CIFAR file", "x3.bin", "", FormatError],
    ["IDX without its magic", "x1.idx", "hello", FormatError],
    ["IDX with an unknown type", "x2.idx", idx(7, [1], [1]), FormatError],
    ["IDX that ends early", "x3.idx", idx(8, [3], [1]), FormatError],
    ["IDX with bytes left over", "x4.idx", idx(8, [1], [1, 2]), FormatError],
    ["IDX with dims beyond memory", "x5.idx", Uint8Array.from([0, 0, 8, 3, ...new Array(12).fill(255)]), LimitError],
    ["IDX of too many axes", "x6.idx", Uint8Array.from([0, 0, 8, 200, ...new Array(800).fill(1)]), LimitError],
    ["damaged gzip", "x7.idx.gz", Buffer.concat([gzipSync(idx(8, [9], [])).subarray(0, 12)]), FormatError],
    ["gzip that expands beyond its header", "x8.idx.gz", gzipSync(idx(8, [1], new Array(99).fill(1))), LimitError],
    ["CSV with an open quote", "x1.csv", 'a,b\n1,"2\n', FormatError],
    ["CSV with text after a quote", "x2.csv", 'a,b\n1,"2"3\n', FormatError],
    ["CSV with a short row", "x3.csv", "a,b\n1\n", FormatError],
    ["CSV with two equal names", "x4.csv", "a,a\n1,2\n", FormatError],
    ["CSV that is no text", "x5.csv", Uint8Array.of(0xff, 0xfe, 0x0a, 0x31), FormatError],
    ["CSV without numbers", "x6.csv", "a,b\nx,y\n", DataError],
    ["an empty CSV", "x7.csv", "\n\n", DataError],
    ["npy without its magic", "x1.npy", "\x93NUMPZ\x01\0aaaa", FormatError],
    ["npy of a future version", "x2.npy", Buffer.from("\x93NUMPY\x09\0\x01\0{", "latin1"), FormatError],
    [
      "npy of objects",
      "x3.npy",
      npyHeader("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"),
      UnsupportedError,
    ],
    [
      "npy of records",
      "x4.npy",
      npyHeader("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"),
      UnsupportedError,
    ],
    [
      "npy with code in its header",
      "x5.npy",
      npyHeader("{'descr': '<f4', 'fortran_order': exit(), 'shape': (1,), }"),
      FormatError,
    ],
    [
      "npy with a key twice",
      "x6.npy",
      npyHeader("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}"),
      FormatError,
    ],
    ["npy that ends early", "x7.npy", ones.subarray(0, ones.length - 1), FormatError],
    [
      "npy with dims beyond memory",
      "x8.npy",
      npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99999999)}"),
      LimitError,
    ],
    ["npy without axis", "x9.npy", encodeNpy(tensor("float32", [], [1])), DataError],
    ["no zip", "x1.npz", "PK", FormatError],
    ["a zip with a wrong checksum", "x2.npz", zip([{ name: "a.npy", data: ones, deflate: true, crc: 1 }]), FormatError],
    ["a zip bomb", "x3.npz", zip([{ name: "a.npy", data: new Uint8Array(9e5), deflate: true, size: 10 }]), LimitError],
    [
      "a zip with an array twice",
      "x4.npz",
      zip([
        { name: "a.npy", data: ones },
        { name: "a.npy", data: ones },
      ]),
      FormatError,
    ],
    ["a zip without arrays", "x5.npz", zip([{ name: "../../a.txt", data: ones }]), FormatError],
    ["safetensors with a huge header", "x1.safetensors", Buffer.from("ffffffffffffff7f7b7d", "hex"), LimitError],
    ["safetensors that end in the header", "x2.safetensors", header('{"a":').subarray(0, 10), FormatError],
    [
      "safetensors with a key twice",
      "x3.safetensors",
      header(`{"a":${entry("U8", "[0]", "[0,0]")},"a":${entry("U8", "[0]", "[0,0]")}}`),
      FormatError,
    ],
    [
      "safetensors with a gap",
      "x4.safetensors",
      Buffer.concat([header(`{"a":${entry("U8", "[1]", "[1,2]")}}`), Buffer.alloc(2)]),
      FormatError,
    ],
    [
      "safetensors that overlap",
      "x5.safetensors",
      Buffer.concat([
        header(`{"a":${entry("U8", "[2]", "[0,2]")},"b":${entry("U8", "[2]", "[1,3]")}}`),
        Buffer.alloc(3),
      ]),
      FormatError,
    ],
    [
      "safetensors with trailing bytes",
      "x6.safetensors",
      Buffer.concat([header(`{"a":${entry("U8", "[1]", "[0,1]")}}`), Buffer.alloc(2)]),
      FormatError,
    ],
    [
      "safetensors of a wrong length",
      "x7.safetensors",
      Buffer.concat([header(`{"a":${entry("F32", "[1]", "[0,1]")}}`), Buffer.alloc(1)]),
      FormatError,
    ],
    [
      "safetensors of an unknown dtype",
      "x8.safetensors",
      header(`{"a":${entry("Q3", "[0]", "[0,0]")}}`),
      UnsupportedError,
    ],
    ["safetensors of a deep header", "x9.safetensors", header(`{"a":${"[".repeat(99)}`), LimitError],
    ["safetensors with negative dims", "xa.safetensors", header(`{"a":${entry("U8", "[-1]", "[0,0]")}}`), FormatError],
    ["JSONL that is no JSON", "x1.jsonl", "{", FormatError],
    ["JSONL with an unknown key", "x2.jsonl", '{"inputs": {"x": [1]}, "lable": 1}', FormatError],
    ["JSONL with a ragged list", "x3.jsonl", '{"inputs": {"x": [[1, 2], [3]]}}', FormatError],
    ["JSONL with a word for a number", "x4.jsonl", '{"inputs": {"x": ["1"]}}', FormatError],
    [
      "JSONL with too little data",
      "x5.jsonl",
      '{"inputs": {"x": {"dtype": "int8", "dims": [2], "data": [1]}}}',
      FormatError,
    ],
    [
      "JSONL with a number beyond its dtype",
      "x6.jsonl",
      '{"inputs": {"x": {"dtype": "int8", "dims": [1], "data": [128]}}}',
      FormatError,
    ],
    ["JSONL of a deep list", "x7.jsonl", `{"inputs": {"x": ${"[".repeat(99)}1${"]".repeat(99)}}}`, LimitError],
    [
      "JSONL with an inherited dtype",
      "x8.jsonl",
      '{"inputs": {"x": {"dtype": "constructor", "dims": [1], "data": [1]}}}',
      FormatError,
    ],
    ["an empty folder", "empty/.keep", "", DataError],
    ["a picture that is none", "fake/x.jpg", "hello", FormatError],
    ["a picture that ends early", "short/x.png", Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1"), FormatError],
    ["an SVG under another name", "svg/x.png", '<svg xmlns="http://www.w3.org/2000/svg"/>', FormatError],
    ["an index that is no list", "index1/index.json", '"x"', FormatError],
    ["an index without files", "index2/index.json", "[]", DataError],
    ["an index of a file that is missing", "index3/index.json", '[{"file": "no.png", "class": 0}]', DataError],
    ["an index that names a file twice", "index4/labels.txt", "a.png 1\na.png 2\n", FormatError],
    ["an index that mixes names and numbers", "index6/labels.txt", "a.png 1\nb.png cat\n", FormatError],
  ];

  it.each(corpus)("%s is a named error", async (_, name, content, error) => {
    const path = await put(`bad/${name}`, content);
    const target = name.includes("/") ? dirname(path) : path;
    await expect(read(target)).rejects.toThrow(error);
  });

  it("a missing path, a device and an option of another format are named errors", async () => {
    await expect(openData(join(root, "nothing"))).rejects.toThrow(DataError);
    await expect(openData("/dev/zero")).rejects.toThrow(PathError);
    await expect(openData(await put("o.csv", "a\n1\n"), { preprocess: "raw" })).rejects.toThrow(UsageError);
    await expect(openData(await put("o.npy", ones), { preprocess: "raw" })).rejects.toThrow(/for images/);
    await expect(openData(join(root, "o.npy"), { labels: await put("o.txt", "1\n") })).resolves.toBeDefined();
    await expect(read(join(root, "o.npy"), { labels: join(root, "o.txt") })).rejects.toThrow(/2 labels/);
  });
});

describe("the formats", () => {
  it("have distinct names and claim different paths", () => {
    expect(new Set(dataFormats.map(({ name }) => name)).size).toBe(dataFormats.length);
    const names = ["d", "t-images-idx3-ubyte.gz", "a.bin", "a.csv", "a.npy", "a.npz", "a.safetensors", "a.jsonl"];
    const owners = names.map((name) =>
      dataFormats.filter((format) => format.recognises({ path: name, name, kind: name === "d" ? "folder" : "file" })),
    );
    expect(owners.map((list) => list.length)).toEqual(names.map(() => 1));
    expect(new Set(owners.flat()).size).toBe(dataFormats.length);
  });
});

it("bounds a record that ends within the last block as every other", async () => {
  const lines = (length: number) => ({
    name: "long.jsonl",
    size: length,
    read: async (offset: number, count: number) =>
      new Uint8Array(count).fill(0x61).fill(0x0a, Math.max(0, length - 1 - offset)),
    close: async () => {},
  });
  expect((await indexRecords(lines(limits.lineBytes + 1), false)).count).toBe(1);
  await expect(indexRecords(lines(limits.lineBytes + 2), false)).rejects.toThrow(LimitError);
});
