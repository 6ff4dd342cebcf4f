/** An augmentation in a module of its own, so that loading threads can import it. */
export function negative({ probability }) {
  return {
    name: "negative",
    apply(picture, source) {
      if (source.uniform() >= probability) return picture;
      return { ...picture, values: picture.values.map((value) => -value) };
    },
  };
}
