/** @file Applies a table of rules until none applies, subgraphs included. Knows no operator; each rewrite costs what it touches. */
import { nth } from "../checked.ts";
import { InvalidModelError, LimitError } from "../errors.ts";
import {
  constantOf,
  describeNode,
  type Graph,
  type GraphBuilder,
  graphBuilder,
  literalOf,
  type Model,
  makeNode,
  mapSubgraphs,
  type Names,
  type Node,
  namesOf,
  opsetOf,
  qualifiedName,
  type Tensor,
  type Value,
  type ValueType,
  withGraph,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { Note, PassExactness, PassResult, SyncPass } from "./pass.ts";
import type { Declined, Replacement, Rule, RuleContext } from "./rule.ts";
import { type Slot, Workspace } from "./workspace.ts";

/** Types that a rule sees, beyond those that the values declare. */
export type TypesBefore = (model: Model) => (value: Value) => ValueType | undefined;

export interface RulesOptions {
  readonly types?: TypesBefore;
}

/** A pass made of rules. */
export function rulePass(
  name: string,
  exactness: PassExactness,
  rules: readonly Rule[],
  options: RulesOptions = {},
): SyncPass {
  return { name, exactness, run: (model) => applyRules(name, model, rules, options) };
}

const rulesOptionsNames: OptionNames<RulesOptions> = { types: true };

/** Applies `rules` to every graph of the model, innermost first, until none applies. Function bodies are left alone. */
export function applyRules(pass: string, model: Model, rules: readonly Rule[], options: RulesOptions = {}): PassResult {
  const { types } = checkOptions(options, rulesOptionsNames);
  const run: Run = { pass, model, rules: ruleTable(rules), names: namesOf(model), notes: [], type: types?.(model) };
  const visit = (graph: Graph, outer: Scope | undefined): Graph => {
    const inner = mapSubgraphs(graph, (held) => visit(held, { graph, outer }));
    return rewriteGraph(run, inner, outer);
  };
  const graph = visit(model.graph, undefined);
  return { model: withGraph(model, graph), notes: run.notes };
}

interface Scope {
  readonly graph: Graph;
  readonly outer: Scope | undefined;
}

interface Run {
  readonly pass: string;
  readonly model: Model;
  readonly rules: (node: Node) => readonly Rule[];
  readonly names: Names;
  readonly notes: Note[];
  readonly type: ((value: Value) => ValueType | undefined) | undefined;
}

function ruleTable(rules: readonly Rule[]): (node: Node) => readonly Rule[] {
  const byRoot = new Map<string, Rule[]>();
  const anywhere = rules.filter((rule) => !rule.roots);
  for (const root of new Set(rules.flatMap((rule) => rule.roots ?? []))) {
    byRoot.set(
      root,
      rules.filter((rule) => !rule.roots || rule.roots.includes(root)),
    );
  }
  return (node) => byRoot.get(qualifiedName(node)) ?? anywhere;
}

/** The last refusal of each rule at each place; those of nodes that go later are forgotten. */
type Declines = Map<Slot, Map<Rule, Note>>;

/** Every rewrite must bring the graph nearer to its end; a table that circles is a mistake in the table. */
const REWRITES_PER_NODE = 50;

function rewriteGraph(run: Run, graph: Graph, outer: Scope | undefined): Graph {
  const workspace = new Workspace(graph);
  const queue = [...workspace.slots()];
  const waiting = new Set(queue);
  const declines: Declines = new Map();
  const limit = REWRITES_PER_NODE * (graph.nodes.length + 10);
  let rewrites = 0;
  for (let next = 0; next < queue.length; next++) {
    const slot = nth(queue, next);
    waiting.delete(slot);
    if (!slot.alive) continue;
    const touched = rewriteNode(run, workspace, slot, outer, declines);
    if (touched && ++rewrites > limit) throw endless(run, slot.node);
    for (const again of touched ?? []) {
      if (!again.alive || waiting.has(again)) continue;
      waiting.add(again);
      queue.push(again);
    }
  }
  for (const [slot, byRule] of declines) if (slot.alive) for (const item of byRule.values()) run.notes.push(item);
  return workspace.finish(run.names);
}

function endless(run: Run, node: Node): LimitError {
  return new LimitError("the rules undo one another", {
    expected: `at most ${REWRITES_PER_NODE} rewrites per node`,
    where: `pass "${run.pass}", ${describeNode(node)}`,
  });
}

/** Tries the rules on one node; returns the places to look at again, or nothing when no rule applied. */
function rewriteNode(
  run: Run,
  workspace: Workspace,
  slot: Slot,
  outer: Scope | undefined,
  declines: Declines,
): readonly Slot[] | undefined {
  const { node } = slot;
  for (const rule of run.rules(node)) {
    const g = graphBuilder({ names: run.names });
    const outcome = rule.apply(node, contextFor(run, workspace, outer, g));
    if (!outcome) continue;
    const refusal = "declined" in outcome ? outcome : obstacle(workspace, slot, outcome);
    if (refusal) {
      const note = noteOf(run, rule, node, "declined", refusal.declined);
      declines.set(slot, (declines.get(slot) ?? new Map()).set(rule, note));
      continue;
    }
    run.notes.push(noteOf(run, rule, node, "applied", (outcome as Replacement).reason));
    return commit(workspace, slot, outcome as Replacement, g, rule);
  }
  return undefined;
}

function noteOf(run: Run, rule: Rule, node: Node, kind: Note["kind"], reason: string): Note {
  const name = node.name || node.outputs.find((value) => value)?.name || "";
  return { pass: run.pass, rule: rule.name, kind, reason, nodes: [name] };
}

/** What the graph's own signature forbids: an `Identity` that carries a value to an output of another name must stay. */
function obstacle(workspace: Workspace, { node }: Slot, { outputs }: Replacement): Declined | undefined {
  const [from] = node.outputs;
  const [to] = outputs;
  if (node.opType !== "Identity" || !from || !to || !workspace.isOutput(from)) return undefined;
  return canRename(workspace, to) ? undefined : { declined: `the graph's output "${from.name}" keeps its name` };
}

function canRename(workspace: Workspace, value: Value): boolean {
  return workspace.producer(value) !== undefined && !workspace.isOutput(value);
}

function commit(
  workspace: Workspace,
  slot: Slot,
  { outputs }: Replacement,
  g: GraphBuilder,
  rule: Rule,
): readonly Slot[] {
  const root = slot.node;
  const made = new Set(g.nodes.flatMap((node) => node.outputs));
  const takeOver = new Map<Value, Value>();
  const existing: [Value, Value][] = [];
  for (const [i, from] of root.outputs.entries()) {
    if (!from) continue;
    const to = outputs[i];
    if (!to) {
      if (!workspace.isUsed(from)) continue;
      throw new InvalidModelError(`rule "${rule.name}" gives nothing for an output that is read`, {
        where: describeNode(root),
      });
    }
    if (made.has(to) && !takeOver.has(to)) takeOver.set(to, from);
    else existing.push([from, to]);
  }
  for (const [value, data] of g.initializers) workspace.addInitializer(value, data);
  const added = g.nodes.map((node) => placed(node, root, takeOver));
  const consumers: Slot[] = [];
  for (const [from, wanted] of existing) {
    const to = takeOver.get(wanted) ?? wanted;
    for (const item of workspace.consumers(from)) consumers.push(item);
    for (const item of workspace.consumers(to)) consumers.push(item);
    if (!workspace.isOutput(from)) workspace.redirect(from, to);
    else if (canRename(workspace, to) && workspace.producer(to) !== slot) workspace.rename(to, from);
    else added.push(makeNode("Identity", [to], [from], { name: from.name }));
  }
  const slots = workspace.insert(slot, added);
  for (const value of takeOver.values()) for (const item of workspace.consumers(value)) consumers.push(item);
  workspace.remove(slot);
  return [...slots, ...consumers, ...neighbours(workspace, [...added, root])];
}

/** The node with the root's outputs where it makes them. The one that makes the first takes the root's name. */
function placed(node: Node, root: Node, takeOver: ReadonlyMap<Value, Value>): Node {
  const place = (value: Value | undefined): Value | undefined => value && (takeOver.get(value) ?? value);
  const outputs = node.outputs.map(place);
  const [first] = takeOver.values();
  const takesName = first !== undefined && outputs.includes(first);
  return { ...node, name: takesName && root.name ? root.name : node.name, inputs: node.inputs.map(place), outputs };
}

/** Producers of what the nodes read: what reads them has changed. */
function neighbours(workspace: Workspace, nodes: readonly Node[]): Slot[] {
  return nodes.flatMap(({ inputs }) => inputs.flatMap((value) => (value ? (workspace.producer(value) ?? []) : [])));
}

function contextFor(run: Run, workspace: Workspace, outer: Scope | undefined, g: GraphBuilder): RuleContext {
  const type = (value: Value | undefined): ValueType | undefined => value && (run.type?.(value) ?? value.type);
  return {
    model: run.model,
    g,
    version: (domain) => opsetOf(run.model, domain),
    producer: (value) => value && workspace.producer(value)?.node,
    constant: (value) => value && constantIn(run.model, workspace, outer, value),
    type,
    dims(value) {
      const known = type(value);
      return known && "dims" in known ? known.dims : undefined;
    },
    soleConsumer: (value) => workspace.soleConsumer(value),
    isUsed: (value) => workspace.isUsed(value),
    isOutput: (value) => workspace.isOutput(value),
  };
}

function constantIn(model: Model, workspace: Workspace, outer: Scope | undefined, value: Value): Tensor | undefined {
  if (workspace.owns(value)) {
    if (workspace.isInput(value) && !fixedInputs(model)) return undefined;
    const producer = workspace.producer(value)?.node;
    return workspace.initializer(value) ?? (producer && literalOf(producer));
  }
  for (let scope = outer; scope; scope = scope.outer) {
    const found = constantInGraph(model, scope.graph, value);
    if (found) return found;
  }
  return undefined;
}

/** The tensor that no run can change: an initializer that is not an overridable input, or the value of a `Constant`. */
export function constantInGraph(model: Model, graph: Graph, value: Value): Tensor | undefined {
  if (!fixedInputs(model) && graph.initializers.has(value) && graph.inputs.includes(value)) return undefined;
  return constantOf(graph, value);
}

/** Before IR version 4 every initializer had to be listed among the inputs, and none could be overridden. */
function fixedInputs(model: Model): boolean {
  return model.irVersion < 4;
}
