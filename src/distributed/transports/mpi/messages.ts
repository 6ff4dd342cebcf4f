/** @file What the thread of a rank and the thread of its MPI tell each other. */
import type { ReduceOperation, Values } from "../../collectives/values.ts";
import type { Frame } from "../transport.ts";

export interface MpiWorkerData {
  /** Counts requests, so that the thread wakes when one has come. */
  readonly bell: Int32Array;
}

export type MpiRequest =
  | { readonly kind: "post"; readonly id: number; readonly to: number; readonly frame: Frame }
  | {
      readonly kind: "allReduce";
      readonly id: number;
      readonly channel: string;
      readonly values: Values;
      readonly operation: ReduceOperation;
    }
  | { readonly kind: "close"; readonly id: number };

export type MpiAnswer =
  | { readonly kind: "ready"; readonly rank: number; readonly size: number }
  | { readonly kind: "failed"; readonly message: string; readonly hint: string; readonly missing: boolean }
  | { readonly kind: "frame"; readonly from: number; readonly frame: Frame }
  | { readonly kind: "done"; readonly id: number; readonly values?: Values };
