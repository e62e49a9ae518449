import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../base/digest.ts';
import { Failure } from '../base/errors.ts';
import { closestName } from '../base/names.ts';
import type { Reporter } from '../base/progress.ts';
import { Depot } from '../tree/depot.ts';
import type { Tree } from '../tree/tree.ts';
import type { Project } from './project.ts';
import type { Recipe } from './recipe.ts';
import { Records, type StageRecord } from './record.ts';
import { sourceDigest } from './source-digest.ts';
import {
  type Inputs,
  inputDigest,
  type Stage,
  type StageAccess,
  type StageName,
  stageNames,
} from './stage.ts';

/** How a stage stands before or after a build. */
export interface StageStatus {
  readonly stage: StageName;
  /** `fresh` nothing to do; `stale` an input changed; `missing` it never ran or its result is gone; `built` it just ran. */
  readonly state: 'fresh' | 'stale' | 'missing' | 'built';
  /** Why it is not fresh, or why it ran; empty for a fresh stage. */
  readonly reasons: readonly string[];
  readonly record?: StageRecord;
}

export interface BuildOptions {
  /** The last stage to run; all by default. */
  readonly until?: StageName;
  /** Stages that run even when they are fresh. */
  readonly force?: readonly StageName[];
  readonly reporter: Reporter;
  /** Told about each stage as soon as its fate is known. */
  readonly onStage?: (status: StageStatus) => void;
}

/** The names that the mission gives to the first four stages. */
const aliases: Readonly<Record<string, StageName>> = {
  alpine_extract: 'base_extract',
  alpine_configure: 'base_configure',
  alpine_packages: 'base_packages',
  alpine_firmware: 'base_firmware',
};

/**
 * A stage by the name that a user typed.
 * @throws Failure `usage` naming the stages.
 */
export function stageNamed(name: string): StageName {
  const stage = stageNames.find((known) => known === name) ?? aliases[name];
  if (stage) return stage;
  const close = closestName(name, [...stageNames, ...Object.keys(aliases)]);
  throw new Failure('usage', `there is no stage "${name}"`, {
    hint: close ? `did you mean ${close}?` : `the stages are ${stageNames.join(' ')}`,
  });
}

/**
 * Runs stages in their order, each only when something that it reads has changed. The key of a stage is the digests of
 * its declared inputs and of its code; an earlier stage that ran again with the same result changes nothing after it.
 */
export class Engine {
  readonly #stages: readonly Stage[];
  readonly #recipe: Recipe;
  readonly #project: Project;
  readonly #records: Records;
  readonly #depot: Depot;
  readonly #trees = new Map<string, Tree>();

  constructor(stages: readonly Stage[], recipe: Recipe, project: Project) {
    this.#stages = stages;
    this.#recipe = recipe;
    this.#project = project;
    this.#records = new Records(project.state);
    this.#depot = new Depot(join(project.state, 'depot'));
  }

  /** The table before running: what a build would do, without doing it. */
  async plan(until?: StageName): Promise<StageStatus[]> {
    const pending = new Set<StageName>();
    const statuses: StageStatus[] = [];
    for (const stage of this.#upTo(until)) {
      const status = await this.#assess(stage, pending);
      if (status.state !== 'fresh') pending.add(stage.name);
      statuses.push(status);
    }
    return statuses;
  }

  /**
   * Brings every stage up to `until` up to date.
   * @throws whatever a stage throws, with nothing recorded for it; stages before it stay recorded.
   */
  async build({ until, force = [], reporter, onStage }: BuildOptions): Promise<StageStatus[]> {
    const statuses: StageStatus[] = [];
    for (const stage of this.#upTo(until)) {
      let status = await this.#assess(stage, new Set());
      if (status.state === 'fresh' && force.includes(stage.name)) status = { ...status, reasons: ['forced'] };
      if (status.reasons.length > 0) {
        reporter.status(`${stage.name}: ${stage.summary}`);
        status = await this.#run(stage, status.reasons, reporter);
      }
      statuses.push(status);
      onStage?.(status);
    }
    return statuses;
  }

  /**
   * A tree that a stage made in its last run.
   * @throws Failure `not-found` when the stage has not run.
   */
  async tree(stage: StageName, output: string): Promise<Tree> {
    const digest = (await this.#records.read(stage))?.trees[output];
    if (digest === undefined) throw notBuilt(stage);
    return this.#treeOf(digest);
  }

  /** A value that a stage made in its last run; fails as `tree` does. */
  async value<T>(stage: StageName, output: string): Promise<T> {
    const record = await this.#records.read(stage);
    if (record === undefined || !(output in record.values)) throw notBuilt(stage);
    return record.values[output] as T;
  }

  #upTo(until?: StageName): readonly Stage[] {
    const last = until ? this.#stages.findIndex((stage) => stage.name === until) : this.#stages.length - 1;
    return this.#stages.slice(0, last + 1);
  }

