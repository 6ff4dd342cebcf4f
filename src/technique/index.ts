/** @file What families of techniques implement, and one job runs. */
export type { BarSection, ChartSection, FigureCard, Section, Sections, SpeedCard, TableSection } from "./section.ts";
export {
  type Asked,
  defineTechnique,
  type Evidence,
  type MadeModel,
  type Plan,
  type Technique,
  type TechniqueContext,
  type TechniqueData,
} from "./technique.ts";
