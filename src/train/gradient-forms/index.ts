export { type ConvSide, type FormRow, type GradientFormTable, measuredForms } from "./form-table.ts";
export { type MeasureFormsOptions, measureFormsOptionsNames, measureGradientForms } from "./measure-forms.ts";
