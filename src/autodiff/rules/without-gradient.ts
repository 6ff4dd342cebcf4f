/** @file Operators through which no gradient is given, with the reason. */
import { type GradientEntry, refuse, stop } from "../rule.ts";

const sequences = refuse("sequences and optionals have no cotangents; use Concat, Split and Gather");
const training = refuse("it is itself a training operator; lower it with lowerTraining first");
const withdrawn = refuse("the operator was withdrawn; write it in standard operators");
const classical = refuse("models of ai.onnx.ml are not trained by gradients");

export const withoutGradient = {
  BitCast: stop,
  StringConcat: stop,
  RegexFullMatch: stop,
  StringNormalizer: stop,
  StringSplit: stop,
  TfIdfVectorizer: stop,
  SequenceEmpty: sequences,
  SequenceConstruct: sequences,
  SequenceInsert: sequences,
  SequenceErase: sequences,
  SequenceAt: sequences,
  SequenceLength: stop,
  SplitToSequence: sequences,
  ConcatFromSequence: sequences,
  Optional: sequences,
  OptionalGetElement: sequences,
  OptionalHasElement: stop,
  DFT: refuse("complex pairs have no rule; write the transform as a MatMul with a constant matrix"),
  STFT: refuse("complex pairs have no rule; write the transform as a Conv with constant kernels"),
  Det: refuse("it needs the inverse of the matrix, which ONNX has no operator for"),
  SwiGLU: refuse("ONNX Runtime does not load its opset; write it as Swish and Mul"),
  "com.microsoft::MoE": refuse("it is made for inference; route with standard operators"),
  "ai.onnx.preview.training::Adagrad": training,
  "ai.onnx.preview.training::Adam": training,
  "ai.onnx.preview.training::Momentum": training,
  "ai.onnx.preview.training::Gradient": training,
  Affine: withdrawn,
  ParametricSoftplus: withdrawn,
  ScaledTanh: withdrawn,
  ImageScaler: withdrawn,
  Crop: withdrawn,
  "ai.onnx.ml::ArrayFeatureExtractor": classical,
  "ai.onnx.ml::Binarizer": stop,
  "ai.onnx.ml::Imputer": classical,
  "ai.onnx.ml::Normalizer": classical,
  "ai.onnx.ml::Scaler": classical,
  "ai.onnx.ml::LabelEncoder": stop,
  "ai.onnx.ml::TreeEnsemble": stop,
  "ai.onnx.ml::TreeEnsembleRegressor": stop,
  "ai.onnx.ml::LinearRegressor": classical,
  "ai.onnx.ml::TreeEnsembleClassifier": stop,
  "ai.onnx.ml::LinearClassifier": classical,
} satisfies Record<string, GradientEntry>;
