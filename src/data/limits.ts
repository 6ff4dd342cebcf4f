/** @file The bounds that keep untrusted data files from taking memory or time without end. */
export const limits = {
  /** Elements of one array; the product of its dims. */
  elements: 2 ** 33,
  rank: 32,
  /** Bytes of a decompressed or otherwise non-seekable array that is held in memory. */
  memory: 2 ** 31,
  imageBytes: 2 ** 28,
  imagePixels: 2 ** 26,
  /** Files or rows in one dataset. */
  samples: 20_000_000,
  textBytes: 2 ** 28,
  lineBytes: 2 ** 26,
  jsonDepth: 32,
  safetensorsHeader: 100_000_000,
  tensors: 100_000,
  zipEntries: 10_000,
} as const;
