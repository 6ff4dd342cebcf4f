/** @file Property tests draw the same cases every time; without a seed of their own they would fail by chance on unrelated changes. */
import fc from "fast-check";

fc.configureGlobal({ seed: 20_261_127 });
