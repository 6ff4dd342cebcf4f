/** @file Settings: what can be chosen of anything, as schemas from which flags, files, checks and pages derive. */
export { among, beside, type Condition, keyOf, unless } from "./condition.ts";
export { type MemberFacts, member, memberFacts } from "./member.ts";
export { requireSamplesFor } from "./required-samples.ts";
export { type Field, fieldsOf, only, type SettingFacts, setting, unwrapped } from "./setting.ts";
export * from "./values.ts";
