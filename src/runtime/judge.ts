/// <reference lib="esnext.disposable" preserve="true" />
/** @file Who says whether a model is right on a provider. */
import type { Model } from "../ir/index.ts";
import type { Session } from "./session.ts";

export interface Judge extends AsyncDisposable {
  /** Package, version and, in a page, the browser and its adapter; why it is no page, where one would have been better. */
  readonly build: string;
  /** Whether it is the web build in a page, as it ships. */
  readonly isPage: boolean;
  /** Opens one model, once. Its times say nothing: the adapter may be software. */
  open(model: Model, step: string): Promise<Session>;
}

/** Whose answers count as a session's. */
export interface Judged extends AsyncDisposable {
  readonly session: Session;
  /** The build that gives them. */
  readonly build: string;
}