  async #assess(stage: Stage, pending: ReadonlySet<StageName>): Promise<StageStatus> {
    const inputs = await stage.inputs(this.#recipe, this.#project);
    const record = await this.#records.read(stage.name);
    const reasons: string[] = [];
    for (const input of Object.values(inputs))
      if (input.kind === 'output' && pending.has(input.stage))
        reasons.push(`${input.stage} has to run first`);
    if (!record) return { stage: stage.name, state: 'missing', reasons: ['it never ran'] };
    for (const digest of Object.values(record.trees))
      if (!(await this.#depot.has(digest)))
        return { stage: stage.name, state: 'missing', reasons: ['its result is gone'] };
    if (reasons.length === 0)
      reasons.push(...difference(record.inputs, await this.#digests(stage, inputs), inputs));
    return {
      stage: stage.name,
      state: reasons.length > 0 ? 'stale' : 'fresh',
      reasons: [...new Set(reasons)],
      record,
    };
  }

  /** The key of a stage, readable: the digest of each thing it depends on. */
  async #digests(stage: Stage, inputs: Inputs): Promise<Record<string, string>> {
    const digests: Record<string, string> = { code: sourceDigest(stage.module) };
    for (const [name, input] of Object.entries(inputs))
      digests[name] =
        input.kind === 'output'
          ? await this.#outputDigest(input.stage, input.output)
          : await inputDigest(input);
    return digests;
  }

  async #outputDigest(stage: StageName, output: string): Promise<string> {
    const record = await this.#records.read(stage);
    return (
      record?.trees[output] ??
      (record && output in record.values ? digestOf(record.values[output]) : 'absent')
    );
  }

  async #run(stage: Stage, reasons: readonly string[], reporter: Reporter): Promise<StageStatus> {
    const inputs = await stage.inputs(this.#recipe, this.#project);
    const digests = await this.#digests(stage, inputs);
    await resetPeakMemory();
    const start = performance.now();
    const result = await stage.run(this.#access(stage.name, inputs, reporter));
    const trees: Record<string, string> = {};
    for (const [name, tree] of Object.entries(result.trees ?? {})) trees[name] = await this.#depot.save(tree);
    const record: StageRecord = {
      stage: stage.name,
      inputs: digests,
      trees,
      values: result.values ?? {},
      note: result.note,
      reasons,
      milliseconds: Math.round(performance.now() - start),
      peakMemory: await peakMemory(),
    };
    await this.#records.write(record);
    return { stage: stage.name, state: 'built', reasons, record };
  }

  #access(stage: StageName, inputs: Inputs, reporter: Reporter): StageAccess {
    const declared = (name: string) => {
      const input = inputs[name];
      if (!input) throw new Error(`stage ${stage} reads "${name}", which it does not declare`);
      return input;
    };
    const onDisk = (name: string) => {
      const input = declared(name);
      if (input.kind === 'file' || input.kind === 'directory') return input;
      throw new Error(`"${name}" of stage ${stage} is no file`);
    };
    return {
      depot: this.#depot,
      reporter: { line: reporter.line, status: (text) => reporter.status(`${stage}: ${text}`) },
      cache: join(this.#project.state, 'cache'),
      path: (name) => onDisk(name).path,
      label: (name) => onDisk(name).label,
      text: (name) => readFile(onDisk(name).path, 'utf8'),
      value: async <T>(name: string) => {
        const input = declared(name);
        if (input.kind === 'value') return input.value as T;
        if (input.kind === 'output') return this.value<T>(input.stage, input.output);
        throw new Error(`"${name}" of stage ${stage} is no value`);
      },
      tree: (name) => {
        const input = declared(name);
        if (input.kind !== 'output') throw new Error(`"${name}" of stage ${stage} is no tree`);
        return this.tree(input.stage, input.output);
      },
    };
  }

  async #treeOf(digest: string): Promise<Tree> {
    let tree = this.#trees.get(digest);
    if (!tree) {
      tree = await this.#depot.load(digest);
      this.#trees.set(digest, tree);
    }
    return tree;
  }
}

/** What differs between the inputs of the last run and those of today, as reasons for people. */
function difference(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
  inputs: Inputs,
): string[] {
  const reasons: string[] = [];
  for (const name of new Set([...Object.keys(now), ...Object.keys(before)])) {
    if (before[name] === now[name]) continue;
    const input = inputs[name];
    const label = input && 'label' in input ? input.label : name;
    if (name === 'code') reasons.push('zosbuilder itself changed');
    else if (now[name] === undefined || now[name] === 'absent') reasons.push(`${label} is gone`);
    else if (before[name] === undefined || before[name] === 'absent') reasons.push(`${label} is new`);
    else reasons.push(`${label} changed`);
  }
  return reasons;
}

function notBuilt(stage: StageName): Failure {
  return new Failure('not-found', `stage ${stage} has not run yet`, { hint: 'run: zosbuilder build' });
}

/** Makes the kernel forget the highest resident size of this process (proc(5), clear_refs). */
async function resetPeakMemory(): Promise<void> {
  await writeFile('/proc/self/clear_refs', '5').catch(() => {}); // the figure is then that of the whole process
}

async function peakMemory(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}
