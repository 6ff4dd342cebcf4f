/** @file The machine and the versions on it, for reports. */

export interface Hardware {
  readonly platform: string;
  readonly arch: string;
  readonly cpu: string;
  readonly cores: number;
  /** Instruction sets that decide the speed and the correctness of integer kernels; empty where the system hides them. */
  readonly flags: readonly string[];
  /** Bytes. */
  readonly memory: number;
  readonly node: string;
  /** Installed versions by package; absent packages are left out. */
  readonly runtimes: ReadonlyMap<string, string>;
}

export type ProviderState = { readonly works: true } | { readonly works: false; readonly reason: string };
