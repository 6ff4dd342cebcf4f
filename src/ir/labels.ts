/** @file Which numbers can be labels, and the one check of labels against that. */
import { DataError } from "../errors.ts";

/** What the labels of a loss or of a measure can be. */
export type LabelDomain =
  /** The position of the right class; `ignored` counts for nothing. */
  | { readonly kind: "classes"; readonly count: number; readonly ignored?: number | undefined }
  /** Numbers from 0 to 1: probabilities. */
  | { readonly kind: "shares" }
  /** Any finite numbers. */
  | { readonly kind: "numbers" }
  /** Any whole numbers. */
  | { readonly kind: "integers" };

/** The position of the first label that is outside the domain. */
export function wrongLabel(labels: ArrayLike<number>, domain: LabelDomain): number | undefined {
  for (let i = 0; i < labels.length; i++) if (!isLabel(labels[i]!, domain)) return i;
  return undefined;
}

function isLabel(label: unknown, domain: LabelDomain): boolean {
  if (typeof label !== "number") return false;
  if (domain.kind === "numbers") return Number.isFinite(label);
  if (domain.kind === "shares") return label >= 0 && label <= 1;
  if (domain.kind === "integers") return Number.isSafeInteger(label);
  return label === domain.ignored || (Number.isSafeInteger(label) && label >= 0 && label < domain.count);
}

/** Throws a `DataError` for the first label outside the domain; `sample` says where the label at a position comes from. */
export function checkLabels(
  labels: ArrayLike<number>,
  domain: LabelDomain,
  sample: (position: number) => string | undefined,
): void {
  const position = wrongLabel(labels, domain);
  if (position !== undefined) throw labelError(labels, position, domain, sample(position));
}

/** The error about the label at a position. */
export function labelError(
  labels: ArrayLike<number>,
  position: number,
  domain: LabelDomain,
  where: string | undefined,
): DataError {
  const label: unknown = labels[position];
  const hint = hintFor(labels, label, domain);
  return new DataError(domain.kind === "classes" ? "a label is no class" : "a label is out of range", {
    expected: expectation(domain),
    got: typeof label === "string" ? JSON.stringify(label) : String(label),
    where: where === undefined ? `label ${position}` : `sample ${where}`,
    ...(hint !== undefined && { hint }),
  });
}

function expectation(domain: LabelDomain): string {
  if (domain.kind === "numbers") return "a finite number";
  if (domain.kind === "shares") return "a number from 0 to 1";
  if (domain.kind === "integers") return "a whole number";
  const { count, ignored } = domain;
  const classes = Number.isFinite(count) ? `a whole number from 0 to ${count - 1}` : "a whole number from 0 on";
  return ignored === undefined ? classes : `${classes}, or ${ignored} to be ignored`;
}

/** What people mostly mean by such a label, in the words of the remedy. */
function hintFor(labels: ArrayLike<number>, label: unknown, domain: LabelDomain): string | undefined {
  if (typeof label !== "number") return "A label is a number: for a class, its position.";
  if (!Number.isFinite(label)) return "Leave out samples without a label.";
  if (isSigned(labels)) return "Write the labels -1 and 1 as 0 and 1.";
  if (domain.kind !== "classes") return undefined;
  if (!Number.isInteger(label)) return "Numbers with fractions are learned by a loss such as meanSquaredError.";
  if (label < 0)
    return "Classes are counted from 0. Labels that are to count for nothing are named by ignoreIndex of crossEntropy.";
  if (label === domain.count) return "Classes are counted from 0, not from 1.";
  return "Give the model one output per class; what is no class is learned by a loss such as meanSquaredError.";
}

function isSigned(labels: ArrayLike<number>): boolean {
  let negative = 0;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === -1) negative++;
    else if (labels[i] !== 1) return false;
  }
  return negative > 0;
}
