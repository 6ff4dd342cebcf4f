/** @file Node only: JPEG, PNG, WebP, GIF, TIFF and AVIF to pixels, through the optional package sharp. */
import type sharpModule from "sharp";
import { FormatError, MissingPackageError } from "../../errors.ts";
import type { Image } from "../image.ts";
import { limits } from "../limits.ts";

export const imageExtensions: ReadonlySet<string> = new Set([
  ".jpg",
  ".jpeg",
  ".png",
  ".webp",
  ".gif",
  ".tif",
  ".tiff",
  ".avif",
]);

type Sharp = typeof sharpModule;

/**
 * The pixels of an encoded image: alpha dropped, colour profiles and orientation tags left alone (as Pillow does on
 * opening), the first frame of an animation. What is no image is a `FormatError`.
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<Image> {
  if (!hasImageSignature(bytes)) {
    throw new FormatError("the file is no image", { expected: "JPEG, PNG, WebP, GIF, TIFF or AVIF", where: name });
  }
  const sharp = await loadSharp();
  const { data, info } = await decode(sharp, bytes, name);
  const colors = info.channels >= 3 ? 3 : 1;
  const pixels = colors === info.channels ? data : dropAlpha(data, info.channels, colors);
  return { width: info.width, height: info.height, channels: colors, pixels };
}

async function decode(sharp: Sharp, bytes: Uint8Array, name: string) {
  const options = { limitInputPixels: limits.imagePixels, ignoreIcc: true, failOn: "error" } as const;
  try {
    return await sharp(bytes, options).raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  } catch (cause) {
    throw new FormatError("the image cannot be decoded", { got: (cause as Error).message, where: name, cause });
  }
}

/** SVG and others that sharp reads are left out: they can refer to further files. */
function hasImageSignature(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.subarray(0, 16)).toString("latin1");
  if (start.startsWith("\xff\xd8\xff") || start.startsWith("\x89PNG\r\n\x1a\n") || start.startsWith("GIF8"))
    return true;
  if (start.startsWith("RIFF") && start.slice(8, 12) === "WEBP") return true;
  if (start.startsWith("II*\0") || start.startsWith("MM\0*")) return true;
  return start.slice(4, 8) === "ftyp" && /^(avif|avis|mif1)/.test(start.slice(8));
}

function dropAlpha(data: Uint8Array, from: number, to: number): Uint8Array {
  const count = data.byteLength / from;
  const pixels = new Uint8Array(count * to);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < to; c++) pixels[i * to + c] = data[i * from + c]!;
  }
  return pixels;
}

async function loadSharp(): Promise<Sharp> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    throw new MissingPackageError("an optional package is missing", {
      got: "sharp",
      hint: "Install it with: npm i sharp",
      cause,
    });
  }
}
