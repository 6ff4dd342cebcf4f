/** @file Parameters as how far they moved since they were sent last, in fewer bits. */
import { nth } from "../../checked.ts";
import { FormatError } from "../../errors.ts";
import type { ByteCompressor } from "../compressors/compressor.ts";
import { noCompression } from "../compressors/none.ts";
import { bundle, unbundle } from "../encoding/bundle.ts";
import { refused } from "../encoding/refused.ts";
import type { ExchangeState, LocalGradient } from "../exchange/exchange.ts";
import { slots } from "../exchange/slots.ts";

/** One side of a pair, a sender or a receiver. Both keep `held`, what the receiver has: the same bits. */
export interface ParameterDeltas {
  /** What brings a receiver up to these values. The first message holds them whole. */
  encode(parameters: readonly LocalGradient[], update: number): Uint8Array<ArrayBuffer>;
  /**
   * Replaces `values` by what the sender says, up to the error of this message's compression.
   *
   * @throws FormatError for bytes that are no message of these tensors, or a difference to values that never came
   */
  decode(bytes: Uint8Array<ArrayBuffer>, parameters: readonly LocalGradient[], update: number): void;
  readState(): ExchangeState;
  restore(state: ExchangeState): void;
}

const WHOLE = 0;
const DIFFERENCE = 1;

/**
 * What is sent is the compressed difference between a parameter and what the receiver has of it: held ← held + C(w − held) in float32. So errors do not add up: each
 * message makes up for those before.
 */
export function parameterDeltas(compressor: ByteCompressor): ParameterDeltas {
  const kept = slots(["held"]);
  const whole = noCompression();
  let isFirst = true;
  const heldOf = ({ name, values }: LocalGradient): Float32Array => kept.of("held", name, values.length);
  const placeOf = ({ name, dims }: LocalGradient, index: number, update: number) =>
    ({ name, dims, index, update, rank: 0 }) as const;
  const advance = (held: Float32Array, difference: Float32Array): void => {
    held.set(held.map((value, i) => value + (difference[i] ?? 0)));
  };
  return {
    encode(parameters, update) {
      const used = isFirst ? whole : compressor;
      const messages = parameters.map((each, index) => {
        const held = heldOf(each);
        const place = placeOf(each, index, update);
        const message = used.compress(
          each.values.map((value, i) => value - (held[i] ?? 0)),
          place,
        );
        advance(held, used.decompress(message, place));
        return message;
      });
      const kind = Uint8Array.of(isFirst ? WHOLE : DIFFERENCE);
      isFirst = false;
      return bundle([kind, ...messages]);
    },
    decode(bytes, parameters, update) {
      const [kind, ...messages] = unbundle(bytes, parameters.length + 1);
      const code = kind?.length === 1 ? kind[0] : undefined;
      if (code !== WHOLE && code !== DIFFERENCE) throw refused("is of no kind", "0 or 1", String(code));
      if (isFirst && code === DIFFERENCE) {
        throw new FormatError("a difference came before the parameters that it is one to", {
          hint: "Restore the state of both sides, or of neither.",
        });
      }
      const used = code === WHOLE ? whole : compressor;
      const read = parameters.map((each, i) => used.decompress(nth(messages, i), placeOf(each, i, update)));
      parameters.forEach((each, i) => {
        const held = heldOf(each);
        if (code === WHOLE) held.fill(0);
        advance(held, nth(read, i));
        each.values.set(held);
      });
      isFirst = false;
    },
    readState: kept.readState,
    restore(state) {
      kept.restore(state);
      isFirst = state.size === 0;
    },
  };
}
